"""What 8-bit weights cost: size and perplexity of a trained model beside float32.

Run:  python train.py gpt_python_docs --out runs/gpt_python_docs
      python benchmarks/int8_weights.py gpt_python_docs runs/gpt_python_docs/preset

The text is the entry's own held-out text. Sizes are those of model.safetensors.
"""

import argparse
import pathlib
import tempfile


def parse():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("entry", help="of the zoo, a causal language model")
    parser.add_argument("folder", help="its trained preset")
    parser.add_argument("--data-dir", help="where its data lies")
    return parser.parse_args()


def main():
    import keras_genai
    import zoo
    from keras_genai.evaluation.language import score_text
    from keras_genai.layers.quantized import quantize

    options = parse()
    held_out = zoo.get(options.entry).splits(data_dir=options.data_dir).held_out
    model = keras_genai.from_preset(options.folder)
    print("| weights | MiB | perplexity a token | nats a character |")
    print("|---|---|---|---|")
    for name in ("float32", "int8"):
        if name == "int8":
            quantize(model)
        with tempfile.TemporaryDirectory() as folder:
            model.save_to_preset(folder)
            stored = pathlib.Path(folder, "model.safetensors").stat().st_size
        score = score_text(model, held_out)
        print(
            f"| {name} | {stored / 2**20:.2f} | {score.perplexity:.4f} | "
            f"{score.nats_per_character:.5f} |"
        )


if __name__ == "__main__":
    main()
