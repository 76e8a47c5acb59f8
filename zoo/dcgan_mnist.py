"""DCGAN on MNIST, without labels.

Run:       python train.py dcgan_mnist --data-dir FOLDER_WITH_MNIST
"""

import functools

from keras_genai.data import images
from keras_genai.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from keras_genai.tasks.gan import GAN
from zoo import _adversarial, _images
from zoo.entry import Entry, Recipe

entry = Entry(
    task=GAN,
    networks=dict(generator=DCGANGenerator, discriminator=DCGANDiscriminator),
    config=dict(latent=100, width=64),
    tiny=dict(latent=4, width=4),
    source=images.mnist,
    recipe=Recipe(
        compile=lambda steps=10_000: _adversarial.adam(2e-4),
        batch_size=64,
        steps=10_000,
        log_every=200,
    ),
    evaluate=_images.score,
    sample=functools.partial(_images.draw, count=64),
    family="GANs",
    paper="Radford et al. 2016, Unsupervised Representation Learning with Deep "
    "Convolutional Generative Adversarial Networks",
)
