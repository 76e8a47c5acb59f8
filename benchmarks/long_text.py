"""Peak memory of reading a long prompt and writing behind it, on a 0.5B Qwen shape.

Run:  python benchmarks/long_text.py --length 8192
      python benchmarks/long_text.py --length 2048 --compare

Weights are random. The prompt is read in pieces, as `GPT.chunk` says; with `--compare`
another process reads it in one piece, and the tokens of both are compared.
"""

import argparse
import json
import subprocess
import sys
import time

import alternate

TARGET = 6 * 1024  # MiB
# Of Qwen2.5-0.5B; its config.json.
SIZES = dict(
    vocabulary_size=151_936,
    context=32_768,
    depth=24,
    width=896,
    num_heads=14,
    inner_width=4_864,
)


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--length", type=int, default=8_192, help="of the prompt")
    parser.add_argument("--steps", type=int, default=8, help="tokens to write")
    parser.add_argument("--depth", type=int, default=SIZES["depth"], help="blocks")
    parser.add_argument("--chunk", type=int, help="tokens of a piece")
    parser.add_argument("--cache", help="dtype of the cache")
    parser.add_argument("--window", type=int, help="of every second block")
    parser.add_argument(
        "--compare", action="store_true", help="read it in one piece, too"
    )
    parser.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    return parser.parse_args()


def read(options):
    """Writes with a model in this process, and prints what it took."""
    import keras
    import numpy as np

    from keras_genai.layers.caches import set_cache_dtype
    from keras_genai.layers.rotary import Rotary
    from keras_genai.networks import GPT, Style
    from keras_genai.samplers import Greedy
    from keras_genai.tasks import CausalLM

    keras.utils.set_random_seed(0)
    style = Style(
        positions="rotary",
        norm="rms",
        feedforward="swiglu",
        use_bias=False,
        query_bias=True,
        num_memory_heads=2,
        rotary=Rotary(base=1e6),
        window=options.window,
        local_blocks=(True, False),
    )
    network = GPT(**{**SIZES, "depth": options.depth}, style=style)
    model = CausalLM(network)
    set_cache_dtype(model, options.cache)
    if options.chunk:
        network.chunk = options.chunk
    opened = alternate.peak_mib()
    random = np.random.default_rng(0)
    prompt = random.integers(0, SIZES["vocabulary_size"], options.length, "int32")
    start = time.perf_counter()
    total = options.length + options.steps
    written = model.generate(prompt, max_length=total, sampler=Greedy())
    figures = {
        "tokens": written[options.length :].tolist(),
        "seconds": time.perf_counter() - start,
        "opened_mib": opened,
        "peak_mib": alternate.peak_mib(),
    }
    print(json.dumps(figures))


def apart(options, **changes):
    """The figures of a process of its own."""
    given = {**vars(options), **changes}
    flags = [
        f"--{name}={value}"
        for name, value in given.items()
        if value is not None and name not in ("one", "compare")
    ]
    command = [sys.executable, sys.argv[0], "--one", *flags]
    answer = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(answer.stdout.splitlines()[-1])


if __name__ == "__main__":
    options = parse()
    if options.one:
        read(options)
    else:
        pieces = apart(options)
        print(
            f"{options.length} tokens: peak {pieces['peak_mib']:.0f} MiB (target <= "
            f"{TARGET}), of which {pieces['opened_mib']:.0f} before the first token; "
            f"{pieces['seconds']:.0f} s, compiling included"
        )
        if options.compare:
            whole = apart(options, chunk=options.length)
            print(f"in one piece: peak {whole['peak_mib']:.0f} MiB")
            print(f"same tokens: {whole['tokens'] == pieces['tokens']}")
