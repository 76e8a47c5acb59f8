"""Diffusion of videos of 8 frames: one of scikit-learn's digits, moving.

Run:       python train.py ddpm_video_digits
"""

import functools

from keras_genai.data import video
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
    source=functools.partial(
        video.moving_digits, image_size=16, digit_size=8, fastest=2.0
    ),
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=_diffusion.adam(steps), jit_compile=False
        ),
        batch_size=64,
        steps=STEPS,
        log_every=100,
        validate_every=500,
    ),
    evaluate=functools.partial(_diffusion.score, count=500, pictures=0, guidance=1.5),
    sample=functools.partial(_images.draw, labels=tuple(range(10)), guidance=1.5),
    family="diffusion",
    paper="Ho et al. 2022, Video Diffusion Models",
    embedded=True,
)
