"""Multinomial diffusion: how categories turn into noise, and back.

A noise schedule keeps a category with probability `kept(level)` and replaces it by one
of all, evenly, else. Several columns of categories lie side by side in one tensor,
one-hot: `sizes` says how many numbers each has.

Reference: Hoogeboom et al. 2021, section 4, https://arxiv.org/abs/2102.05379
"""

import tensorflow as tf
from keras import ops

SMALLEST = 1e-12  # stands for 0 in logarithms


def kept(alpha, sigma):
    """The chance that a category is still the clean one: alpha-bar of a level.

    Args:
        alpha, sigma: float32, factors of a `NoiseSchedule`.
    """
    return alpha**2 / (alpha**2 + sigma**2)


def one_hot(categories, sizes):
    """float32 `(B, K)` of int `(B, C)`, K the sum of `sizes`."""
    parts = [
        ops.one_hot(categories[:, place], size, dtype="float32")
        for place, size in enumerate(sizes)
    ]
    return _together(parts, categories)


def probabilities(logits, sizes):
    """float32 `(B, K)`: the softmax of each column of logits `(B, K)`."""
    parts = [ops.softmax(part, axis=-1) for part in columns(logits, sizes)]
    return _together(parts, logits)


def noised(clean, keep, sizes):
    """The chances of noisy categories: float32 `(B, K)`.

    Args:
        clean: float32 `(B, K)`, one-hot or chances.
        keep: float32, broadcasts against `clean`, see `kept`.
        sizes: tuple of int.
    """
    return keep * clean + (1 - keep) * even(sizes)


def even(sizes):
    """float32 `(1, K)`: the chances of categories of which nothing is known."""
    shares = [1.0 / size for size in sizes for _ in range(size)]
    return ops.convert_to_tensor([shares], "float32")


def posterior(noisy, clean, now, after, sizes):
    """The chances of categories at a less noisy level, given noisy ones.

    Args:
        noisy: float32 `(B, K)`, one-hot.
        clean: float32 `(B, K)`, one-hot or the chances that a network sees.
        now, after: float32 that broadcast: how many are kept at either level.
        sizes: tuple of int.

    Returns:
        float32 `(B, K)`.

    Reference: Hoogeboom et al. 2021, eq. 13-15
    """
    step = now / ops.maximum(after, SMALLEST)  # kept from one level to the other
    weights = noised(noisy, step, sizes) * noised(clean, after, sizes)
    parts = [
        part / ops.maximum(ops.sum(part, axis=-1, keepdims=True), SMALLEST)
        for part in columns(weights, sizes)
    ]
    return _together(parts, weights)


def divergence(true, seen, sizes):
    """float32 `(B, C)`: the divergence of chances from those of each column, in nats.

    Args:
        true, seen: float32 `(B, K)`.
        sizes: tuple of int.
    """
    logs = [ops.log(ops.maximum(each, SMALLEST)) for each in (true, seen)]
    parts = columns(true * (logs[0] - logs[1]), sizes)
    return ops.stack([ops.sum(part, axis=-1) for part in parts], axis=-1)


def draw(chances, uniform, sizes):
    """Categories drawn by their chances.

    Args:
        chances: float32 `(B, K)`.
        uniform: float32 `(B, K)` in [0, 1), independent.
        sizes: tuple of int.

    Returns:
        int32 `(B, C)`.
    """
    # The largest logarithm with Gumbel noise is drawn by the chances.
    noise = -ops.log(-ops.log(ops.maximum(uniform, SMALLEST)) + SMALLEST)
    scores = ops.log(ops.maximum(chances, SMALLEST)) + noise
    parts = [ops.argmax(part, axis=-1) for part in columns(scores, sizes)]
    return ops.cast(ops.stack(parts, axis=-1), "int32")


def columns(tensor, sizes):
    """list of `(B, size)`: the columns of a tensor `(B, K)`."""
    found, begin = [], 0
    for size in sizes:
        found.append(tensor[:, begin : begin + size])
        begin += size
    return found


def _together(parts, like):
    if parts:
        return ops.concatenate(parts, axis=-1)
    return tf.zeros((tf.shape(like)[0], 0))
