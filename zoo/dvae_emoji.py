"""Discrete VAE on emoji of 32 x 32: 8 x 8 codes of 512, drawn by Gumbel-softmax.

Run:       python train.py dvae_emoji --data-dir DIR
"""

import functools

import keras

from keras_genai.data.emoji import emoji
from keras_genai.networks.dvae import DiscreteAutoencoder
from keras_genai.tasks.dvae import DVAE, CosineAnnealing
from zoo import _dalle, _variational
from zoo.entry import Entry, Recipe

STEPS = 6_000
SOURCE = functools.partial(emoji, augment=True)

entry = Entry(
    task=DVAE,
    networks=dict(network=DiscreteAutoencoder),
    config=dict(
        num_codes=512,
        latent_size=64,
        filters=(64, 128),
        residual_blocks=1,
        temperature=CosineAnnealing(1.0, 0.0625, STEPS * 3 // 4),
        kl_weight=CosineAnnealing(0.02, 0.002, STEPS * 3 // 4),
        data_variance=0.0893,
    ),
    tiny=dict(filters=(4, 4), num_codes=8, latent_size=4),
    source=SOURCE,
    recipe=Recipe(
        compile=lambda steps=STEPS: dict(
            optimizer=keras.optimizers.Adam(
                keras.optimizers.schedules.CosineDecay(1e-3, steps)
            ),
            jit_compile=False,
        ),
        batch_size=64,
        steps=STEPS,
        log_every=100,
        validate_every=500,
    ),
    evaluate=_dalle.score_codec,
    sample=functools.partial(_variational.reconstruct, source=SOURCE),
    family="VAEs and codecs",
    paper="Ramesh et al. 2021, Zero-Shot Text-to-Image Generation",
)
