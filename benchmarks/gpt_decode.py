"""Greedy decoding of a 124M GPT-2 shape: ours and transformers' `generate`.

Run:  python -m pip install -e ".[bench]"
      python benchmarks/gpt_decode.py --steps 96 --batch 1
      python benchmarks/gpt_decode.py --steps 96 --batch 1 --weights int8

Both sides hold the same random float32 weights and read the same prompts; the
tokens they write are compared. One `step` is one token of every row. With
`--weights int8` our side is quantized, the other one is not.

A token of every row needs all weights once, so that the machine's bandwidth bounds its
time. What we reach is printed beside what the dot product of an array with itself does.
"""

import argparse
import concurrent.futures
import time

import alternate
import peers

VOCABULARY, CONTEXT, DEPTH, HEADS, WIDTH = 50257, 1024, 12, 12, 768
PROMPT = 32


def weights():
    """name -> float32 array, in GPT-2's own names and [in, out] layout."""
    import numpy as np

    random = np.random.default_rng(0)

    def normal(*shape, scale=0.05):
        return random.standard_normal(shape, dtype="float32") * np.float32(scale)

    named = {"wte.weight": normal(VOCABULARY, WIDTH)}
    named["wpe.weight"] = normal(CONTEXT, WIDTH)
    for index in range(DEPTH):
        for name, columns, rows in (
            ("attn.c_attn", 3 * WIDTH, WIDTH),
            ("attn.c_proj", WIDTH, WIDTH),
            ("mlp.c_fc", 4 * WIDTH, WIDTH),
            ("mlp.c_proj", WIDTH, 4 * WIDTH),
        ):
            named[f"h.{index}.{name}.weight"] = normal(rows, columns)
            named[f"h.{index}.{name}.bias"] = normal(columns)
    return named


def prompts(options):
    import numpy as np

    shape = (options.batch, PROMPT)
    return np.random.default_rng(1).integers(0, VOCABULARY, shape, dtype=np.int32)


def ours(options):
    import numpy as np
    import tensorflow as tf

    from keras_genai.layers.quantized import quantize, size_in_bytes
    from keras_genai.networks.gpt import GPT
    from keras_genai.samplers import Greedy
    from keras_genai.tasks.language import CausalLM

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    sizes = dict(context=CONTEXT, depth=DEPTH, width=WIDTH, num_heads=HEADS)
    network = GPT(vocabulary_size=VOCABULARY, **sizes)
    model = CausalLM(network)
    named = weights()
    arrays = {
        "embedding/embeddings": named["wte.weight"],
        "positions/table": named["wpe.weight"],
    }
    for index in range(DEPTH):
        there, here = f"h.{index}", f"block_{index}"
        for kind, part in (("weight", "kernel"), ("bias", "bias")):
            joined = named[f"{there}.attn.c_attn.{kind}"]
            query, memory = np.split(joined, [WIDTH], axis=-1)
            arrays[f"{here}/attention/query/{part}"] = query
            arrays[f"{here}/attention/memory/{part}"] = memory
            for peer, own in (
                ("attn.c_proj", "attention/output"),
                ("mlp.c_fc", "feedforward/expand"),
                ("mlp.c_proj", "feedforward/contract"),
            ):
                arrays[f"{here}/{own}/{part}"] = named[f"{there}.{peer}.{kind}"]
    stored = model.preset_weights()
    for path, array in arrays.items():
        stored[f"{network.name}/{path}"].assign(array)
    del named, arrays, stored
    if options.weights == "int8":
        quantize(model)
    # Of all positions a token reads one row.
    weight_bytes = size_in_bytes(model) - size_in_bytes(network.positions)
    tokens = list(prompts(options))

    def run():
        written = model.generate(
            tokens, max_length=PROMPT + options.steps, sampler=Greedy()
        )
        return {
            "tokens": np.array(written)[:, PROMPT:].tolist(),
            "weight_bytes": weight_bytes,
        }

    run()
    return run


def transformers_generate(options):
    import torch
    import transformers

    torch.set_num_threads(options.threads)
    config = transformers.GPT2Config(eos_token_id=None, bos_token_id=None)
    model = transformers.GPT2LMHeadModel(config).eval()
    state = model.transformer.state_dict()
    state.update({name: torch.from_numpy(part) for name, part in weights().items()})
    model.transformer.load_state_dict(state)
    model.tie_weights()
    return peers.greedy(model, prompts(options), options.steps)


def bandwidth(threads, size=2**29, rounds=5):
    """Bytes a second of so many threads that multiply an array with itself."""
    import numpy as np

    parts = np.array_split(np.ones(size // 4, "float32"), threads)
    seconds = []
    with concurrent.futures.ThreadPoolExecutor(threads) as pool:
        for _ in range(rounds):
            start = time.perf_counter()
            list(pool.map(np.dot, parts, parts))
            seconds.append(time.perf_counter() - start)
    return size / min(seconds)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=1, help="prompts at a time")
    parser.add_argument(
        "--weights", choices=("float32", "int8"), default="float32", help="of ours"
    )
    results = alternate.main(
        {"ours": ours, "transformers": transformers_generate}, parser, unit="token"
    )
    if results and len(results) == 3:
        options = results.pop("options")
        goal = {"float32": 0.5, "int8": 0.4}[options["weights"]]
        ratio = alternate.print_ratio(results, "ours", "transformers", goal)
        print(f"{1 / ratio:.2f} times transformers' tokens/s (target >= {1 / goal})")
        own, other = (results[side][0] for side in ("ours", "transformers"))
        print(f"same tokens: {own['tokens'] == other['tokens']}")
        size, best = own["weight_bytes"], bandwidth(options["threads"])
        seconds = alternate.median(results, "ours") / options["steps"]
        print(
            f"a token reads {size / 2**20:.0f} MiB of weights, "
            f"{size / seconds / 1e9:.1f} GB/s; a dot product {best / 1e9:.1f} GB/s, "
            f"which would let {best / size:.0f} tokens/s pass"
        )
