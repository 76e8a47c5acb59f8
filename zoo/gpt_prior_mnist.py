"""GPT over the codes of vqvae_mnist, asked for a digit by its class.

Run:       python train.py vqvae_mnist --data-dir FOLDER
           python train.py gpt_prior_mnist --data-dir FOLDER
Reference: 1.0336 nats a code by a PixelCNN on validation pictures (keras.io).
"""

import functools

import keras

from keras_genai.data import images
from keras_genai.networks.gpt import GPT
from keras_genai.schedules import warmup_cosine
from keras_genai.tasks.prior import SequencePrior
from zoo import _images, _variational
from zoo.entry import Entry, Recipe

EPOCH = 468  # batches of 128 in 60,000 pictures
STEPS = 8 * EPOCH

entry = Entry(
    task=SequencePrior,
    networks=dict(network=GPT),
    given=("labels",),
    config=dict(width=96, depth=3, num_heads=4, dropout=0.05),
    tiny=dict(width=8, depth=1, num_heads=2),
    source=functools.partial(images.mnist, validation=0),
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=keras.optimizers.Adam(warmup_cosine(2e-3, 200, steps, 0.0)),
            jit_compile=True,
        ),
        batch_size=128,
        steps=STEPS,
        log_every=EPOCH,
        validate_every=2 * EPOCH,
        keep_best=False,
    ),
    evaluate=_variational.score_prior,
    sample=functools.partial(_images.draw, count=64),
    family="autoregressive pictures",
    paper="van den Oord et al. 2017, Neural Discrete Representation Learning",
    parts=dict(codec="vqvae_mnist"),
    reference="1.0336 nats a code, validation (keras.io, VQ-VAE example)",
)
