"""Diffusion of scikit-learn's digits, one or two, where a caption says.

Run:       python train.py text_ddpm_digits
           python -m zoo sample text_ddpm_digits --prompt "a three left of a seven"
Goal:      both digits of 80 % of the pictures are read where the caption has them.
"""

import functools

from keras_genai.data import captions
from keras_genai.networks.unet import UNet
from keras_genai.tasks.diffusion import Diffusion
from zoo import _captions, _diffusion
from zoo.entry import Entry, Recipe

STEPS = 5_000
SHOWN = (
    "a three left of a seven",
    "a seven left of a three",
    "a three above a seven",
    "a three below a seven",
    "a bright nine above a dim four",
    "a dim nine above a bright four",
    "a zero right of an eight",
    "a five",
)

entry = Entry(
    task=Diffusion,
    networks=dict(network=UNet),
    given=("tokens",),
    config=dict(
        width=16, multipliers=(1, 2, 4), blocks=1, attention_at=(1, 2), num_heads=4
    ),
    tiny=dict(width=8, multipliers=(1,), attention_at=()),
    source=captions.captioned_digits,
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=_diffusion.adam(steps), jit_compile=False
        ),
        batch_size=64,
        steps=STEPS,
        log_every=100,
        validate_every=500,
    ),
    evaluate=functools.partial(_captions.score, guidance=2.0),
    sample=functools.partial(_captions.draw, prompts=SHOWN, guidance=2.0),
    family="diffusion",
    paper="Rombach et al. 2022, High-Resolution Image Synthesis with Latent Diffusion "
    "Models",
    embedded=True,
)
