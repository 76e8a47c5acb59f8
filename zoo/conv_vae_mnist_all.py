"""Convolutional VAE of Keras.io's example: all 70,000 pictures of MNIST train.

Run:       python train.py conv_vae_mnist_all --data-dir FOLDER
Reference: total 146.95, the mean over epoch 30 on the training data. The last line of
           log.jsonl is that mean; `training_loss` is the final weights', a little
           lower. No picture is held out; vae_mnist has figures of unseen ones.
"""

import functools

import keras

from keras_genai.data import images
from keras_genai.likelihoods import Bernoulli
from keras_genai.networks.vae import ConvolutionalAutoencoder
from keras_genai.tasks.variational import VAE, EvidenceBound
from zoo import _images, _variational
from zoo.entry import Entry, Recipe

EPOCH = 546  # batches of 128 in 70,000 pictures

entry = Entry(
    task=VAE,
    networks=dict(network=ConvolutionalAutoencoder),
    config=dict(latent_size=2, likelihood=Bernoulli(), objective=EvidenceBound()),
    tiny=dict(filters=(2, 2), hidden=4),
    source=functools.partial(images.mnist, validation=0, everything=True),
    recipe=Recipe(
        compile=lambda steps=30 * EPOCH: dict(
            optimizer=keras.optimizers.Adam(1e-3), jit_compile=False
        ),
        batch_size=128,
        steps=30 * EPOCH,
        log_every=EPOCH,
    ),
    evaluate=_variational.score_on_training,
    sample=functools.partial(_images.draw, count=64),
    family="VAEs and codecs",
    paper="Kingma & Welling 2014, Auto-Encoding Variational Bayes",
    reference="146.95, mean of epoch 30 on the training data (keras.io, VAE example)",
)
