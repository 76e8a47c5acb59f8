"""Wasserstein GAN with gradient penalty on scikit-learn's digits.

Run:       python train.py wgan_gp_digits
"""

import functools

from keras_genai.data import images
from keras_genai.losses import GradientPenalty, Wasserstein
from keras_genai.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from keras_genai.tasks.gan import GAN
from zoo import _adversarial, _images
from zoo.entry import Entry, Recipe

entry = Entry(
    task=GAN,
    networks=dict(generator=DCGANGenerator, discriminator=DCGANDiscriminator),
    config=dict(
        latent=64,
        width=48,
        norm=None,
        loss=Wasserstein(),
        penalty=GradientPenalty(),
        discriminator_steps=5,
    ),
    tiny=dict(latent=4, width=4),
    source=images.digits,
    recipe=Recipe(
        compile=lambda steps=4_000: _adversarial.adam(1e-4, beta_1=0.0, beta_2=0.9),
        batch_size=64,
        steps=4_000,
        log_every=200,
    ),
    evaluate=_images.score,
    sample=functools.partial(_images.draw, count=64),
    family="GANs",
    paper="Gulrajani et al. 2017, Improved Training of Wasserstein GANs",
    embedded=True,
)
