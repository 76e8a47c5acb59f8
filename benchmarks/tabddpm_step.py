"""Training step of TabDDPM: ours through `fit`, PyTorch eager and compiled.

Run:  python -m pip install -e ".[bench]" && python benchmarks/tabddpm_step.py
      python benchmarks/tabddpm_step.py --threads 1 --batch 4096 --steps 20

30 columns of numbers and a class that is told; dense layers of 512 and 512, waves of
128 for the noise level; the squared error of the velocity, Adam, float32: forward,
backward and update.
"""

import argparse

import alternate
import fitting

COLUMNS, HIDDEN, WAVES, CLASSES = 30, 512, 128, 2
STEPS_PER_EXECUTION = 50


def batches(options):
    import numpy as np

    draws = np.random.default_rng(0)
    count = options.steps * options.batch
    numbers = draws.normal(size=(count, COLUMNS)).astype("float32")
    return numbers, draws.integers(0, CLASSES, (count, 1)).astype("int32")


def ours(options):
    import keras
    import numpy as np
    import tensorflow as tf

    from keras_genai.modalities import Table
    from keras_genai.networks import TabularDenoiser
    from keras_genai.tasks import TableDiffusion

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    numbers, labels = batches(options)
    columns = {f"x{place}": column for place, column in enumerate(numbers.T[:, :100])}
    columns["y"] = np.array(["no", "yes"])[labels[:100, 0]]
    table = Table.of(columns, target="y")
    network = TabularDenoiser(hidden=(HIDDEN, HIDDEN), waves=WAVES)
    model = TableDiffusion(network, table)
    model.compile(
        optimizer=keras.optimizers.Adam(1e-3),
        jit_compile=not options.graph,
        steps_per_execution=min(STEPS_PER_EXECUTION, options.steps),
    )
    return fitting.rounds(
        model, {"numbers": numbers, "categories": labels}, options.batch
    )


def torch_eager(options):
    import math

    import torch
    from torch import nn
    from torch.nn import functional

    torch.set_num_threads(options.threads)

    class Denoiser(nn.Module):
        def __init__(self):
            super().__init__()
            self.enter = nn.Linear(COLUMNS, HIDDEN)
            self.time = nn.Sequential(
                nn.Linear(WAVES, HIDDEN), nn.SiLU(), nn.Linear(HIDDEN, HIDDEN)
            )
            self.label = nn.Embedding(CLASSES + 1, HIDDEN)
            self.inside = nn.Sequential(
                nn.Linear(HIDDEN, HIDDEN),
                nn.ReLU(),
                nn.Linear(HIDDEN, HIDDEN),
                nn.ReLU(),
                nn.Linear(HIDDEN, COLUMNS),
            )
            exponents = torch.arange(WAVES // 2) / (WAVES // 2)
            self.register_buffer("frequencies", torch.exp(-math.log(1e4) * exponents))

        def forward(self, noisy, time, labels):
            angles = 1000 * time[:, None] * self.frequencies
            waves = torch.cat([angles.sin(), angles.cos()], dim=1)
            told = self.time(waves) + self.label(labels)
            return self.inside(self.enter(noisy) + told)

    model = Denoiser()
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    numbers, labels = (torch.from_numpy(part) for part in batches(options))
    labels = labels[:, 0]

    def loss_of(rows, classes):
        noise = torch.randn_like(rows)
        places = torch.arange(len(rows)) + torch.rand(())
        time = places / len(rows)
        angle = (0.5 * math.pi * time)[:, None]
        alpha, sigma = angle.cos(), angle.sin()
        said = model(alpha * rows + sigma * noise, time, classes)
        return functional.mse_loss(said, alpha * noise - sigma * rows)

    if options.side == "torch_compiled":
        loss_of = torch.compile(loss_of)

    def run():
        parts = numbers.split(options.batch), labels.split(options.batch)
        for rows, classes in zip(*parts, strict=True):
            loss = loss_of(rows, classes)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()

    run()
    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=256, help="rows a step")
    parser.add_argument("--graph", action="store_true", help="ours without XLA")
    parser.set_defaults(steps=100)
    sides = {"ours": ours, "torch_eager": torch_eager, "torch_compiled": torch_eager}
    results = alternate.main(sides, parser)
    for name in sides:
        if results and name != "ours" and name in results:
            alternate.print_ratio(results, "ours", name, 0.9)
