"""Class-conditional diffusion on scikit-learn's digits: a first picture in minutes.

Run:       python train.py ddpm_digits
           python train.py ddpm_digits --data folder:my_pictures --set image_size=32
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
    config=dict(width=32, multipliers=(1, 2, 2), blocks=1, dropout=0.1),
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
    evaluate=functools.partial(_diffusion.score, guidance=1.5),
    sample=functools.partial(_images.draw, count=100, guidance=1.5),
    family="diffusion",
    paper="Ho et al. 2020, Denoising Diffusion Probabilistic Models",
    embedded=True,
)
