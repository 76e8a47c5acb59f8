"""Fine-tuning step of a BERT-base shape: ours through `fit`, transformers' eager.

Run:  python -m pip install -e ".[bench]"
      python benchmarks/bert_step.py --steps 4 --rounds 5

A classifier of two labels on 8 texts of 128 tokens, all weights trained, dropout 0.1,
AdamW with clipping at 1, float32: forward, backward and update.
"""

import argparse

import alternate
import fitting
import peers

VOCABULARY, BATCH, LENGTH = 30522, 8, 128


def texts(steps):
    """int32 tokens `(N, LENGTH)` and labels `(N,)` for so many steps."""
    import numpy as np

    random = np.random.default_rng(0)
    tokens = random.integers(1, VOCABULARY, (steps * BATCH, LENGTH), dtype="int32")
    return tokens, random.integers(0, 2, steps * BATCH, dtype="int32")


def ours(options):
    import keras
    import numpy as np
    import tensorflow as tf

    from keras_genai.networks.bert import BERT
    from keras_genai.optimizers import adamw
    from keras_genai.tasks.classification import SequenceClassifier

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    model = SequenceClassifier(BERT(vocabulary_size=VOCABULARY))
    model.compile(
        optimizer=adamw(2e-5, beta_2=0.999, weight_decay=0.01),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=options.jit,
    )
    tokens, labels = texts(options.steps)
    inputs = {"tokens": tokens, "tokens_mask": np.ones_like(tokens)}
    return fitting.rounds(model, (inputs, labels), BATCH)


def torch_eager(options):
    import torch
    import transformers

    torch.set_num_threads(options.threads)
    config = transformers.BertConfig(num_labels=2)
    model = transformers.BertForSequenceClassification(config).train()
    optimizer = peers.adamw(model, 2e-5, 0.01)
    tokens, labels = (torch.from_numpy(part).long() for part in texts(options.steps))

    def run():
        for start in range(0, len(tokens), BATCH):
            batch = tokens[start : start + BATCH]
            logits = model(
                input_ids=batch, attention_mask=torch.ones_like(batch)
            ).logits
            loss = torch.nn.functional.cross_entropy(
                logits, labels[start : start + BATCH]
            )
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

    run()
    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--jit",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="compile our side with XLA",
    )
    results = alternate.main({"ours": ours, "torch_eager": torch_eager}, parser)
    if results and len(results) == 3:
        alternate.print_ratio(results, "ours", "torch_eager", 0.9)
