"""Decoding and prefill of the shape of Qwen2.5-0.5B: ours and transformers'.

Run:  python -m pip install -e ".[bench]"
      python benchmarks/qwen_decode.py --batch 1
      python benchmarks/qwen_decode.py --batch 8 --steps 16
      python benchmarks/qwen_decode.py --prompt 1024 --steps 1

All sides open one folder of random weights and go on from the same prompts, greedily.
Ours are `float32`; the same with weights of 16, 8 and 4 bits, as `layers.quantized`
makes them; `unpacked`, 4 bits with a copy of 8 bits; and `reads` and `reads_int8`,
weights of 16 and 8 bits, of which prompts and batches go through bfloat16 products, as
`layers.reading` says; `pure`, a model opened in bfloat16. Each side is a
process of its own, whose peak memory is printed (of ours with few bits, that of the
float32 weights that they were made of). One `step` is one token of every row; with
`--steps 1` all time is that of the prompt.

Ratios are to the faster of transformers' two dtypes in the same run. Tokens of float32
are compared; those of few bits differ from them sooner or later, as bfloat16's do.
"""

import argparse

import alternate
import folders
import peers

# Of Qwen/Qwen2.5-0.5B's config.json.
SETTINGS = dict(
    vocab_size=151_936,
    hidden_size=896,
    intermediate_size=4_864,
    num_hidden_layers=24,
    num_attention_heads=14,
    num_key_value_heads=2,
    max_position_embeddings=32_768,
    rope_theta=1_000_000.0,
    rms_norm_eps=1e-6,
    tie_word_embeddings=True,
)
OURS = (
    "float32",
    "bfloat16",
    "int8",
    "int4",
    "unpacked",
    "reads",
    "reads_int8",
    "pure",
)
THEIRS = ("float32", "bfloat16")
TINY = dict(vocab_size=2_000, hidden_size=64, intermediate_size=192)
GOALS = {"float32": 2.0, "bfloat16": 2.0, "int8": 3.0, "int4": 4.0}
BASES = {
    "reads": "bfloat16",
    "reads_int8": "int8",
    "unpacked": "int4",
    "pure": "bfloat16",
}  # the kind of weights, if another


def write(folder, options):
    import transformers

    settings = {**SETTINGS, **(TINY if options.tiny else {})}
    if options.tiny:
        settings.update(num_hidden_layers=2, num_attention_heads=4)
    ids = dict.fromkeys(("eos_token_id", "bos_token_id", "pad_token_id"))
    config = transformers.Qwen2Config(**settings, **ids)
    transformers.Qwen2ForCausalLM(config).save_pretrained(folder)


def prompts(options):
    """int32 `(batch, prompt)`."""
    import numpy as np

    size = TINY["vocab_size"] if options.tiny else SETTINGS["vocab_size"]
    shape = (options.batch, options.prompt)
    return np.random.default_rng(1).integers(0, size, shape, dtype=np.int32)


def ours(options, weights):
    import numpy as np
    import tensorflow as tf

    import keras_genai
    from keras_genai.layers.quantized import quantize, size_in_bytes, unpack
    from keras_genai.layers.reading import read_in
    from keras_genai.samplers import Greedy

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    dtype = "bfloat16" if weights == "pure" else None
    model = keras_genai.from_preset(options.folder, dtype=dtype)
    if weights not in ("float32", "pure"):
        quantize(model, BASES.get(weights, weights))
    if weights == "unpacked":
        unpack(model)
    if weights.startswith("reads"):
        read_in(model, "bfloat16")
    size = size_in_bytes(model)
    tokens = list(prompts(options))
    longest = options.prompt + options.steps

    def run():
        written = model.generate(tokens, max_length=longest, sampler=Greedy())
        written = np.array(written)[:, options.prompt :]
        return {"tokens": written.tolist(), "weight_bytes": size}

    run()
    return run


def transformers_generate(options, dtype):
    import torch
    import transformers

    torch.set_num_threads(options.threads)
    model = transformers.Qwen2ForCausalLM.from_pretrained(
        options.folder, dtype=getattr(torch, dtype)
    ).eval()
    return peers.greedy(model, prompts(options), options.steps)


def side(function, kind):
    """A side of the benchmark with one of its kinds of weights."""
    return lambda options: function(options, kind)


SIDES = {
    **{kind: side(ours, kind) for kind in OURS},
    **{f"transformers_{kind}": side(transformers_generate, kind) for kind in THEIRS},
}


def print_ratios(results, options):
    """Every side of ours beside the faster one of transformers."""
    theirs = [name for name in results if name.startswith("transformers")]
    if not theirs:
        return
    fastest = min(theirs, key=lambda name: alternate.median(results, name))
    print(f"transformers is faster in {fastest.removeprefix('transformers_')}")
    for name in (name for name in OURS if name in results):
        pairs = zip(results[name], results[fastest], strict=True)
        ratios = sorted(other["seconds"] / own["seconds"] for own, other in pairs)
        goal = GOALS[BASES.get(name, name)] if options["steps"] > 1 else 1.0
        size = results[name][0]["weight_bytes"] / 2**20
        print(
            f"{name}: {ratios[len(ratios) // 2]:.2f} times as fast (target >= {goal}), "
            f"{size:.0f} MiB of weights"
        )
    both = [name for name in ("float32", "transformers_float32") if name in results]
    if len(both) == 2:
        first, second = (results[name][0]["tokens"] for name in both)
        print(f"same tokens in float32: {first == second}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.set_defaults(rounds=5, steps=32)
    parser.add_argument("--batch", type=int, default=1, help="prompts at a time")
    parser.add_argument("--prompt", type=int, default=32, help="tokens of each prompt")
    parser.add_argument(
        "--tiny", action="store_true", help="a small shape, to see that it runs"
    )
    with folders.written(write, parser):
        results = alternate.main(SIDES, parser, unit="token")
    if results:
        print_ratios(results, results.pop("options"))
