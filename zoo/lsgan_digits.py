"""Least-squares GAN on scikit-learn's digits.

Run:       python train.py lsgan_digits
"""

import functools

from keras_genai.data import images
from keras_genai.losses import LeastSquares
from keras_genai.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from keras_genai.tasks.gan import GAN
from zoo import _adversarial, _images
from zoo.entry import Entry, Recipe

entry = Entry(
    task=GAN,
    networks=dict(generator=DCGANGenerator, discriminator=DCGANDiscriminator),
    config=dict(latent=64, width=48, loss=LeastSquares()),
    tiny=dict(latent=4, width=4),
    source=images.digits,
    recipe=Recipe(
        compile=lambda steps=6_000: _adversarial.adam(2e-4),
        batch_size=64,
        steps=6_000,
        log_every=200,
    ),
    evaluate=_images.score,
    sample=functools.partial(_images.draw, count=64),
    family="GANs",
    paper="Mao et al. 2017, Least Squares Generative Adversarial Networks",
    embedded=True,
)
