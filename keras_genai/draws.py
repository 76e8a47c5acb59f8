"""Random choice of a token, and the sets of tokens it is restricted to.

Nothing here sorts a vocabulary: XLA needs 8 ms for one row of 50,257 logits on a CPU
core, a bisection 0.3 ms.
"""

import numpy as np
import tensorflow as tf

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
UNIT = 2**30  # probability 1 in fixed point


def threefry(key, counter):
    """The Threefry-2x32 block cipher with 20 rounds: the source of all draws.

    Args:
        key: two uint32 tensors.
        counter: two uint32 tensors.

    Returns:
        Two uint32 tensors of the broadcast shape.

    Reference: Salmon et al. 2011, section 4, https://doi.org/10.1145/2063384.2063405
    """
    first, second = key
    keys = (first, second, first ^ second ^ tf.constant(0x1BD11BDA, tf.uint32))
    x, y = counter[0] + keys[0], counter[1] + keys[1]
    for group in range(5):
        for rotation in _ROTATIONS[group % 2]:
            x = x + y
            y = x ^ _rotate_left(y, rotation)
        x = x + keys[(group + 1) % 3]
        y = y + keys[(group + 2) % 3] + tf.constant(group + 1, tf.uint32)
    return x, y


def _rotate_left(x, bits):
    left = tf.bitwise.left_shift(x, tf.constant(bits, tf.uint32))
    right = tf.bitwise.right_shift(x, tf.constant(32 - bits, tf.uint32))
    return tf.bitwise.bitwise_or(left, right)


def key(seed):
    """The seed of `uniform` that an int of 64 bits is: uint32 array `(2,)`.

    Args:
        seed: int. Of others the lower 64 bits count.
    """
    seed = int(seed) & (2**64 - 1)
    return np.array([seed & 0xFFFFFFFF, seed >> 32], "uint32")


def uniform(seed, steps):
    """One uniform number a row, the same for a seed, a row and a step anywhere.

    Args:
        seed: uint32 `(2,)`.
        steps: int32 `(B,)`.

    Returns:
        float32 `(B,)` in [0, 1).
    """
    rows = tf.range(tf.shape(steps)[0])
    return _uniform((seed[0], seed[1]), rows, steps)


def row_uniform(seeds, steps):
    """What `uniform` draws for row 0 alone, of rows that have seeds of their own.

    Args:
        seeds: uint32 `(B, 2)`.
        steps: int32 `(B,)`.

    Returns:
        float32 `(B,)` in [0, 1).
    """
    return _uniform((seeds[:, 0], seeds[:, 1]), tf.zeros_like(steps), steps)


def _uniform(seed, rows, steps):
    counter = (tf.cast(rows, tf.uint32), tf.cast(steps, tf.uint32))
    bits, _ = threefry(seed, counter)
    high = tf.bitwise.right_shift(bits, tf.constant(8, tf.uint32))
    return tf.cast(high, tf.float32) * 2.0**-24


def categorical(logits, chances):
    """Draws from `softmax(logits)` by inverting its distribution function.

    Args:
        logits: float32 `(B, V)`.
        chances: float32 `(B,)` in [0, 1), what decides.

    Returns:
        int32 `(B,)`, never a token of probability 0; of logits that are no numbers
        any token.
    """
    weights = tf.exp(logits - tf.reduce_max(logits, axis=-1, keepdims=True))
    size = weights.shape[-1]
    side = int(size**0.5) + 1  # blocks of about sqrt(V): two short sums, no long one
    weights = tf.pad(weights, [[0, 0], [0, side * side - size]])
    weights = tf.reshape(weights, (-1, side, side))
    blocks = tf.reduce_sum(weights, axis=-1)
    left = chances * tf.reduce_sum(blocks, axis=-1)
    block, left = _invert(blocks, left)
    inside, _ = _invert(tf.gather(weights, block, batch_dims=1), left)
    return tf.minimum(block * side + inside, size - 1)


def _invert(weights, left):
    """The first index whose running sum exceeds `left`, and what is left at it."""
    sums = tf.cumsum(weights, axis=-1)
    beyond = (sums > left[:, None]) & (weights > 0)
    # Rounding may leave nothing beyond: then the heaviest is as good as any.
    index = tf.where(
        tf.reduce_any(beyond, axis=-1),
        tf.argmax(tf.cast(beyond, tf.int32), axis=-1, output_type=tf.int32),
        tf.argmax(weights, axis=-1, output_type=tf.int32),
    )
    before = tf.gather(sums - weights, index, batch_dims=1)
    return index, left - before


def fixed_point(probabilities):
    """int32 multiples of `1 / UNIT`: their sums do not depend on the order."""
    return tf.cast(tf.round(probabilities * UNIT), tf.int32)


def heaviest(scores, weights, target):
    """The smallest set of best scored tokens whose weights reach `target`.

    Top-k is this with weights 1 and target k; top-p with the probabilities. Equal
    scores are taken in the order of the tokens, as a stable sort would.

    Args:
        scores: float32 `(B, V)`.
        weights: int32 `(B, V)`, not negative, their sum below `2**31`.
        target: int32 scalar or `(B, 1)`. Beyond the sum of the weights, all tokens are
            kept.

    Returns:
        bool `(B, V)`.
    """
    bits = tf.bitcast(scores, tf.int32)
    keys = tf.where(bits < 0, tf.int32.min - bits, bits)  # ordered as the floats are

    def mass(chosen):
        return tf.reduce_sum(tf.where(chosen, weights, 0), axis=-1, keepdims=True)

    # Largest threshold that still keeps enough: enough at `low`, too little at `high`.
    low = tf.reduce_min(keys, axis=-1, keepdims=True)
    high = tf.reduce_max(keys, axis=-1, keepdims=True) + 1

    def halve(low, high):
        middle = _midpoint(low, high)
        kept = mass(keys >= middle)
        low = tf.where(kept >= target, middle, low)
        high = tf.where(kept > target, high, tf.where(kept == target, low + 1, middle))
        return low, high

    low, _ = tf.while_loop(
        lambda low, high: tf.reduce_any(low < high - 1), halve, (low, high)
    )
    return _without_surplus_ties(keys, low, mass, target)


def _without_surplus_ties(keys, low, mass, target):
    """Of the tokens at the threshold itself, keeps the first ones that suffice."""
    order = tf.range(keys.shape[-1])[None]
    above = keys > low
    tied = (keys >= low) & ~above
    needed = target - mass(above)
    surplus = mass(tied) > needed
    several = tf.reduce_sum(tf.cast(tied, tf.int32), axis=-1, keepdims=True) > 1
    end = tf.zeros_like(low) + keys.shape[-1] - 1
    start = tf.where(surplus & several, -1, end - 1)  # usually nothing to search

    def halve(start, end):
        middle = _midpoint(start, end)
        suffices = mass(tied & (order <= middle)) >= needed
        return tf.where(suffices, start, middle), tf.where(suffices, middle, end)

    _, end = tf.while_loop(
        lambda start, end: tf.reduce_any(start < end - 1), halve, (start, end)
    )
    return above | (tied & (order <= end))


def _midpoint(low, high):
    """`(low + high) // 2` without overflow."""
    half = tf.bitwise.right_shift(tf.bitwise.bitwise_xor(low, high), 1)
    return tf.bitwise.bitwise_and(low, high) + half
