"""CycleGAN between grey and coloured digits of scikit-learn, without pairs, 16 x 16.

Run:       python train.py cyclegan_digits
"""

import functools

from keras_genai.data import pairs
from keras_genai.networks.cyclegan import CycleGANGenerator
from keras_genai.networks.patchgan import PatchDiscriminator
from keras_genai.tasks.unpaired import CycleGAN
from zoo import _adversarial
from zoo.entry import Entry, Recipe

SOURCE = functools.partial(pairs.changed, image_size=16)

entry = Entry(
    task=CycleGAN,
    networks=dict(
        generator_a=CycleGANGenerator,
        generator_b=CycleGANGenerator,
        discriminator_a=PatchDiscriminator,
        discriminator_b=PatchDiscriminator,
    ),
    given=("condition",),
    config=dict(width=16, num_blocks=3, pool_size=50),
    tiny=dict(width=2, num_blocks=1),
    source=SOURCE,
    recipe=Recipe(
        compile=lambda steps=2_000: _adversarial.adam(2e-4),
        batch_size=8,
        steps=2_000,
        log_every=100,
    ),
    evaluate=_adversarial.score_translation,
    sample=functools.partial(_adversarial.translate, source=SOURCE),
    family="GANs",
    paper="Zhu et al. 2017, Unpaired Image-to-Image Translation using Cycle-Consistent "
    "Adversarial Networks",
    embedded=True,
)
