"""Latent diffusion on scikit-learn's digits, over the latents of vqvae_digits.

Run: python train.py latent_ddpm_digits

The latents are those of the vqvae_digits that ships, unless one was trained here.
"""

import functools

from keras_genai.data import images
from keras_genai.networks.unet import UNet
from keras_genai.tasks.diffusion import Diffusion
from zoo import _diffusion, _images
from zoo.entry import Entry, Recipe

STEPS = 3_000

entry = Entry(
    task=Diffusion,
    networks=dict(network=UNet),
    given=("labels",),
    config=dict(width=48, multipliers=(1, 2), blocks=1),
    tiny=dict(width=8, multipliers=(1,)),
    source=images.digits,
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=_diffusion.adam(steps), jit_compile=False
        ),
        batch_size=64,
        steps=STEPS,
        log_every=100,
        validate_every=500,
    ),
    evaluate=functools.partial(_diffusion.score, pictures=0, guidance=1.5),
    sample=functools.partial(_images.draw, count=100, guidance=1.5),
    family="diffusion",
    paper="Rombach et al. 2022, High-Resolution Image Synthesis with Latent Diffusion "
    "Models",
    parts=dict(codec="vqvae_digits"),
    embedded=True,
)
