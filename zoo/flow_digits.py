"""Flow matching on scikit-learn's digits: straight paths from noise to pictures.

Run:       python train.py flow_digits
"""

import functools

from keras_genai.data import images
from keras_genai.networks.unet import UNet
from keras_genai.samplers.diffusion import Euler
from keras_genai.schedules import StraightPath
from keras_genai.tasks.diffusion import Diffusion
from keras_genai.tasks.predictions import Flow, Uniform
from zoo import _diffusion, _images
from zoo.entry import Entry, Recipe

STEPS = 3_000

entry = Entry(
    task=Diffusion,
    networks=dict(network=UNet),
    given=("labels",),
    config=dict(
        width=32,
        multipliers=(1, 2, 2),
        blocks=1,
        dropout=0.1,
        schedule=StraightPath(),
        prediction=Flow(),
        weighting=Uniform(),
    ),
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
    evaluate=functools.partial(_diffusion.score, guidance=1.5, sampler=Euler()),
    sample=functools.partial(
        _images.draw, count=100, guidance=1.5, sampler=Euler(), steps=50
    ),
    family="diffusion",
    paper="Lipman et al. 2023, Flow Matching for Generative Modeling",
    embedded=True,
)
