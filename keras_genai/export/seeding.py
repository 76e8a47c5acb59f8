"""The random state that a seed means, in a graph: NumPy's `SeedSequence`."""

import tensorflow as tf

INIT_A, MULT_A = 0x43B0D7E5, 0x931E8875
INIT_B, MULT_B = 0x8B51F9DD, 0x58F38DED
LEFT, RIGHT, SHIFT = 0xCA01F9DD, 0x4973F715, 16
POOL, MASK = 4, 0xFFFFFFFF


def state_of(seed, index):
    """`np.random.SeedSequence((seed, index)).generate_state(2)`.

    Args:
        seed: int64 scalar tensor, of which the 64 bits count.
        index: int, below 2**32.

    Returns:
        uint32 tensor `(2,)`.

    Reference: O'Neill 2015, https://www.pcg-random.org/posts/developing-a-seed_seq-alternative.html
    """
    low, high = tf.unstack(tf.bitcast(seed, tf.uint32))
    none, place = _number(0), _number(index)
    # A seed below 2**32 is one word.
    short = high == 0
    words = [
        low,
        tf.where(short, place, high),
        tf.where(short, none, place),
        none,
    ]
    hashed = _Hash(INIT_A, MULT_A)
    pool = [hashed(word) for word in words]
    for source in range(POOL):
        for target in range(POOL):
            if source != target:
                pool[target] = _mix(pool[target], hashed(pool[source]))
    hashed = _Hash(INIT_B, MULT_B)
    return tf.stack([hashed(word) for word in pool[:2]])


class _Hash:
    """A hash whose constant changes with every number."""

    def __init__(self, constant, factor):
        self.constant, self.factor = constant, factor

    def __call__(self, value):
        value = value ^ _number(self.constant)
        self.constant = self.constant * self.factor & MASK
        return _folded(value * _number(self.constant))


def _mix(x, y):
    return _folded(_number(LEFT) * x - _number(RIGHT) * y)


def _folded(value):
    return value ^ tf.bitwise.right_shift(value, _number(SHIFT))


def _number(value):
    return tf.constant(value, tf.uint32)
