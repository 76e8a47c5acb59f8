"""WaveNet of 20 layers, 4 crops of 4,096 samples: ours, and the paper's in PyTorch.

Run:  python -m pip install -e ".[bench]"
      python benchmarks/wavenet_step.py --steps 3
      python benchmarks/wavenet_step.py --steps 3 --sides ours,ours_xla,torch

A training step is the cross-entropy of 256 codes, Adam at 1e-3, in float32; ours
through `fit`. The peer is written here, because no maintained package has one: the same
layers and sizes, `torch.nn.Conv1d` with dilation.
"""

import alternate
import fitting

DILATIONS = tuple(2**power for power in range(10)) * 2
RESIDUAL, GATE, SKIP, LEVELS = 32, 64, 128, 256
BATCH, CROP = 4, 4_096


def codes(count):
    import numpy as np

    return np.random.default_rng(0).integers(0, LEVELS, (count, CROP))


def ours(options):
    import keras
    import tensorflow as tf

    from keras_genai.likelihoods import MuLaw
    from keras_genai.modalities import Audio
    from keras_genai.networks import WaveNet
    from keras_genai.tasks import WaveformModel

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    network = WaveNet(dilations=DILATIONS, residual=RESIDUAL, gate=GATE, skip=SKIP)
    model = WaveformModel(network, Audio(8_000, length=CROP))
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=options.side == "ours_xla")
    waves = MuLaw().waves(codes(BATCH * options.steps)).numpy()
    return fitting.rounds(model, {"waves": waves}, BATCH)


def torch_network():
    """The network of the paper, as its figure 4 has it."""
    import torch
    from torch import nn

    class Block(nn.Module):
        def __init__(self, dilation):
            super().__init__()
            self.reach = dilation
            self.convolution = nn.Conv1d(RESIDUAL, GATE, 2, dilation=dilation)
            self.output = nn.Conv1d(GATE // 2, RESIDUAL + SKIP, 1)

        def forward(self, x):
            said, opened = self.convolution(
                nn.functional.pad(x, (self.reach, 0))
            ).chunk(2, dim=1)
            both = self.output(torch.tanh(said) * torch.sigmoid(opened))
            return x + both[:, :RESIDUAL], both[:, RESIDUAL:]

    class Network(nn.Module):
        def __init__(self):
            super().__init__()
            self.codes = nn.Embedding(LEVELS, RESIDUAL)
            self.blocks = nn.ModuleList(Block(dilation) for dilation in DILATIONS)
            self.first = nn.Conv1d(SKIP, SKIP, 1)
            self.second = nn.Conv1d(SKIP, LEVELS, 1)

        def forward(self, codes):
            x, total = self.codes(codes).transpose(1, 2), 0
            for block in self.blocks:
                x, skipped = block(x)
                total = total + skipped
            total = torch.relu(total / len(DILATIONS) ** 0.5)
            return self.second(torch.relu(self.first(total)))

    return Network()


def torch_eager(options):
    import torch

    torch.set_num_threads(options.threads)
    model = torch_network()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    rows = torch.from_numpy(codes(BATCH * options.steps))

    def run():
        for batch in rows.split(BATCH):
            before = torch.nn.functional.pad(batch[:, :-1], (1, 0), value=LEVELS // 2)
            loss = torch.nn.functional.cross_entropy(model(before), batch)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    run()
    return run


if __name__ == "__main__":
    results = alternate.main({"ours": ours, "ours_xla": ours, "torch": torch_eager})
    if results and len(results) == 4:
        alternate.print_ratio(results, "ours", "torch", 1.1)
        alternate.print_ratio(results, "ours", "ours_xla", 0.5)
