"""Times several programs side by side, in turns, so that noise hits all alike.

A benchmark file defines one function a side. It prepares and warms up its job and
returns a function that runs it once a round:

    def ours(options):
        model = ...                       # build, compile, warm up
        return lambda: model.fit(...)     # or return a dict of figures to report

    if __name__ == "__main__":
        alternate.main({"ours": ours, "torch": torch_side}, parser)

Each side lives in its own worker process, started once. The parent asks one worker
at a time for a round, in a fresh random order each round, and the others sleep on
their standard input.
"""

import argparse
import json
import os
import platform
import random
import resource
import statistics
import subprocess
import sys
import time


def main(sides, parser=None, unit="step", scale=1e3, label="ms"):
    """Command line of a benchmark: the parent, or with `--side` one worker.

    Args:
        sides: dict of name to `function(options) -> round()`. `round` runs
            `options.steps` units of work and may return a dict of own figures, of
            which `seconds` replaces the time measured around the call.
        parser: `argparse.ArgumentParser` or `None`, for the benchmark's own options.
            Its `set_defaults` may say other `rounds` and `steps` than 10.
        unit: str. What one of `--steps` is called in the table.
        scale: float. Factor from seconds a unit to the printed figure.
        label: str. Unit of that figure.

    Returns:
        In the parent, what `alternate` returns, with `options` under `"options"`;
        in a worker `None`.
    """
    parser = parser or argparse.ArgumentParser()
    rounds, steps = (parser.get_default(name) or 10 for name in ("rounds", "steps"))
    parser.add_argument("--rounds", type=int, default=rounds, help="of each side")
    parser.add_argument("--steps", type=int, default=steps, help=f"{unit}s a round")
    parser.add_argument("--threads", type=int, default=2, help="threads of each side")
    parser.add_argument(
        "--sides", default=",".join(sides), help="comma-separated subset to run"
    )
    parser.add_argument("--side", choices=list(sides), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        return work(sides[options.side], options)
    names = options.sides.split(",")
    unknown = [name for name in names if name not in sides]
    if unknown:
        parser.error(f"--sides must be of {list(sides)}. Received: {unknown}")
    command = [sys.executable, *sys.argv]
    results = alternate(
        {name: [*command, "--side", name] for name in names},
        options.rounds,
        options.threads,
    )
    print_table(results, options.steps, unit, scale, label)
    return {"options": vars(options), **results}


def alternate(sides, rounds, threads=2, seed=0):
    """Runs every side once a round, in a shuffled order, one at a time.

    Args:
        sides: dict of name to the argv of a program that speaks the worker's
            protocol: it prints "ready" in a line, and for each line "go" on its
            input runs one round and prints a JSON with `seconds`, `cpu_seconds` (of
            all threads) and `peak_mib`.
        rounds: int.
        threads: int. Written to OMP_NUM_THREADS and TF_NUM_INTRAOP_THREADS.
        seed: int. Of the order.

    Returns:
        dict of name to the list of those JSON dicts, one a round.

    Raises:
        RuntimeError: if a worker ends early; its own error is on stderr.
    """
    workers = {name: _start(argv, threads) for name, argv in sides.items()}
    results = {name: [] for name in sides}
    order = random.Random(seed)
    try:
        for name, worker in workers.items():
            _read(name, worker, wanted="ready")
        for _ in range(rounds):
            for name in order.sample(list(workers), len(workers)):
                workers[name].stdin.write("go\n")
                workers[name].stdin.flush()
                results[name].append(json.loads(_read(name, workers[name])))
    finally:
        for worker in workers.values():
            worker.kill()
            worker.wait()
    return results


def work(prepare, options):
    """The worker's side of the protocol. See `alternate`."""
    # Libraries write to stdout too; the protocol keeps the real one to itself.
    answers = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)
    run = prepare(options)
    print("ready", file=answers)
    for line in sys.stdin:
        if line.strip() != "go":
            raise ValueError(
                f"A worker's input must be lines of `go`. Received: {line}"
            )
        start, busy = time.perf_counter(), time.process_time()
        figures = run()
        answer = {
            "seconds": time.perf_counter() - start,
            "cpu_seconds": time.process_time() - busy,
            "peak_mib": peak_mib(),
        }
        answer.update(figures if isinstance(figures, dict) else {})
        print(json.dumps(answer), file=answers)


def peak_mib():
    """Largest resident memory this process ever had, in MiB."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


def median(results, name, figure="seconds"):
    """Median over the rounds of one side's figure."""
    return statistics.median(answer[figure] for answer in results[name])


def print_table(results, steps, unit="step", scale=1e3, label="ms"):
    """Median, quickest and slowest round, CPU time and peak memory of each side."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {sys.version[:6]}")
    columns = (
        f"{label} a {unit}: median",
        "quickest",
        "slowest",
        "median CPU",
        "peak MiB",
    )
    width = max(len(name) for name in results)
    print(f"{'':{width}}", *columns, sep="  ")
    for name, answers in results.items():
        times = sorted(answer["seconds"] / steps * scale for answer in answers)
        figures = [
            f"{statistics.median(times):.1f}",
            f"{times[0]:.1f}",
            f"{times[-1]:.1f}",
            f"{median(results, name, 'cpu_seconds') / steps * scale:.1f}",
            f"{max(answer['peak_mib'] for answer in answers):.0f}",
        ]
        cells = [
            figure.rjust(len(column))
            for figure, column in zip(figures, columns, strict=True)
        ]
        print(name.ljust(width), *cells, sep="  ")


def print_ratio(results, first, second, target=None):
    """Median over rounds of `first / second` in the same round, beside its target."""
    pairs = zip(results[first], results[second], strict=True)
    ratio = statistics.median(a["seconds"] / b["seconds"] for a, b in pairs)
    goal = "" if target is None else f" (target <= {target})"
    print(f"{first} / {second}: {ratio:.2f}{goal}")
    return ratio


def _start(argv, threads):
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": str(threads),
        "TF_NUM_INTRAOP_THREADS": str(threads),
        "TF_CPP_MIN_LOG_LEVEL": "3",
    }
    return subprocess.Popen(
        argv,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


def _read(name, worker, wanted=None):
    line = worker.stdout.readline().strip()
    if not line or wanted not in (None, line):
        raise RuntimeError(f"Worker `{name}` ended early. Its last line: {line!r}")
    return line
