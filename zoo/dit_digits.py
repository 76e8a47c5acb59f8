"""Diffusion transformer on scikit-learn's digits, asked for a digit by its class.

Run:       python train.py dit_digits
"""

import functools

from keras_genai.data import images
from keras_genai.networks.dit import DiT
from keras_genai.tasks.diffusion import Diffusion
from zoo import _diffusion, _images
from zoo.entry import Entry, Recipe

STEPS = 5_000

entry = Entry(
    task=Diffusion,
    networks=dict(network=DiT),
    given=("labels",),
    config=dict(patch=2, depth=4, width=128, num_heads=4, dropout=0.1),
    tiny=dict(depth=1, width=8, num_heads=2),
    source=images.digits,
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=_diffusion.adam(steps), jit_compile=True
        ),
        batch_size=64,
        steps=STEPS,
        log_every=100,
        validate_every=1_000,
    ),
    evaluate=functools.partial(_diffusion.score, guidance=1.5),
    sample=functools.partial(_images.draw, count=100, guidance=1.5),
    family="diffusion",
    paper="Peebles & Xie 2023, Scalable Diffusion Models with Transformers",
    embedded=True,
)
