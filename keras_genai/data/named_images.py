"""Image data sets of TensorFlow Datasets as splits, and what stands in for them."""

import functools

import numpy as np

from keras_genai.data import embedded_images, pictures
from keras_genai.data import tfds as catalogue
from keras_genai.data.image_splits import training_first


def read(
    name,
    data_dir=None,
    image_size=None,
    *,
    black=False,
    validation=None,
    everything=False,
    feature=None,
    limit=None,
):
    """A data set by name, as splits for `assemble`.

    Args:
        name: str, as in TensorFlow Datasets.
        data_dir: path or `None`.
        image_size: int, `(height, width)`, or `None`.
        black: bool. If `True`, pictures stand on black and are padded, not stretched.
        validation: int or `None`; see `keras_genai.data.images.mnist`.
        everything: bool. If `True`, test pictures train, too.
        feature: str or `None`. Which picture feature, needed where there are several.
        limit: int or `None`. Read at most so many pictures of each split.

    Returns:
        `(splits, num_classes)`; the latter is `None` without labels.

    Raises:
        FileNotFoundError: if the data is neither prepared nor can be downloaded.
        ValueError: if there is no such data set or feature, or no `image_size` where
            pictures differ.
    """
    size = pictures.as_size(image_size)
    # Pictures on black are padded, all at once; others are resized one by one.
    change = None
    if size is not None and not black:
        change = functools.partial(pictures.resize, size=size)
    found, num_classes = catalogue.read_images(name, data_dir, feature, change, limit)
    for arrays in found.values():
        arrays["images"] = pictures.fit(arrays["images"], size, black)
    splits = training_first(found, validation)
    if everything and "test" in splits:
        splits["train"] = {
            key: np.concatenate([array, splits["test"][key]])
            for key, array in splits["train"].items()
        }
    return splits, num_classes


def stand_in(shape, image_size=None, num_classes=10):
    """A few digits in the shape of another data set.

    Args:
        shape: `(H, W, C)`.
        image_size: int, `(height, width)`, or `None` for that of `shape`.
        num_classes: 10, or `None` for none.

    Returns:
        `(splits, num_classes)`, as `read`.
    """
    size = pictures.as_size(image_size) or shape[:2]
    return embedded_images.digits(size, shape[2], few=True), num_classes
