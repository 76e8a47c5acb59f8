"""Opening a 500 MB checkpoint of a GPT-2 shape: ours and transformers', cold.

Run:  python -m pip install -e ".[bench]"
      python benchmarks/open_folder.py

One folder of random float32 weights is written once, and read once before the clock
runs, so that both sides find it in the page cache. Each opening is a fresh process;
the sides take turns. Printed are the seconds of the imports, of the opening, of a sum
over all weights, and of everything; and the memory beyond that of the imports, at its
peak, relative to the checkpoint. The sum is there because transformers maps the file
into memory and has read nothing of it when `from_pretrained` returns.
"""

import argparse
import json
import pathlib
import random
import statistics
import subprocess
import sys
import time

import alternate
import folders


def write(folder, options):
    import transformers

    config = transformers.GPT2Config(n_layer=options.depth)
    transformers.GPT2LMHeadModel(config).save_pretrained(folder)


def ours(options):
    import keras_genai

    def total(model):
        from keras import ops

        return sum(float(ops.sum(weight)) for weight in model.weights)

    return lambda: keras_genai.from_preset(options.folder), total


def transformers_gpt2(options):
    import torch
    import transformers

    torch.set_num_threads(options.threads)
    kind = transformers.GPT2LMHeadModel

    def total(model):
        return sum(float(weight.detach().sum()) for weight in model.parameters())

    return lambda: kind.from_pretrained(options.folder), total


SIDES = {"ours": ours, "transformers": transformers_gpt2}
FIGURES = "imports", "opening", "opening and sum", "everything", "memory", "peak_mib"


def open_once(options):
    """In a fresh process: prints the seconds and the memory of one opening."""
    begin = time.perf_counter()
    read, total = SIDES[options.side](options)
    imported, before = time.perf_counter(), alternate.peak_mib()
    model = read()
    opened = time.perf_counter()
    found = total(model)
    end = time.perf_counter()
    figures = {
        "imports": imported - begin,
        "opening": opened - imported,
        "opening and sum": end - imported,
        "everything": end - begin,
        "before_mib": before,
        "peak_mib": alternate.peak_mib(),
        "total": found,
    }
    print(json.dumps(figures))


def measure(options):
    """dict of each side's list of figures, one an opening."""
    weights = sorted(pathlib.Path(options.folder).glob("*.safetensors"))
    size = sum(len(path.read_bytes()) for path in weights)
    print(f"{size / 2**20:.0f} MiB of weights")
    results = {name: [] for name in SIDES}
    order = random.Random(0)
    for _ in range(options.rounds):
        for name in order.sample(list(SIDES), len(SIDES)):
            answer = subprocess.run(
                [sys.executable, *sys.argv, "--side", name],
                stdout=subprocess.PIPE,
                text=True,
                check=True,
            )
            figures = json.loads(answer.stdout.splitlines()[-1])
            gained = figures["peak_mib"] - figures["before_mib"]
            results[name].append({**figures, "memory": gained * 2**20 / size})
    return results


def ratio(results, figure):
    """Median over rounds of ours to theirs, of one figure."""
    pairs = zip(*results.values(), strict=True)
    return statistics.median(first[figure] / second[figure] for first, second in pairs)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--depth", type=int, default=12, help="blocks of the model")
    parser.add_argument("--rounds", type=int, default=5, help="openings of each side")
    parser.add_argument("--threads", type=int, default=2, help="threads of each side")
    parser.add_argument("--side", choices=SIDES, help=argparse.SUPPRESS)
    with folders.written(write, parser):
        options = parser.parse_args()
        if options.side:
            open_once(options)
        else:
            results = measure(options)
            for figure in FIGURES:
                medians = ", ".join(
                    f"{name} {alternate.median(results, name, figure):.2f}"
                    for name in SIDES
                )
                print(f"{figure}: {medians}, ratio {ratio(results, figure):.2f}")
            print("targets: time <= 1.0 times theirs, memory <= 1.3 times the weights")
            first, second = (results[name][0]["total"] for name in SIDES)
            print(f"same weights: {abs(first - second) < 1e-3 * abs(first)}")
