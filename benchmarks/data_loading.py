"""Batches a second of the loaders: ours beside torch.utils.data.DataLoader.

Run:  python -m pip install -e ".[bench]" && python benchmarks/data_loading.py

`--job text` (the default): paragraphs of the Python documentation, tokenised (BPE,
2,000 pieces), padded and batched on the fly by the same collate function on both
sides; `torch-0` and `torch-2` have 0 and 2 worker processes. `--job arrays`: shuffled
rows of an int32 array. `--job windows`: random windows of one long text, 12 x 64
tokens, beside nanoGPT's `get_batch`, which has no workers.
"""

import argparse
import itertools

import alternate

BATCH = 32
WINDOWS, LENGTH = 12, 64


def paragraphs():
    from pydoc_data import topics

    text = "\n\n".join(topics.topics[topic] for topic in sorted(topics.topics))
    return [paragraph for paragraph in text.split("\n\n") if len(paragraph) > 20]


def text_job():
    """Samples and collate function, the same on both sides."""
    from keras_genai.data import batching, tokenizers

    texts = paragraphs()
    tokenizer = tokenizers.bpe(texts, 2_000, pad_token="<pad>", end_token="<end>")
    return texts, batching.language_batch(tokenizer, max_length=256)


def arrays_job():
    import numpy as np

    draws = np.random.default_rng(0)
    return draws.integers(0, 2_000, (50_000, 129)).astype("int32")


def long_text():
    import numpy as np

    return np.random.default_rng(0).integers(0, 65, 1_003_854).astype("int32")


def counted(batches, options):
    """Function that takes the next `options.steps` batches."""
    iterator = iter(batches)

    def run():
        for _ in range(options.steps):
            next(iterator)

    run()
    return run


def ours(options):
    import tensorflow as tf

    from keras_genai.data.loading import DataLoader, Windows

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    if options.job == "windows":
        loader = Windows(long_text(), LENGTH, WINDOWS)
    elif options.job == "arrays":
        loader = DataLoader(arrays_job(), BATCH)
    else:
        texts, collate = text_job()
        loader = DataLoader(texts, BATCH, collate=collate, workers=options.threads)
    return counted(loader.dataset(), options)


def torch_loader(options, workers):
    import torch

    torch.set_num_threads(options.threads)
    if options.job == "windows":
        return counted(nanogpt_batches(torch, long_text()), options)
    if options.job == "arrays":
        samples, collate = torch.from_numpy(arrays_job()), None
    else:
        samples, arrays = text_job()

        def collate(rows):
            return tuple(torch.from_numpy(array.copy()) for array in arrays(rows))

    loader = torch.utils.data.DataLoader(
        samples,
        BATCH,
        shuffle=True,
        drop_last=True,
        collate_fn=collate,
        num_workers=workers,
        persistent_workers=workers > 0,
    )
    endless = itertools.chain.from_iterable(loader for _ in itertools.count())
    return counted(endless, options)


def nanogpt_batches(torch, tokens):
    """nanoGPT's `get_batch`, from an array in memory."""
    while True:
        starts = torch.randint(len(tokens) - LENGTH, (WINDOWS,))
        yield tuple(
            torch.stack(
                [
                    torch.from_numpy(tokens[i + shift : i + shift + LENGTH])
                    for i in starts
                ]
            )
            for shift in (0, 1)
        )


def torch_0(options):
    return torch_loader(options, 0)


def torch_2(options):
    return torch_loader(options, 2)


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--job", choices=("text", "arrays", "windows"), default="text", help="what"
    )
    parser.set_defaults(steps=200)
    sides = {"ours": ours, "torch-0": torch_0, "torch-2": torch_2}
    results = alternate.main(sides, parser, unit="batch")
    if results is not None:
        options = results.pop("options")
        rows = WINDOWS if options["job"] == "windows" else BATCH
        for name in results:
            seconds = alternate.median(results, name) / options["steps"]
            print(
                f"{name}: {rows / seconds:,.0f} examples/s, {1 / seconds:,.0f} steps/s"
            )
        first, *others = results
        for name in others:
            alternate.print_ratio(results, first, name)
