"""VAE 784-400-20-400-784 on MNIST, by the recipe of pytorch/examples.

Run:       python train.py vae_mnist --data-dir FOLDER
Reference: test loss 106.66 after 7 epochs (grey targets, one draw a picture).
"""

import functools

import keras

from keras_genai.data import images
from keras_genai.likelihoods import Bernoulli
from keras_genai.networks.vae import DenseAutoencoder
from keras_genai.tasks.variational import VAE, EvidenceBound
from zoo import _images, _variational
from zoo.entry import Entry, Recipe

EPOCH = 468  # batches of 128 in 60,000 pictures

entry = Entry(
    task=VAE,
    networks=dict(network=DenseAutoencoder),
    config=dict(
        latent_size=20,
        hidden=(400,),
        likelihood=Bernoulli(),
        objective=EvidenceBound(),
    ),
    tiny=dict(hidden=(8,), latent_size=2),
    # All training pictures train, as in the recipe; the test pictures validate.
    source=functools.partial(images.mnist, validation=0),
    recipe=Recipe(
        compile=lambda steps=7 * EPOCH: dict(
            optimizer=keras.optimizers.Adam(1e-3), jit_compile=True
        ),
        batch_size=128,
        steps=7 * EPOCH,
        log_every=EPOCH,
        validate_every=EPOCH,
    ),
    evaluate=_variational.score,
    sample=functools.partial(_images.draw, count=64),
    family="VAEs and codecs",
    paper="Kingma & Welling 2014, Auto-Encoding Variational Bayes",
    reference="106.66, test loss after 7 epochs (pytorch/examples, pull request 1416)",
)
