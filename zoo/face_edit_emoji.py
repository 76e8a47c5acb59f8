"""Edits of emoji people: another skin tone, gender or hair, by diffusion.

Run:       python train.py face_edit_emoji --data-dir FOLDER
           python -m zoo edit face_edit_emoji face.png --to "dark skin tone"
Goal:      half the error of the picture as it was, of motifs that never train.
"""

import functools

from keras_genai.data.emoji_edits import emoji_edits
from keras_genai.networks.unet import UNet
from keras_genai.schedules import StraightPath
from keras_genai.tasks.diffusion import Diffusion
from keras_genai.tasks.predictions import Clean, Uniform
from zoo import _diffusion, _edits
from zoo.entry import Entry, Recipe

STEPS = 10_000
BEST = dict(steps=1)  # the mean of what may be meant has the least error

entry = Entry(
    task=Diffusion,
    networks=dict(network=UNet),
    given=("labels", "condition"),
    config=dict(
        width=16,
        multipliers=(1, 2, 4),
        blocks=1,
        schedule=StraightPath(shift=8.0),
        prediction=Clean(),
        weighting=Uniform(),
        label_dropout=0.0,
    ),
    tiny=dict(width=8, multipliers=(1,)),
    source=emoji_edits,
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=_diffusion.adam(steps), jit_compile=False
        ),
        batch_size=16,
        steps=STEPS,
        log_every=100,
        validate_every=1_000,
    ),
    evaluate=functools.partial(_edits.score, **BEST),
    sample=functools.partial(_edits.show, source=emoji_edits, **BEST),
    family="diffusion",
    paper="Saharia et al. 2022, Palette: Image-to-Image Diffusion Models",
    notes="It learned from emoji, and of people in photographs it knows nothing. "
    + _edits.CONSENT,
)
