"""What drawing and judging pictures needs: seeds, weights set aside."""

import contextlib

import numpy as np
import tensorflow as tf
from keras import ops


def to_networks(images):
    """float32 pictures in [-1, 1] from those in [0, 1]."""
    return 2.0 * ops.cast(images, "float32") - 1.0


def to_pictures(images):
    """float32 pictures in [0, 1] from those in [-1, 1]."""
    return ops.clip(0.5 * images + 0.5, 0.0, 1.0)


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
