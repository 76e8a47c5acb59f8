"""Training step of a DCGAN, both networks: ours through `fit`, PyTorch eager.

Run:  python -m pip install -e ".[bench]" && python benchmarks/dcgan_step.py

32x32x3 pictures, kernels of 4 with stride 2, 64 to 256 channels, batch normalisation,
batch 64, two Adams, non-saturating loss, float32. `--precision mixed_bfloat16` adds
half precision on both sides.
"""

import argparse
import contextlib

import alternate
import fitting

BATCH, SIDE, LATENT, WIDTH = 64, 32, 100, 64
STEPS_PER_EXECUTION = 5


def batches(steps):
    import numpy as np

    shape = (steps * BATCH, SIDE, SIDE, 3)
    return np.random.default_rng(0).random(shape, dtype="float32")


def ours(options):
    import keras
    import tensorflow as tf

    from keras_genai.modalities import Image
    from keras_genai.networks import DCGANDiscriminator, DCGANGenerator
    from keras_genai.tasks import GAN

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    model = GAN(
        DCGANGenerator(latent=LATENT, width=WIDTH),
        DCGANDiscriminator(width=WIDTH),
        Image((SIDE, SIDE, 3)),
        dtype=options.precision,
    )
    model.compile(
        generator_optimizer=keras.optimizers.Adam(2e-4, 0.5),
        discriminator_optimizer=keras.optimizers.Adam(2e-4, 0.5),
        jit_compile=False,
        steps_per_execution=min(STEPS_PER_EXECUTION, options.steps),
    )
    return fitting.rounds(model, {"images": batches(options.steps)}, BATCH)


def torch_eager(options):
    import torch
    from torch import nn
    from torch.nn import functional

    torch.set_num_threads(options.threads)
    generator = nn.Sequential(
        nn.Linear(LATENT, 4 * WIDTH * 16, bias=False),
        nn.Unflatten(1, (4 * WIDTH, 4, 4)),
        nn.BatchNorm2d(4 * WIDTH),
        nn.ReLU(),
        nn.ConvTranspose2d(4 * WIDTH, 2 * WIDTH, 4, 2, 1, bias=False),
        nn.BatchNorm2d(2 * WIDTH),
        nn.ReLU(),
        nn.ConvTranspose2d(2 * WIDTH, WIDTH, 4, 2, 1, bias=False),
        nn.BatchNorm2d(WIDTH),
        nn.ReLU(),
        nn.ConvTranspose2d(WIDTH, 3, 4, 2, 1),
        nn.Tanh(),
    )
    discriminator = nn.Sequential(
        nn.Conv2d(3, WIDTH, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(WIDTH, 2 * WIDTH, 4, 2, 1, bias=False),
        nn.BatchNorm2d(2 * WIDTH),
        nn.LeakyReLU(0.2),
        nn.Conv2d(2 * WIDTH, 4 * WIDTH, 4, 2, 1, bias=False),
        nn.BatchNorm2d(4 * WIDTH),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(4 * WIDTH * 16, 1),
    )
    adam = torch.optim.Adam
    for_generator = adam(generator.parameters(), 2e-4, (0.5, 0.999))
    for_discriminator = adam(discriminator.parameters(), 2e-4, (0.5, 0.999))
    images = torch.from_numpy(batches(options.steps)).permute(0, 3, 1, 2).contiguous()
    precision = contextlib.nullcontext()
    if options.precision == "mixed_bfloat16":
        precision = torch.autocast("cpu", torch.bfloat16)

    def run():
        for batch in images.split(BATCH):
            with precision:
                fake = generator(torch.randn(BATCH, LATENT))
                real_score = discriminator(2 * batch - 1).float()
                fake_score = discriminator(fake.detach()).float()
            loss = (
                functional.softplus(-real_score) + functional.softplus(fake_score)
            ).mean()
            for_discriminator.zero_grad()
            loss.backward()
            for_discriminator.step()
            with precision:
                score = discriminator(fake).float()
            loss = functional.softplus(-score).mean()
            for_generator.zero_grad()
            loss.backward()
            for_generator.step()

    run()
    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument(
        "--precision", default="float32", choices=("float32", "mixed_bfloat16")
    )
    results = alternate.main({"ours": ours, "torch_eager": torch_eager}, parser)
    if results and len(results) == 3:
        alternate.print_ratio(results, "ours", "torch_eager", 0.9)
