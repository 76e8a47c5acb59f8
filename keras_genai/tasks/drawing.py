"""What drawing pictures needs: their range, seeds, weights set aside, translators."""

import contextlib

import numpy as np
from keras import ops


def to_pictures(images):
    """float32 pictures in [0, 1] from those in [-1, 1]."""
    return ops.clip(0.5 * images + 0.5, 0.0, 1.0)


def translated(network, images, image_shape, training=False):
    """Pictures that a network makes of others, called as denoisers are.

    What such a network reads besides the condition is zeros here.

    Args:
        network: called with `noisy`, float32 `(B, *image_shape)`, `time`, float32
            `(B,)`, and a dict with a `condition`; returns `(B, *image_shape)`.
        images: float32 `(B, H, W, C')` in [-1, 1].
        image_shape: `(H, W, C)`, of what it makes.
        training: bool.

    Returns:
        float32 `(B, *image_shape)` in (-1, 1).
    """
    count = ops.shape(images)[0]
    noisy = ops.zeros((count, *image_shape), "float32")
    time = ops.zeros((count,), "float32")
    outputs = network(noisy, time, {"condition": images}, training=training)
    return ops.tanh(ops.cast(outputs, "float32"))


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
