"""pix2pix from outlines to emoji, 32 x 32.

Run:       python train.py sketch_emoji --data-dir FOLDER
           python -m zoo edit sketch_emoji drawing.png
Goal:      nearer to the truth than the picture of the nearest sketch that trains.
"""

import functools

from keras_genai.data.emoji_sketches import emoji_sketches
from keras_genai.data.pairs import Edges
from keras_genai.networks.patchgan import PatchDiscriminator
from keras_genai.networks.pix2pix import Pix2PixGenerator
from keras_genai.tasks.paired import Pix2Pix
from zoo import _adversarial, _edits, _sketches
from zoo.entry import Entry, Recipe

SOURCE = functools.partial(emoji_sketches, condition=Edges())

entry = Entry(
    task=Pix2Pix,
    networks=dict(generator=Pix2PixGenerator, discriminator=PatchDiscriminator),
    given=("condition",),
    config=dict(width=24),
    tiny=dict(width=2),
    source=SOURCE,
    recipe=Recipe(
        compile=lambda steps=6_000: _adversarial.adam(2e-4),
        batch_size=16,
        steps=6_000,
        log_every=100,
        validate_every=1_000,
    ),
    evaluate=_sketches.score,
    sample=functools.partial(_sketches.show, source=SOURCE),
    reads=_sketches.white_on_black,
    family="GANs",
    paper="Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial "
    "Networks",
    notes="It learned from outlines of emoji, which do not say what colours are: it "
    "guesses. " + _edits.CONSENT,
)
