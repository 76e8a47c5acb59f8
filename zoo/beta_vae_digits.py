"""Beta-VAE on scikit-learn's digits: each latent means one thing, at some blur.

Run:       python train.py beta_vae_digits
           python train.py beta_vae_digits --set objective.beta=8.0
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
    config=dict(
        latent_size=8,
        hidden=(256, 128),
        likelihood=Bernoulli(),
        objective=EvidenceBound(beta=2.0, warm_up=1_000),
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
    sample=functools.partial(_images.draw, count=64),
    plot=functools.partial(_variational.show_latents, source=images.digits),
    family="VAEs and codecs",
    paper="Higgins et al. 2017, beta-VAE: Learning Basic Visual Concepts with a "
    "Constrained Variational Framework",
    embedded=True,
)
