"""A GAN of videos of 8 frames: one of scikit-learn's digits, moving.

Run:       python train.py video_gan_digits
"""

import functools

from keras_genai.data import video
from keras_genai.losses import Hinge
from keras_genai.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from keras_genai.tasks.gan import GAN
from zoo import _adversarial, _images
from zoo.entry import Entry, Recipe

entry = Entry(
    task=GAN,
    networks=dict(generator=DCGANGenerator, discriminator=DCGANDiscriminator),
    given=("labels",),
    config=dict(latent=64, width=32, norm="spectral", loss=Hinge()),
    tiny=dict(latent=4, width=2),
    source=functools.partial(
        video.moving_digits, image_size=16, digit_size=8, fastest=2.0
    ),
    recipe=Recipe(
        compile=lambda steps=6_000: _adversarial.adam(2e-4, critic_rate=4e-4),
        batch_size=32,
        steps=6_000,
        log_every=200,
    ),
    evaluate=functools.partial(_images.score, count=500),
    sample=functools.partial(_images.draw, labels=tuple(range(10))),
    family="GANs",
    paper="Vondrick et al. 2016, Generating Videos with Scene Dynamics",
    embedded=True,
)
