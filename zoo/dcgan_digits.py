"""Conditional DCGAN on scikit-learn's digits: a first picture in two minutes.

Run:       python train.py dcgan_digits
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
    given=("labels",),
    config=dict(latent=64, width=48),
    tiny=dict(latent=4, width=4),
    source=images.digits,
    recipe=Recipe(
        compile=lambda steps=6_000: _adversarial.adam(2e-4),
        batch_size=64,
        steps=6_000,
        log_every=200,
    ),
    evaluate=_images.score,
    sample=functools.partial(_images.draw, count=100),
    family="GANs",
    paper="Radford et al. 2016, Unsupervised Representation Learning with Deep "
    "Convolutional Generative Adversarial Networks",
    embedded=True,
)
