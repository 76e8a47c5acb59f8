"""Convolutional VAE with two latents on MNIST's 60,000 training pictures.

Run:       python train.py conv_vae_mnist --data-dir FOLDER
Reference: none held out; see conv_vae_mnist_all for Keras.io's own protocol.
"""

import functools

import keras

from keras_genai.data import images
from keras_genai.likelihoods import Bernoulli
from keras_genai.networks.vae import ConvolutionalAutoencoder
from keras_genai.tasks.variational import VAE, EvidenceBound
from zoo import _images, _variational
from zoo.entry import Entry, Recipe

EPOCH = 468  # batches of 128 in 60,000 pictures

entry = Entry(
    task=VAE,
    networks=dict(network=ConvolutionalAutoencoder),
    config=dict(latent_size=2, likelihood=Bernoulli(), objective=EvidenceBound()),
    tiny=dict(filters=(2, 2), hidden=4),
    source=functools.partial(images.mnist, validation=0),
    recipe=Recipe(
        compile=lambda steps=30 * EPOCH: dict(
            optimizer=keras.optimizers.Adam(1e-3), jit_compile=False
        ),
        batch_size=128,
        steps=30 * EPOCH,
        log_every=EPOCH,
        validate_every=5 * EPOCH,
    ),
    evaluate=functools.partial(_variational.score, samples=16, count=2_000),
    sample=functools.partial(_images.draw, count=64),
    family="VAEs and codecs",
    paper="Kingma & Welling 2014, Auto-Encoding Variational Bayes",
)
