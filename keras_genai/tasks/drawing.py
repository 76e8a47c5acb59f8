"""What drawing and judging pictures needs: checks, seeds, weights set aside."""

import contextlib

import numpy as np
import tensorflow as tf
from keras import ops


def to_pictures(images):
    """float32 pictures in [0, 1] from those in [-1, 1]."""
    return ops.clip(0.5 * images + 0.5, 0.0, 1.0)


def check_pictures(name, images, shape):
    """float32 array of pictures.

    Args:
        name: str, the argument's name in the message.
        images: float `(N, *shape)` in [0, 1].
        shape: tuple of int.

    Raises:
        ValueError: if `images` is empty or of another shape or range.
    """
    images = np.asarray(images)
    good = images.shape[1:] == tuple(shape) and len(images) and images.dtype.kind == "f"
    # Written so that NaN fails, too.
    if not good or not (images.min() >= 0 and images.max() <= 1):
        span = f", from {images.min()} to {images.max()}" if images.size else ""
        raise ValueError(
            f"`{name}` must be float of shape (N, {', '.join(map(str, shape))}) in "
            f"[0, 1]. Received: {images.dtype} of shape {images.shape}{span}"
        )
    return images.astype("float32")


def check_labels(labels, count, num_classes):
    """int32 array of classes, or `None` for a model without.

    Args:
        labels: int, or int `(count,)`; `None` without classes.
        count: int.
        num_classes: int or `None`.

    Raises:
        ValueError: if a label is out of range or there is one too many.
    """
    if num_classes is None:
        if labels is not None:
            raise ValueError(
                "`labels` must be `None`, because this model has no `num_classes`. "
                f"Received: {labels=}"
            )
        return None
    labels = np.asarray(labels)
    if (
        labels.dtype.kind not in "iu"
        or labels.shape not in ((), (count,))
        or labels.min() < 0
        or labels.max() >= num_classes
    ):
        raise ValueError(
            f"`labels` must be an int, or {count} of them, from 0 to "
            f"{num_classes - 1}. Received: {labels.tolist()}"
        )
    return np.broadcast_to(labels, (count,)).astype("int32")


def fresh_seeds(states, seed):
    """Pairs for `replaced`: each random state, and its value for `seed`."""
    seed = int(seed) % 2**64
    return [
        (state, np.random.SeedSequence((seed, index)).generate_state(2))
        for index, state in enumerate(states)
    ]


@contextlib.contextmanager
def replaced(pairs):
    """Variables have other values inside; `pairs` of `(variable, value)`."""
    kept = [(variable, variable.numpy()) for variable, _ in pairs]
    try:
        for variable, value in pairs:
            variable.assign(value)
        yield
    finally:
        for variable, value in kept:
            variable.assign(value)


def padded_rows(array, size):
    """A tensor of `size` rows, the last one repeated."""
    rows = np.minimum(np.arange(size), len(array) - 1)
    return tf.constant(array[rows])
