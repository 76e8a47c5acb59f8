"""GPT over the codes of vqvae_digits, asked for a digit by its class.

Run: python train.py gpt_prior_digits

The codes are those of the vqvae_digits that ships, unless one was trained here.
"""

import functools

import keras

from keras_genai.data import images
from keras_genai.networks.gpt import GPT
from keras_genai.tasks.prior import SequencePrior
from zoo import _images, _variational
from zoo.entry import Entry, Recipe

STEPS = 2_000

entry = Entry(
    task=SequencePrior,
    networks=dict(network=GPT),
    given=("labels",),
    config=dict(width=64, depth=2, num_heads=4, dropout=0.2),
    tiny=dict(width=8, depth=1, num_heads=2),
    source=images.digits,
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=keras.optimizers.Adam(
                keras.optimizers.schedules.CosineDecay(1e-3, steps)
            ),
            jit_compile=True,
        ),
        batch_size=64,
        steps=STEPS,
        log_every=100,
        validate_every=500,
        keep_best=True,
    ),
    evaluate=_variational.score_prior,
    sample=functools.partial(_images.draw, count=64),
    family="autoregressive pictures",
    paper="van den Oord et al. 2017, Neural Discrete Representation Learning",
    parts=dict(codec="vqvae_digits"),
    embedded=True,
)
