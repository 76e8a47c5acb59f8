"""pix2pix from outlines to scikit-learn's digits, 32 x 32.

Run:       python train.py pix2pix_digits
"""

import functools

from keras_genai.data import images
from keras_genai.data.pairs import Edges
from keras_genai.networks.patchgan import PatchDiscriminator
from keras_genai.networks.pix2pix import Pix2PixGenerator
from keras_genai.tasks.paired import Pix2Pix
from zoo import _adversarial
from zoo.entry import Entry, Recipe

SOURCE = functools.partial(images.digits, image_size=32, condition=Edges())

entry = Entry(
    task=Pix2Pix,
    networks=dict(generator=Pix2PixGenerator, discriminator=PatchDiscriminator),
    given=("condition",),
    config=dict(width=24),
    tiny=dict(width=2),
    source=SOURCE,
    recipe=Recipe(
        compile=lambda steps=3_000: _adversarial.adam(2e-4),
        batch_size=16,
        steps=3_000,
        log_every=100,
    ),
    evaluate=_adversarial.score_translation,
    sample=functools.partial(_adversarial.translate, source=SOURCE),
    family="GANs",
    paper="Isola et al. 2017, Image-to-Image Translation with Conditional Adversarial "
    "Networks",
    embedded=True,
)
