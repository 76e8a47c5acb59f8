"""VQ-VAE on one or two digits of 16 x 16, as captions have them: 8 x 8 codes of 128.

Run:       python train.py vqvae_captioned_digits
"""

import functools

import keras

from keras_genai.data.captions import captioned_digits
from keras_genai.networks.vqvae import QuantizedAutoencoder
from keras_genai.tasks.codec import VQVAE
from zoo import _variational
from zoo.entry import Entry, Recipe

STEPS = 3_000

entry = Entry(
    task=VQVAE,
    networks=dict(network=QuantizedAutoencoder),
    config=dict(num_codes=128, latent_size=8, filters=(64,), data_variance=0.0546),
    tiny=dict(filters=(2,), num_codes=4, latent_size=2),
    source=captioned_digits,
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
    evaluate=_variational.score_codes,
    sample=functools.partial(_variational.reconstruct, source=captioned_digits),
    family="VAEs and codecs",
    paper="van den Oord et al. 2017, Neural Discrete Representation Learning",
    embedded=True,
)
