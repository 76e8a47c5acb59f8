"""Training step of clip_emoji's network, batch 256 of 32x32x3: ours, and in PyTorch.

Run:  python -m pip install -e ".[bench]"
      python benchmarks/clip_step.py --steps 2
      python benchmarks/clip_step.py --steps 2 --sides ours,torch,torch_channels_last

A residual network of 64, 128 and 256 channels, a causal transformer of two blocks over
24 tokens, the loss of CLIP, AdamW, float32; without dropout; ours through `fit`. The
peer is written here layer by layer; both have 2,474,753 weights.
"""

import alternate

BATCH, SIDE, LENGTH, VOCABULARY = 256, 32, 24, 1_000
WIDTHS, WIDTH, DEPTH, HEADS, SIZE = (64, 128, 256), 128, 2, 4, 64
STEPS_PER_EXECUTION = 5


def batches(options):
    """Pictures `(N, 32, 32, 3)` and tokens `(N, 24)` of all steps of a round."""
    import numpy as np

    draws = np.random.default_rng(0)
    count = options.steps * BATCH
    images = draws.random((count, SIDE, SIDE, 3), "float32")
    tokens = draws.integers(1, VOCABULARY, (count, LENGTH)).astype("int32")
    lengths = draws.integers(3, LENGTH, (count, 1))
    return images, np.where(np.arange(LENGTH) < lengths, tokens, 0).astype("int32")


def ours(options):
    import keras
    import tensorflow as tf

    from keras_genai.modalities import Image, Text
    from keras_genai.networks import GPT, ResidualEncoder
    from keras_genai.tasks import Contrastive

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    model = Contrastive(
        ResidualEncoder(widths=WIDTHS, stride=2),
        GPT(depth=DEPTH, width=WIDTH, num_heads=HEADS),
        Image((SIDE, SIDE, 3)),
        Text(vocabulary_size=VOCABULARY, length=LENGTH),
        embedding_size=SIZE,
    )
    model.compile(
        keras.optimizers.AdamW(1e-3, weight_decay=0.1),
        jit_compile=False,
        steps_per_execution=min(STEPS_PER_EXECUTION, options.steps),
    )
    images, tokens = batches(options)
    data = tf.data.Dataset.from_tensor_slices({"images": images, "tokens": tokens})
    data = data.batch(BATCH, drop_remainder=True).cache().prefetch(2)

    def run():
        model.fit(data, epochs=1, verbose=0, shuffle=False)

    run()
    return run


def picture_network():
    """Our `ResidualEncoder`, in PyTorch's layers."""
    from torch import nn

    def norm(channels):
        return nn.GroupNorm(min(32, channels // 4), channels)

    class Residual(nn.Module):
        def __init__(self, before, channels):
            super().__init__()
            self.inner = nn.Sequential(
                norm(before),
                nn.SiLU(),
                nn.Conv2d(before, channels, 3, padding=1),
                norm(channels),
                nn.SiLU(),
                nn.Conv2d(channels, channels, 3, padding=1),
            )

        def forward(self, x):
            return x + self.inner(x)

    parts = [nn.Conv2d(3, WIDTHS[0], 3, 2, 1)]
    before = WIDTHS[0]
    for channels in WIDTHS:
        if channels != before:
            parts.append(nn.Conv2d(before, channels, 3, 2, 1))
        parts.append(Residual(channels, channels))
        before = channels
    parts += [norm(before), nn.SiLU(), nn.AdaptiveAvgPool2d(1), nn.Flatten()]
    return nn.Sequential(*parts)


def text_network():
    """Our `GPT`, in PyTorch's layers, read at the first padding."""
    import torch
    from torch import nn
    from torch.nn import functional

    class Block(nn.Module):
        def __init__(self):
            super().__init__()
            self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(2))
            self.query = nn.Linear(WIDTH, 3 * WIDTH)
            self.output = nn.Linear(WIDTH, WIDTH)
            self.feedforward = nn.Sequential(
                nn.Linear(WIDTH, 4 * WIDTH),
                nn.GELU("tanh"),
                nn.Linear(4 * WIDTH, WIDTH),
            )

        def forward(self, x):
            heads = self.query(self.norms[0](x)).unflatten(-1, (3, HEADS, -1))
            parts = heads.permute(2, 0, 3, 1, 4).unbind()
            mixed = functional.scaled_dot_product_attention(*parts, is_causal=True)
            x = x + self.output(mixed.transpose(1, 2).flatten(2))
            return x + self.feedforward(self.norms[1](x))

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.embedding = nn.Embedding(VOCABULARY, WIDTH)
            self.positions = nn.Embedding(LENGTH, WIDTH)
            self.blocks = nn.Sequential(*(Block() for _ in range(DEPTH)))
            self.norm = nn.LayerNorm(WIDTH)

        def forward(self, tokens):
            x = self.norm(
                self.blocks(self.embedding(tokens) + self.positions.weight[None])
            )
            ends = (tokens == 0).int().argmax(1)
            return x[torch.arange(len(x)), ends]

    return Network()


def torch_side(options):
    import torch
    from torch import nn
    from torch.nn import functional

    torch.set_num_threads(options.threads)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.images, self.texts = picture_network(), text_network()
            self.image_projection = nn.Linear(WIDTHS[-1], SIZE, bias=False)
            self.text_projection = nn.Linear(WIDTH, SIZE, bias=False)
            self.log_scale = nn.Parameter(torch.tensor(1 / 0.07).log())

        def forward(self, images, tokens):
            images = self.image_projection(self.images(2 * images - 1))
            texts = self.text_projection(self.texts(tokens))
            images, texts = (functional.normalize(each) for each in (images, texts))
            return self.log_scale.exp() * images @ texts.T

    model = Model()
    optimizer = torch.optim.AdamW(model.parameters(), 1e-3, weight_decay=0.1)
    images, tokens = map(torch.from_numpy, batches(options))
    images = images.permute(0, 3, 1, 2).contiguous()
    if options.side == "torch_channels_last":
        images = images.contiguous(memory_format=torch.channels_last)
        model = model.to(memory_format=torch.channels_last)
    right = torch.arange(BATCH)

    def run():
        for start in range(0, len(images), BATCH):
            rows = slice(start, start + BATCH)
            logits = model(images[rows], tokens[rows].long())
            loss = functional.cross_entropy(logits, right)
            loss = (loss + functional.cross_entropy(logits.T, right)) / 2
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            with torch.no_grad():
                model.log_scale.clamp_(max=4.6052)

    run()
    return run


if __name__ == "__main__":
    sides = {"ours": ours, "torch": torch_side, "torch_channels_last": torch_side}
    results = alternate.main(sides)
    for peer in ("torch", "torch_channels_last"):
        if results and {"ours", peer} <= results.keys():
            alternate.print_ratio(results, "ours", peer, 0.9)
