"""Training step of a recogniser by CTC: ours, and the same network in torch.

Run:  python -m pip install -e ".[bench]" && python benchmarks/recognition_step.py

16 sounds of about 3 s, 300 log-mel frames of 40 bands: two convolutions of 128
channels, the second with stride 2, two bidirectional GRU layers of 128, 40 symbols, CTC
with up to 20 labels, Adam, float32: forward, backward and update. Ours runs through
`fit`, its overhead included; torch packs its sequences, so that padding costs nothing.
"""

import argparse

import alternate

BATCH, FRAMES, BANDS, SYMBOLS, LABELS = 16, 300, 40, 40, 20
FILTERS, KERNEL, UNITS, LAYERS = 128, 5, 128, 2
STEPS_PER_EXECUTION = 5


def arrays(options):
    """mels `(N, T, bands)`, frames `(N,)`, tokens `(N, L)`: all batches of a round."""
    import numpy as np

    draws = np.random.default_rng(0)
    count = options.steps * BATCH
    mels = draws.normal(size=(count, FRAMES, BANDS)).astype("float32")
    tokens = draws.integers(1, SYMBOLS, (count, LABELS)).astype("int32")
    sizes = draws.integers(LABELS // 2, LABELS + 1, (count, 1))
    frames = draws.integers(2 * FRAMES // 3, FRAMES + 1, count).astype("int32")
    return mels, frames, np.where(np.arange(LABELS) < sizes, tokens, 0).astype("int32")


def ours(options):
    import keras
    import tensorflow as tf

    from keras_genai.modalities.mel import Mel
    from keras_genai.modalities.text import Text
    from keras_genai.networks.deep_speech import DeepSpeech2
    from keras_genai.tasks.transcription import CTC

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    network = DeepSpeech2(
        filters=FILTERS,
        kernel_size=KERNEL,
        units=UNITS,
        num_layers=LAYERS,
        dropout=0.0,
    )
    model = CTC(network, Text(vocabulary_size=SYMBOLS), Mel(16_000, 400, 160, BANDS))
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        jit_compile=options.jit,
        steps_per_execution=min(STEPS_PER_EXECUTION, options.steps),
    )
    batch = dict(zip(("mels", "frames", "tokens"), arrays(options), strict=True))
    data = tf.data.Dataset.from_tensor_slices(batch)
    data = data.batch(BATCH, drop_remainder=True).cache().prefetch(2)

    def run():
        model.fit(data, epochs=1, verbose=0, shuffle=False)

    run()
    return run


def torch_side(options):
    import torch
    from torch import nn

    torch.set_num_threads(options.threads)

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            pad = KERNEL // 2
            self.first = nn.Conv1d(BANDS, FILTERS, KERNEL, padding=pad)
            self.second = nn.Conv1d(FILTERS, FILTERS, KERNEL, stride=2, padding=pad)
            self.norms = nn.ModuleList(nn.LayerNorm(FILTERS) for _ in range(2))
            self.gru = nn.GRU(
                FILTERS, UNITS, LAYERS, batch_first=True, bidirectional=True
            )
            self.head = nn.Linear(2 * UNITS, SYMBOLS)

        def forward(self, mels, frames):
            x = mels.transpose(1, 2)
            for convolution, norm in zip(
                (self.first, self.second), self.norms, strict=True
            ):
                x = norm(convolution(x).transpose(1, 2)).relu().transpose(1, 2)
            packed = nn.utils.rnn.pack_padded_sequence(
                x.transpose(1, 2), frames, batch_first=True, enforce_sorted=False
            )
            x, _ = nn.utils.rnn.pad_packed_sequence(self.gru(packed)[0], True)
            return self.head(x)

    model, criterion = Model(), nn.CTCLoss(reduction="none")
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    mels, frames, tokens = map(torch.from_numpy, arrays(options))

    def run():
        for start in range(0, len(mels), BATCH):
            rows = slice(start, start + BATCH)
            counts = (frames[rows] + 1) // 2
            scores = model(mels[rows], counts).log_softmax(-1).transpose(0, 1)
            lengths = (tokens[rows] > 0).sum(1)
            loss = criterion(scores, tokens[rows], counts, lengths).mean()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    run()
    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--jit", action="store_true", help="compile our side with XLA")
    results = alternate.main({"ours": ours, "torch": torch_side}, parser)
    if results and {"ours", "torch"} <= set(results):
        alternate.print_ratio(results, "ours", "torch", 1.0)
