"""Conditional VAE on scikit-learn's digits: it draws the digit it is asked for.

Run:       python train.py cvae_digits
"""

import functools

import keras

from keras_genai.data import images
from keras_genai.likelihoods import Bernoulli
from keras_genai.networks.vae import DenseAutoencoder
from keras_genai.tasks.variational import VAE, EvidenceBound
from zoo import _images, _variational
from zoo.entry import Entry, Recipe

entry = Entry(
    task=VAE,
    networks=dict(network=DenseAutoencoder),
    given=("labels",),
    config=dict(
        latent_size=8,
        hidden=(256, 128),
        likelihood=Bernoulli(),
        objective=EvidenceBound(),
    ),
    tiny=dict(hidden=(8,), latent_size=2),
    source=images.digits,
    recipe=Recipe(
        compile=lambda steps=6_000: dict(
            optimizer=keras.optimizers.Adam(
                keras.optimizers.schedules.CosineDecay(1e-3, steps)
            ),
            jit_compile=True,
        ),
        batch_size=64,
        steps=6_000,
        log_every=200,
        validate_every=1_000,
    ),
    evaluate=_variational.score,
    sample=functools.partial(_images.draw, count=100),
    plot=functools.partial(_variational.show_latents, source=images.digits),
    family="VAEs and codecs",
    paper="Sohn et al. 2015, Learning Structured Output Representation using Deep "
    "Conditional Generative Models",
    embedded=True,
)
