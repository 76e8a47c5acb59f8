"""VQ-VAE by the recipe of Keras.io's example, but for 64 codes: MNIST as 7 x 7 of them.

Run:       python train.py vqvae_mnist --data-dir FOLDER
Reference: reconstruction 0.0444, the mean over epoch 30 on the training data. The last
           line of log.jsonl has that mean; `reconstruction` here is held out. The
           example has 128 codes; averages and restarts keep all of them in use, so
           that half as many will do, and a prior has less to learn.
"""

import functools

import keras

from keras_genai.data import images
from keras_genai.networks.vqvae import QuantizedAutoencoder
from keras_genai.tasks.codec import VQVAE
from zoo import _variational
from zoo.entry import Entry, Recipe

EPOCH = 468  # batches of 128 in 60,000 pictures
SOURCE = functools.partial(images.mnist, validation=0)

entry = Entry(
    task=VQVAE,
    networks=dict(network=QuantizedAutoencoder),
    config=dict(num_codes=64, latent_size=16, data_variance=0.09493),
    tiny=dict(filters=(2, 2), num_codes=4, latent_size=2),
    source=SOURCE,
    recipe=Recipe(
        compile=lambda steps=30 * EPOCH: dict(
            optimizer=keras.optimizers.Adam(1e-3), jit_compile=False
        ),
        batch_size=128,
        steps=30 * EPOCH,
        log_every=EPOCH,
        validate_every=5 * EPOCH,
    ),
    evaluate=_variational.score_codes,
    sample=functools.partial(_variational.reconstruct, source=SOURCE),
    family="VAEs and codecs",
    paper="van den Oord et al. 2017, Neural Discrete Representation Learning",
    reference="0.0444, squared error over variance, mean of epoch 30 on the training "
    "data (keras.io, VQ-VAE example)",
)
