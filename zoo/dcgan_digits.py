"""Conditional DCGAN on scikit-learn's digits: a first picture in two minutes.

Run:       python train.py dcgan_digits
"""

import functools

from keras_genai.data import images
from keras_genai.models.dcgan import DCGAN
from zoo import _adversarial, _images
from zoo.entry import Entry, Recipe

entry = Entry(
    model=DCGAN,
    config=dict(latent=64, width=48, num_classes=10),
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
