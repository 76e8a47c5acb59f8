"""VQ-VAE on scikit-learn's digits: 4 x 4 codes of 64.

Run:       python train.py vqvae_digits
"""

import functools

import keras

from keras_genai.data import images
from keras_genai.networks.vqvae import QuantizedAutoencoder
from keras_genai.tasks.codec import VQVAE
from zoo import _variational
from zoo.entry import Entry, Recipe

SOURCE = images.digits

entry = Entry(
    task=VQVAE,
    networks=dict(network=QuantizedAutoencoder),
    config=dict(num_codes=64, latent_size=8, filters=(64,), data_variance=0.1416),
    tiny=dict(filters=(2,), num_codes=4, latent_size=2),
    source=SOURCE,
    recipe=Recipe(
        compile=lambda steps=3_000: dict(
            optimizer=keras.optimizers.Adam(
                keras.optimizers.schedules.CosineDecay(1e-3, steps)
            ),
            jit_compile=False,
        ),
        batch_size=64,
        steps=3_000,
        log_every=100,
        validate_every=500,
    ),
    evaluate=_variational.score_codes,
    sample=functools.partial(_variational.reconstruct, source=SOURCE),
    family="VAEs and codecs",
    paper="van den Oord et al. 2017, Neural Discrete Representation Learning",
    embedded=True,
)
