"""The pictures that come with scikit-learn: digits and two photographs.

Scikit-learn is imported inside the functions: it takes a second, and is an extra.
"""

import importlib.resources

import numpy as np
import tensorflow as tf

from keras_genai.data import pictures
from keras_genai.data.extras import require
from keras_genai.data.image_splits import divide

FEW = {"train": 256, "validation": 64, "test": 64}  # pictures of a stand-in
PHOTOGRAPHS = ("china", "flower")


def digits(size=None, channels=1, few=False):
    """1,797 handwritten digits, 8 x 8, white on black, as splits for `assemble`.

    Args:
        size: `(height, width)` or `None` for their own.
        channels: 1 or 3.
        few: bool. Only `FEW` of them.

    Returns:
        dict of split name to dict of arrays.
    """
    found = require("sklearn.datasets", "Digits").load_digits()
    images = np.round(found.images * (255 / 16)).astype("uint8")[..., None]
    images = np.repeat(pictures.fit(images, size, black=True), channels, axis=-1)
    splits = divide(images, found.target.astype("int32"), validation=180, test=360)
    return {
        role: _first(part, FEW[role] if few else None) for role, part in splits.items()
    }


def photographs(size, few=False, test=None):
    """Crops of two colour photographs as splits for `assemble`.

    Args:
        size: `(height, width)`, at most 96.
        few: bool. At most about `FEW` of them.
        test: one of `PHOTOGRAPHS`, which tests, or `None`: a strip of both does.

    Returns:
        dict of split name to dict of arrays.
    """
    bands = _of_both(size) if test is None else _of_each(size, test)
    splits = {}
    for role, (names, begin, end, apart) in bands.items():
        crops = [_crops(_photograph(name)[:, begin:end], size, apart) for name in names]
        images = np.concatenate(crops)
        if few:
            images = images[:: len(images) // FEW[role] + 1]
        splits[role] = {"images": images}
    return splits


def _of_both(size):
    """What of which photographs is in a split: names, columns, pixels between crops."""
    half = (max(1, min(size) // 2),) * 2
    return {
        "train": (PHOTOGRAPHS, 0, 448, (8, 8)),
        "validation": (PHOTOGRAPHS, 448, 544, half),
        "test": (PHOTOGRAPHS, 544, 640, half),
    }


def _of_each(size, test):
    """As `_of_both`, but no scene is in training and test."""
    half = (max(1, min(size) // 2),) * 2
    others = tuple(name for name in PHOTOGRAPHS if name != test)
    return {
        "train": (others, 0, 544, (8, 8)),
        "validation": (others, 544, 640, half),
        "test": ((test,), 0, 640, size),  # side by side: together they are the scene
    }


def _first(arrays, count):
    return {key: array[:count] for key, array in arrays.items()}


def _photograph(name):
    """uint8 `(427, 640, 3)`."""
    folder = require("sklearn.datasets.images", "Photographs")
    place = importlib.resources.files(folder) / f"{name}.jpg"
    return tf.io.decode_jpeg(place.read_bytes(), channels=3).numpy()


def _crops(photo, size, apart):
    """uint8 `(N, *size, 3)`, crops of a picture that are so far apart, row by row."""
    windows = np.lib.stride_tricks.sliding_window_view(photo, size, axis=(0, 1))
    windows = windows[:: apart[0], :: apart[1]]  # (rows, columns, 3, H, W)
    crops = np.moveaxis(windows, 2, -1).reshape(-1, *size, 3)
    return np.ascontiguousarray(crops)
