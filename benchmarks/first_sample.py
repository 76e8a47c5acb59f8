"""From a shell to the first picture or text: what makes up the time.

Run:  python benchmarks/first_sample.py                  # entries whose weights ship
      python benchmarks/first_sample.py ngram_names ddpm_digits --rounds 5

Every round is a fresh process that does what `python -m zoo sample NAME` does. Printed
are the medians of the seconds that pass and, in brackets, of the processor time, which
says more where other jobs run. The second sample shows what of the first one is tracing
and is not a part of the sum.
"""

import argparse
import contextlib
import itertools
import json
import statistics
import subprocess
import sys
import time

PARTS = ("python", "tensorflow", "entry", "opening", "first sample", "second sample")


def sample_once(name, started):
    """In a fresh process: prints seconds and processor time of each part."""
    marks = [(started, 0.0)]
    mark(marks)
    from zoo import _quiet

    _quiet.start_tensorflow()
    mark(marks)
    import zoo

    entry = zoo.get(name)
    mark(marks)
    from zoo import _opening, _sample

    with contextlib.redirect_stderr(None):
        place = _opening.locate(name)
    model = _opening.open_model(place, name, "sample", False, _sample.MAX_LENGTH)
    mark(marks)
    for seed in range(2):
        entry.sample(model, seed=seed)
        mark(marks)
    pairs = itertools.pairwise(marks)
    print(json.dumps([(b[0] - a[0], b[1] - a[1]) for a, b in pairs]))


def mark(marks):
    """Notes the time and the processor time of now."""
    marks.append((time.time(), time.process_time()))


def measure(name, rounds):
    """List of medians, one a part: seconds and processor time."""
    found = []
    for _ in range(rounds):
        answer = subprocess.run(
            [sys.executable, __file__, name, "--started", repr(time.time())],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        found.append(json.loads(answer.stdout.splitlines()[-1]))
    return [
        tuple(statistics.median(numbers) for numbers in zip(*part, strict=True))
        for part in zip(*found, strict=True)
    ]


def row(name, parts):
    """A line of the table: the parts, and the sum of all but the last."""
    total = [sum(numbers) for numbers in zip(*parts[:-1], strict=True)]
    cells = [f"{wall:.1f} ({cpu:.1f})" for wall, cpu in [*parts, total]]
    return f"{name:20}" + "".join(f"{cell:>15}" for cell in cells)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("names", nargs="*", help="entries (those whose weights ship)")
    parser.add_argument("--rounds", type=int, default=3, help="processes of each")
    parser.add_argument("--started", type=float, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.started:
        sample_once(options.names[0], options.started)
    else:
        from zoo import _weights

        print(f"{'':20}" + "".join(f"{part:>15}" for part in [*PARTS, "sum"]))
        for name in options.names or _weights.names():
            print(row(name, measure(name, options.rounds)), flush=True)
