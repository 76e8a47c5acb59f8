"""Forward pass of a BERT-base shape, 8 texts of 128 tokens: ours and transformers'.

Run:  python -m pip install -e ".[bench]"
      python benchmarks/bert_forward.py
      python benchmarks/bert_forward.py --family mpnet

Both sides open one folder of random float32 weights. Texts have 64 to 128 tokens; the
rest is padding, which our feed-forward networks leave out by `skip_padding`; with
`--padding` they do not. Ours is called by `predict_on_batch`, transformers' model in
eval and inference mode; what they say of the first batch is compared. One `step` is one
batch.
"""

import argparse

import alternate
import folders

BATCH, LENGTH = 8, 128
FAMILIES = {
    "bert": "Bert",
    "mpnet": "MPNet",
    "roberta": "Roberta",
    "distilbert": "DistilBert",
}


def write(folder, options):
    import transformers

    name = FAMILIES[options.family]
    config = getattr(transformers, f"{name}Config")()
    getattr(transformers, f"{name}Model")(config).save_pretrained(folder)


def batches(options, vocabulary_size):
    """int32 `(steps, BATCH, LENGTH)`, and a mask in which texts differ in length."""
    import numpy as np

    random = np.random.default_rng(0)
    # From 5 on: no family has padding or another special token there.
    tokens = random.integers(
        5, vocabulary_size, (options.steps, BATCH, LENGTH), dtype="int32"
    )
    lengths = random.integers(LENGTH // 2, LENGTH + 1, (options.steps, BATCH, 1))
    return tokens, (np.arange(LENGTH) < lengths).astype("int32")


def of_first(hidden):
    """What is said of the first token of every text, as lists."""
    return hidden[:, 0].tolist()


def ours(options):
    import tensorflow as tf

    import keras_genai
    from keras_genai.layers.padding import skip_padding

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    model = keras_genai.from_preset(options.folder)
    skip_padding(model, not options.padding)
    model.compile(jit_compile=options.jit)
    tokens, masks = batches(options, model.vocabulary_size)

    def run():
        found = [
            model.predict_on_batch({"tokens": batch, "tokens_mask": mask})
            for batch, mask in zip(tokens, masks, strict=True)
        ]
        return {"hidden": of_first(found[0]["hidden"])}

    run()
    return run


def transformers_bert(options):
    import torch
    import transformers

    torch.set_num_threads(options.threads)
    model = transformers.AutoModel.from_pretrained(options.folder).eval()
    tokens, masks = (
        torch.from_numpy(part).long()
        for part in batches(options, model.config.vocab_size)
    )

    def run():
        with torch.inference_mode():
            found = [
                model(input_ids=batch, attention_mask=mask)
                for batch, mask in zip(tokens, masks, strict=True)
            ]
        return {"hidden": of_first(found[0].last_hidden_state)}

    run()
    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--jit",
        action="store_true",
        help="compile our side with XLA, which Keras does not do on CPUs by itself",
    )
    parser.add_argument(
        "--padding", action="store_true", help="let our side work on padding, too"
    )
    parser.add_argument("--family", choices=FAMILIES, default="bert")
    with folders.written(write, parser):
        results = alternate.main(
            {"ours": ours, "transformers": transformers_bert}, parser, unit="batch"
        )
    if results and len(results) == 3:
        import numpy as np

        alternate.print_ratio(results, "ours", "transformers", 0.8)
        both = [results[side][0]["hidden"] for side in ("ours", "transformers")]
        print(f"largest difference: {np.abs(np.subtract(*both)).max():.1e}")
