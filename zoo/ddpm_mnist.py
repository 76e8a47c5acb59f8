"""Class-conditional diffusion on MNIST: v-prediction, cosine schedule, min-SNR.

Run:       python train.py ddpm_mnist --data-dir FOLDER
Goal:      a classifier reads the digit that was asked for 97 % of the time.
"""

import functools

from keras_genai.data import images
from keras_genai.networks.unet import UNet
from keras_genai.schedules import CosineNoise
from keras_genai.tasks.diffusion import Diffusion
from keras_genai.tasks.predictions import MinSNR, Velocity
from zoo import _diffusion, _images
from zoo.entry import Entry, Recipe

STEPS = 7_000

entry = Entry(
    task=Diffusion,
    networks=dict(network=UNet),
    given=("labels",),
    config=dict(
        width=32,
        multipliers=(1, 2, 2),
        blocks=1,
        num_heads=1,
        schedule=CosineNoise(),
        prediction=Velocity(),
        weighting=MinSNR(),
    ),
    tiny=dict(width=8, multipliers=(1,)),
    source=images.mnist,
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=_diffusion.adam(steps), jit_compile=False
        ),
        batch_size=64,
        steps=STEPS,
        precision="mixed_bfloat16",
        log_every=100,
        validate_every=3_500,
    ),
    evaluate=functools.partial(_diffusion.score, guidance=1.5),
    sample=functools.partial(_images.draw, count=100, guidance=1.5),
    family="diffusion",
    paper="Ho et al. 2020, Denoising Diffusion Probabilistic Models; Hang et al. 2023, "
    "Efficient Diffusion Training via Min-SNR Weighting Strategy",
)
