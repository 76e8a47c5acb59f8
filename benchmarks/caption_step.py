"""Training step of a captioner: ours, and the same network in torch.

Run:  python -m pip install -e ".[bench]" && python benchmarks/caption_step.py

64 pictures of 32 x 32 with captions of 15 tokens of 1,000: the network of
`caption_emoji` without dropout, which is a convolution of stride 2, two residual blocks
of 32 channels at 16 x 16 and two of 96 at 8 x 8, group norms, and a GRU of 128 with
Bahdanau's attention over the 64 places; cross-entropy, AdamW, float32: forward,
backward and update. Ours runs through `fit`, its overhead included.
"""

import argparse

import alternate

BATCH, SIDE, LENGTH, VOCABULARY = 64, 32, 15, 1_000
CHANNELS, BLOCKS, WIDTH, UNITS = (32, 96), 2, 128, 128
PLACES = (SIDE // 4) ** 2
START = 2


def arrays(options):
    """images `(N, H, W, 3)` in [0, 1], labels `(N, T)`: all batches of a round."""
    import numpy as np

    draws = np.random.default_rng(0)
    count = options.steps * BATCH
    images = draws.random((count, SIDE, SIDE, 3), "float32")
    return images, draws.integers(4, VOCABULARY, (count, LENGTH)).astype("int32")


def ours(options):
    import keras
    import numpy as np
    import tensorflow as tf

    from keras_genai.modalities.image import Image
    from keras_genai.modalities.text import Text
    from keras_genai.networks.recurrent_captioner import RecurrentCaptioner
    from keras_genai.tasks.seq2seq import Seq2SeqLM

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    network = RecurrentCaptioner(
        widths=CHANNELS,
        blocks=BLOCKS,
        stride=2,
        embedding_dim=WIDTH,
        units=UNITS,
        dropout=0.0,
    )
    text = Text(vocabulary_size=VOCABULARY)
    model = Seq2SeqLM(network, text, Image((SIDE, SIDE, 3)))
    if options.parameters:
        print("ours:", model.count_params())
    model.compile(
        optimizer=keras.optimizers.AdamW(1e-3, weight_decay=0.01),
        jit_compile=options.jit,
        steps_per_execution=min(5, options.steps),
    )
    images, labels = arrays(options)
    start = np.full((len(labels), 1), START, "int32")
    features = {
        "inputs": images,
        "inputs_mask": np.ones(images.shape[:2], bool),
        "targets": np.concatenate([start, labels[:, :-1]], axis=1),
    }
    data = tf.data.Dataset.from_tensor_slices((features, labels))
    data = data.batch(BATCH, drop_remainder=True).cache().prefetch(2)

    def run():
        model.fit(data, epochs=1, verbose=0, shuffle=False)

    run()
    return run


def torch_encoder():
    """The convolutions in torch: images `(B, 3, H, W)` to `(B, C, 8, 8)`."""
    from torch import nn
    from torch.nn.functional import silu

    def norm(channels):
        return nn.GroupNorm(min(32, channels // 4), channels)

    class Block(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.norms = nn.ModuleList(norm(channels) for _ in range(2))
            self.convolutions = nn.ModuleList(
                nn.Conv2d(channels, channels, 3, padding=1) for _ in range(2)
            )

        def forward(self, x):
            y = x
            for each, convolution in zip(self.norms, self.convolutions, strict=True):
                y = convolution(silu(each(y)))
            return x + y

    first, last = CHANNELS
    return nn.Sequential(
        nn.Conv2d(3, first, 3, 2, padding=1),
        *[Block(first) for _ in range(BLOCKS)],
        nn.Conv2d(first, last, 3, 2, padding=1),
        *[Block(last) for _ in range(BLOCKS)],
        norm(last),
        nn.SiLU(),
    )


def torch_side(options):
    import torch
    from torch import nn

    torch.set_num_threads(options.threads)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            last = CHANNELS[-1]
            self.encoder = torch_encoder()
            self.places = nn.Parameter(0.02 * torch.randn(PLACES, last))
            self.embedding = nn.Embedding(VOCABULARY, WIDTH)
            self.begin = nn.Linear(last, UNITS)
            self.key = nn.Linear(last, UNITS, bias=False)
            self.query = nn.Linear(UNITS, UNITS, bias=False)
            self.vector = nn.Linear(UNITS, 1, bias=False)
            self.cell = nn.GRUCell(WIDTH + last, UNITS)
            self.readout = nn.Linear(UNITS + last + WIDTH, WIDTH)

        def forward(self, images, tokens):
            seen = self.encoder(2 * images - 1).flatten(2).transpose(1, 2) + self.places
            state = self.begin(seen.mean(dim=1)).tanh()
            keys, words, found = self.key(seen), self.embedding(tokens), []
            for word in words.unbind(dim=1):
                pairs = (self.query(state)[:, None] + keys).tanh()
                weights = self.vector(pairs).softmax(dim=1)  # (B, S, 1)
                context = (weights * seen).sum(dim=1)
                state = self.cell(torch.cat([word, context], dim=1), state)
                found.append(torch.cat([state, context, word], dim=1))
            hidden = self.readout(torch.stack(found, dim=1)).tanh()
            return hidden @ self.embedding.weight.T

    model, criterion = Model(), nn.CrossEntropyLoss()
    if options.channels_last:
        model = model.to(memory_format=torch.channels_last)
    if options.parameters:
        print("torch:", sum(each.numel() for each in model.parameters()))
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.01)
    images, labels = map(torch.from_numpy, arrays(options))
    images, labels = images.permute(0, 3, 1, 2), labels.long()
    if not options.channels_last:
        images = images.contiguous()
    starts = torch.full((len(labels), 1), START)
    tokens = torch.cat([starts, labels[:, :-1]], dim=1)

    def run():
        for start in range(0, len(images), BATCH):
            rows = slice(start, start + BATCH)
            logits = model(images[rows], tokens[rows])
            loss = criterion(logits.flatten(0, 1), labels[rows].flatten())
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    run()
    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--jit", action="store_true", help="compile our side with XLA")
    text = "let torch's convolutions work on channels in the last axis"
    parser.add_argument("--channels-last", action="store_true", help=text)
    parser.add_argument("--parameters", action="store_true", help="print their number")
    parser.set_defaults(rounds=8, steps=5)
    results = alternate.main({"ours": ours, "torch": torch_side}, parser)
    if results and {"ours", "torch"} <= set(results):
        alternate.print_ratio(results, "ours", "torch", 0.9)
