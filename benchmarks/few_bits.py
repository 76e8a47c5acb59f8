"""What weights of few bits cost: size and perplexity of a trained model beside float32.

Run:  python benchmarks/few_bits.py gpt_python_docs
      python benchmarks/few_bits.py gpt_shakespeare --data-dir DIR --kinds int8,int4:32

The preset is the one that ships with the zoo, whose matrices are floats of 8-bit
integers already, or another one, such as a trained one of `train.py`. The text is the
entry's own held-out text. Sizes are those of model.safetensors, and of that a weight.
"""

import argparse
import math
import pathlib
import tempfile

KINDS = "float32,bfloat16,int8,int4:128,int4:64,int4:32"


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("entry", help="of the zoo, a causal language model")
    parser.add_argument("folder", nargs="?", help="its trained preset")
    parser.add_argument(
        "--kinds", default=KINDS, help="of weights, `int4:64` in groups of 64"
    )
    parser.add_argument("--data-dir", help="where its data lies")
    return parser.parse_args()


def main():
    import keras_genai
    import zoo
    from keras_genai.evaluation.language import score_text
    from keras_genai.layers.quantized import quantize

    options = parse()
    entry = zoo.get(options.entry)
    held_out = entry.splits(data_dir=options.data_dir).held_out
    print("| weights | MiB | bits a weight | perplexity a token | nats a character |")
    print("|---|---|---|---|---|")
    for name in options.kinds.split(","):
        if options.folder:
            model = keras_genai.from_preset(options.folder)
        else:
            model = entry.pretrained()
        numbers = sum(math.prod(weight.shape) for weight in model.weights)
        kind, _, group = name.partition(":")
        if kind != "float32":
            quantize(model, kind, int(group) if group else None)
        with tempfile.TemporaryDirectory() as folder:
            model.save_to_preset(folder)
            stored = pathlib.Path(folder, "model.safetensors").stat().st_size
        score = score_text(model, held_out)
        print(
            f"| {name} | {stored / 2**20:.2f} | {8 * stored / numbers:.2f} | "
            f"{score.perplexity:.4f} | {score.nats_per_character:.5f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
