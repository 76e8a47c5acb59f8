"""PixelCNN on scikit-learn's digits in black and white, one digit a class.

Run:       python train.py pixelcnn_digits
"""

import functools

import keras

from keras_genai.data import images
from keras_genai.networks.pixelcnn import PixelCNN
from keras_genai.tasks.pixels import PixelModel
from zoo import _images, _variational
from zoo.entry import Entry, Recipe

entry = Entry(
    task=PixelModel,
    networks=dict(network=PixelCNN),
    given=("labels",),
    config=dict(levels=2, width=64, depth=4, dropout=0.2),
    tiny=dict(width=4, depth=1),
    source=images.digits,
    recipe=Recipe(
        compile=lambda steps=3_000: dict(
            optimizer=keras.optimizers.Adam(
                keras.optimizers.schedules.CosineDecay(1e-3, steps)
            ),
            jit_compile=False,
        ),
        batch_size=64,
        steps=3_000,
        log_every=100,
        validate_every=500,
        keep_best=True,
    ),
    evaluate=_variational.score_prior,
    sample=functools.partial(_images.draw, count=100),
    family="autoregressive pictures",
    paper="van den Oord et al. 2016, Pixel Recurrent Neural Networks",
    embedded=True,
)
