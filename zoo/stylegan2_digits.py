"""A small StyleGAN2 with adaptive augmentation on scikit-learn's digits.

Run:       python train.py stylegan2_digits

As the authors train small pictures (CIFAR-10): a weak penalty, a shallow mapping, no
mixed styles and no path length. With their settings for faces, digits of a class were
all but one picture.
"""

import functools

from keras_genai.data import images
from keras_genai.losses import R1
from keras_genai.networks.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from keras_genai.tasks.stylegan import Adaptation, StyleGAN
from zoo import _adversarial, _images
from zoo.entry import Entry, Recipe

entry = Entry(
    task=StyleGAN,
    networks=dict(generator=StyleGAN2Generator, discriminator=StyleGAN2Discriminator),
    given=("labels",),
    config=dict(
        latent=64,
        width=32,
        mapping_depth=2,
        penalty=R1(weight=0.01, every=16),
        path_length=None,
        mixing=0.0,
        adaptation=Adaptation(speed=2e-5),
    ),
    tiny=dict(latent=4, width=2, mapping_depth=1),
    source=images.digits,
    recipe=Recipe(
        compile=lambda steps=8_000: _adversarial.adam(
            2e-3, beta_1=0.0, beta_2=0.99, average=0.995
        ),
        batch_size=64,
        steps=8_000,
        log_every=200,
    ),
    evaluate=_images.score,
    sample=functools.partial(_images.draw, count=100),
    family="GANs",
    paper="Karras et al. 2020, Analyzing and Improving the Image Quality of StyleGAN; "
    "Training Generative Adversarial Networks with Limited Data",
    embedded=True,
)
