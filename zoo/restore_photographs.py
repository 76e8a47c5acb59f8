"""Denoising of scikit-learn's two photographs, by diffusion.

Run:       python train.py restore_photographs
Goal:      3 dB PSNR above the better of copying and a median filter.
"""

import functools

from keras_genai.data import damage, images
from keras_genai.data.augmentation import Flip
from keras_genai.networks.unet import UNet
from keras_genai.tasks.diffusion import Diffusion
from keras_genai.tasks.predictions import Clean, Uniform
from zoo import _diffusion
from zoo.entry import Entry, Recipe

STEPS = 2_000
SOURCE = functools.partial(
    images.photographs, condition=damage.Noise(0.2), augment=Flip()
)
BEST = dict(steps=1, draws=4)  # the mean of what may be meant has the least error
SHARP = dict(steps=20)

entry = Entry(
    task=Diffusion,
    networks=dict(network=UNet),
    given=("condition",),
    config=dict(
        width=32,
        multipliers=(1, 2, 2),
        blocks=1,
        prediction=Clean(),
        weighting=Uniform(),
    ),
    tiny=dict(width=8, multipliers=(1,)),
    source=SOURCE,
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=_diffusion.adam(steps), jit_compile=False
        ),
        batch_size=32,
        steps=STEPS,
        precision="mixed_bfloat16",
        log_every=100,
        validate_every=2_000,
    ),
    evaluate=functools.partial(_diffusion.score_restoration, **BEST),
    sample=functools.partial(_diffusion.show_restored, source=SOURCE, **SHARP),
    family="diffusion",
    paper="Saharia et al. 2022, Palette: Image-to-Image Diffusion Models",
    embedded=True,
)
