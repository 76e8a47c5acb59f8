"""GAN with spectral normalisation and hinge loss on scikit-learn's digits.

Run:       python train.py sngan_digits
"""

import functools

from keras_genai.data import images
from keras_genai.losses import Hinge
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
        norm="spectral",
        loss=Hinge(),
        # So smooth a discriminator learns slowly: it needs several steps for one.
        discriminator_steps=3,
    ),
    tiny=dict(latent=4, width=4),
    source=images.digits,
    recipe=Recipe(
        compile=lambda steps=6_000: _adversarial.adam(2e-4, critic_rate=4e-4),
        batch_size=64,
        steps=6_000,
        log_every=200,
    ),
    evaluate=_images.score,
    sample=functools.partial(_images.draw, count=64),
    family="GANs",
    paper="Miyato et al. 2018, Spectral Normalization for Generative Adversarial "
    "Networks",
    embedded=True,
)
