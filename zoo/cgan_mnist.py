"""Class-conditional projection GAN on MNIST.

Run:       python train.py cgan_mnist --data-dir FOLDER_WITH_MNIST
Target:    an independent classifier reads the asked digit at least 95 % of the time.
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
    given=("labels",),
    config=dict(latent=100, width=64, norm="spectral", loss=Hinge()),
    tiny=dict(latent=4, width=4),
    source=images.mnist,
    recipe=Recipe(
        compile=lambda steps=6_000: _adversarial.adam(2e-4, beta_1=0.0, beta_2=0.9),
        batch_size=64,
        steps=6_000,
        log_every=200,
    ),
    evaluate=_images.score,
    sample=functools.partial(_images.draw, count=100),
    family="GANs",
    paper="Miyato & Koyama 2018, cGANs with Projection Discriminator",
)
