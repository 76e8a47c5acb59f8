"""Diffusion of furniture made of 256 points, by captions that count its legs.

Run:       python train.py points_furniture
           python -m zoo sample points_furniture --prompt "a stool with three legs"
               --count 4 --out stools.ply
Goal:      90 % of the pieces stand on as many legs as their captions say, which are of
           designs that never train.
"""

import functools

from keras_genai.data.furniture import furniture
from keras_genai.networks.point_denoiser import PointDenoiser
from keras_genai.schedules import KarrasNoise
from keras_genai.tasks.diffusion import Diffusion
from keras_genai.tasks.predictions import Preconditioned, Uniform
from zoo import _diffusion, _furniture
from zoo.entry import Entry, Recipe

STEPS = 8_000
GUIDANCE = 1.0

entry = Entry(
    task=Diffusion,
    networks=dict(network=PointDenoiser),
    given=("tokens",),
    config=dict(
        depth=3,
        width=64,
        token_width=128,
        num_heads=4,
        num_tokens=16,
        # Most of a point's error is where on its surface it was, which nobody can know.
        # What can be learned of a piece shows at noise as wide as a leg.
        schedule=KarrasNoise(smallest=0.005, largest=20.0, mean=-1.7, deviation=1.3),
        prediction=Preconditioned(deviation=0.4),
        weighting=Uniform(),
    ),
    tiny=dict(depth=1, width=8, token_width=12, num_heads=2, num_tokens=3),
    source=functools.partial(furniture, points=256),
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=_diffusion.adam(steps, rate=1.5e-3), jit_compile=False
        ),
        batch_size=16,
        steps=STEPS,
        log_every=100,
        validate_every=1_000,
    ),
    evaluate=functools.partial(_furniture.score, guidance=GUIDANCE),
    sample=functools.partial(_furniture.draw, guidance=GUIDANCE),
    family="diffusion",
    paper="Luo & Hu 2021, Diffusion Probabilistic Models for 3D Point Cloud Generation",
    embedded=True,
    notes="Its furniture is of boxes and cylinders that a program put together: it has "
    "never seen a real chair.",
)
