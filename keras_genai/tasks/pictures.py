"""What tasks over pictures share: checks of what a user gives a method, and seeds."""

import math

import numpy as np
import tensorflow as tf

from keras_genai.checks import MOST_NUMBERS, check_integer, check_seed
from keras_genai.modalities.text import Label


def to_labels(labels, count, num_classes):
    """Labels a user asked for, one a picture.

    Args:
        labels: int, ints `(count,)`, or `None`: 0, 1, 2, ... in turn.
        count: int.
        num_classes: int, or `None` of a model without classes.

    Returns:
        int32 `(count,)`, or `None` without classes.

    Raises:
        ValueError: if the model has no classes but labels came, if their number is
            another, or if one does not exist.
    """
    if not num_classes:
        if labels is not None:
            raise ValueError(
                "`labels` must be `None`: this model was built without `num_classes`. "
                f"Received: labels={labels!r}"
            )
        return None
    kind = Label(num_classes)
    return kind.in_turn(count) if labels is None else kind.rows(labels, count)


def check_count(count, seed, image_shape):
    """Raises unless that many pictures can be drawn, and `seed` is an int of 64 bits.

    Raises:
        TypeError: if one of them is not an int.
        ValueError: if one is out of range.
    """
    check_integer("count", count, 1)
    most = MOST_NUMBERS // math.prod(image_shape)
    if count > most:
        raise ValueError(
            f"`count` must be at most {most} of pictures {tuple(image_shape)}. "
            f"Received: {count=}"
        )
    check_seed(seed)
    if seed >= 2**63:
        raise ValueError(f"`seed` must be below 2**63. Received: {seed=}")


def few_sizes(count):
    """The next of 1, 2, 4, 8, 16, 20, 24, 28, 32, 40, ...: few functions for any count.

    Args:
        count: int >= 1.
    """
    power = 1 << (count - 1).bit_length()
    step = max(1, power // 8) if power > 16 else power
    return -(-count // step) * step


def padded_rows(array, size):
    """An array of `size` rows, the last one repeated."""
    return array[np.minimum(np.arange(size), len(array) - 1)]


def key(seed, index=0):
    """int64 `(2,)`: the seed of one of a run's stateless draws.

    Args:
        seed: int64 scalar tensor.
        index: int or int scalar tensor. Which draw.
    """
    return tf.stack([tf.cast(seed, tf.int64), tf.cast(index, tf.int64)])


def to_codes(codes, grid_shape, num_codes):
    """Codes a user gave, as int32.

    Args:
        codes: int `(N, h, w)`.
        grid_shape: `(h, w)`.
        num_codes: int.

    Returns:
        int32 `(N, h, w)`.

    Raises:
        ValueError: for another shape, or a code that does not exist.
    """
    codes = np.asarray(codes)
    if codes.dtype.kind not in "iu" or codes.shape[1:] != tuple(grid_shape):
        raise ValueError(
            f"`codes` must be ints (batch, {', '.join(map(str, grid_shape))}). "
            f"Received: {codes.dtype} {codes.shape}"
        )
    if codes.size and (codes.min() < 0 or codes.max() >= num_codes):
        raise ValueError(
            f"`codes` must be from 0 to {num_codes - 1}. "
            f"Received: from {codes.min()} to {codes.max()}"
        )
    return codes.astype("int32")


def own_labels(labels, count, num_classes):
    """Labels of pictures a user gave, which a model with classes needs.

    Args:
        labels: int or ints `(count,)`; `None` without classes.
        count: int.
        num_classes: int, or `None` of a model without classes.

    Returns:
        int32 `(count,)`, or `None` without classes.

    Raises:
        ValueError: if they are missing, or as `to_labels` says.
    """
    if num_classes and labels is None:
        raise ValueError(
            f"`labels` must be given: this model was built with {num_classes=}. "
            "Received: labels=None"
        )
    return to_labels(labels, count, num_classes)


def by_batch(function, arrays, batch_size):
    """Applies a compiled function to rows of arrays, so many at a time.

    The last ones are filled up to one of few sizes: each compiles anew.

    Args:
        function: compiled function from a batch to a tensor, row by row.
        arrays: array `(N, ...)`, or dict of them, N >= 1.
        batch_size: int.

    Returns:
        array `(N, ...)`.
    """
    count = len(tf.nest.flatten(arrays)[0])
    parts = []
    for start in range(0, count, batch_size):
        rows = np.arange(start, start + few_sizes(min(batch_size, count - start)))
        rows = np.minimum(rows, count - 1)
        batch = tf.nest.map_structure(lambda array: tf.constant(array[rows]), arrays)  # noqa: B023
        parts.append(function(batch).numpy())
    return np.concatenate(parts)[:count]
