"""Photographs without their noise, of a scene that was not trained on, by diffusion.

Run:       python train.py restore_photographs
Goal:      nearer to the truth than BM3D, which is told how strong the noise is. It is
           not reached.
Compare:   python benchmarks/restoration.py restore_photographs FOLDER

Of scikit-learn's two photographs the temple trains and the flower tests. The noise is
not clipped: clipped noise has another mean where a picture is dark, which a network
learns and a filter does not know. Nearness, turns, mirrors, other colours and another
brightness make more scenes of the one. Nearly all steps are at so much noise of the
diffusion that the noisy photograph says more: the picture is seen in one step.
"""

import functools

from keras_genai.data import damage, images
from keras_genai.data.augmentation import (
    Brightness,
    ChannelShuffle,
    Contrast,
    Flip,
    Rotate90,
    Zoom,
)
from keras_genai.networks.unet import UNet
from keras_genai.schedules import StraightPath
from keras_genai.tasks.diffusion import Diffusion
from keras_genai.tasks.predictions import Clean, Uniform
from zoo import _diffusion
from zoo.entry import Entry, Recipe

STEPS = 6_000
SOURCE = functools.partial(
    images.photographs,
    image_size=64,
    test="flower",
    condition=damage.Noise(0.2, clip=False),
    augment=[
        Zoom(4.0),
        Flip(),
        Rotate90(),
        ChannelShuffle(),
        Contrast(0.5),
        Brightness(0.2),
    ],
)
BEST = dict(steps=1, draws=4)  # the mean of what may be meant has the least error

entry = Entry(
    task=Diffusion,
    networks=dict(network=UNet),
    given=("condition",),
    config=dict(
        width=16,
        multipliers=(1, 2, 4, 4),
        blocks=1,
        schedule=StraightPath(shift=8.0),
        prediction=Clean(),
        weighting=Uniform(),
    ),
    tiny=dict(width=8, multipliers=(1, 1, 1)),
    source=SOURCE,
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=_diffusion.adam(steps), jit_compile=False
        ),
        batch_size=4,
        steps=STEPS,
        log_every=100,
        validate_every=500,
    ),
    evaluate=functools.partial(_diffusion.score_restoration, **BEST),
    sample=functools.partial(_diffusion.show_restored, source=SOURCE, **BEST),
    family="diffusion",
    paper="Saharia et al. 2022, Palette: Image-to-Image Diffusion Models",
    embedded=True,
)
