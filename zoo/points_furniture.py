"""Diffusion of furniture made of 512 points, by captions that count its legs.

Run:       python train.py points_furniture
           python -m zoo sample points_furniture --prompt "a stool with three legs"
               --count 4 --out stools.ply
Goal:      90 % of the pieces stand on as many legs as their captions say, which are of
           designs that never train.
"""

import functools

from keras_genai.data.furniture import furniture
from keras_genai.networks.point_denoiser import PointDenoiser
from keras_genai.tasks.diffusion import Diffusion
from zoo import _diffusion, _furniture
from zoo.entry import Entry, Recipe

STEPS = 20_000
GUIDANCE = 2.0

entry = Entry(
    task=Diffusion,
    networks=dict(network=PointDenoiser),
    given=("tokens",),
    config=dict(depth=4, width=128, num_heads=4, num_tokens=32),
    tiny=dict(depth=1, width=8, num_heads=2, num_tokens=3),
    source=furniture,
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=_diffusion.adam(steps), jit_compile=True
        ),
        batch_size=64,
        steps=STEPS,
        log_every=100,
        validate_every=2_000,
    ),
    evaluate=functools.partial(_furniture.score, guidance=GUIDANCE),
    sample=functools.partial(_furniture.draw, guidance=GUIDANCE),
    family="diffusion",
    paper="Luo & Hu 2021, Diffusion Probabilistic Models for 3D Point Cloud Generation",
    embedded=True,
    notes="Its furniture is of boxes and cylinders that a program put together: it has "
    "never seen a real chair.",
)
