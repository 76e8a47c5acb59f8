"""Weights in 4 bits, in groups that share a scale, two in a byte.

A byte holds two weights of a block of `block_of(group)` inputs: in its low half that
of place `j` of the block's first half, in its high half that of place `j` of the second
half, both as two's complement, from -8 to 7. See Frantar et al. 2022, section 3,
https://arxiv.org/abs/2210.17323 (groups); Dettmers & Zettlemoyer 2022, section 3,
https://arxiv.org/abs/2212.09720 (why small ones).
"""

import ml_dtypes
import numpy as np

BLOCK = 64
GROUPS = (32, 64, 128)
LEVELS = 7
AT_ONCE = 2**22  # numbers that are looked at together
# How much of a group's range is kept: its largest value may be cut for the others.
RANGES = (1.0, 0.93, 0.86, 0.79)


def group_of(inputs, group):
    """int: how many inputs share a scale; all, of a matrix with fewer than `group`."""
    return group if inputs >= group else inputs + inputs % 2


def block_of(group):
    """int: inputs whose bytes lie together, of a group or of its halves."""
    return group if group % BLOCK else BLOCK


def packed_shape(outputs, inputs, group):
    """`(shape, scales)`: tuples, of what `to_int4` returns."""
    group = group_of(inputs, group)
    groups = -(-inputs // group)
    return (outputs, groups * group // 2), (outputs, groups)


def to_int4(matrix, group):
    """The nearest 4-bit matrix, of the ranges that are tried for each group.

    Args:
        matrix: float `(outputs, inputs)`.
        group: int. Neighbouring inputs that share a scale.

    Returns:
        `(packed, scale)`: uint8 `(outputs, ceil(inputs / group) * group / 2)` and
        bfloat16 `(outputs, ceil(inputs / group))`.
    """
    size = max(1, AT_ONCE // matrix.shape[1])
    parts = [
        _of_rows(matrix[start : start + size], group)
        for start in range(0, len(matrix), size)
    ]
    packed, scale = zip(*parts, strict=True)
    return np.concatenate(packed), np.concatenate(scale)


def _of_rows(matrix, group):
    """`to_int4` of a few rows, of which some copies fit into memory."""
    outputs, inputs = matrix.shape
    group = group_of(inputs, group)
    missing = -inputs % group
    rows = np.pad(matrix.astype("float32"), ((0, 0), (0, missing)))
    rows = rows.reshape(outputs, -1, group)
    largest = np.abs(rows).max(axis=-1, keepdims=True) / LEVELS
    best = values = scale = None
    for kept in RANGES:
        # The scale as it is stored, so that rounding it costs nothing.
        step = (largest * kept).astype(ml_dtypes.bfloat16).astype("float32")
        step = np.where(step > 0, step, 1.0).astype("float32")
        found = np.clip(np.rint(rows / step), -LEVELS - 1, LEVELS)
        lost = np.square(found * step - rows).sum(axis=-1, keepdims=True)
        if best is None:
            best, values, scale = lost, found, step
            continue
        better = lost < best
        best = np.where(better, lost, best)
        values = np.where(better, found, values)
        scale = np.where(better, step, scale)
    packed = _packed(values.astype("int8").reshape(outputs, -1), block_of(group))
    return packed, scale[..., 0].astype(ml_dtypes.bfloat16)


def from_int4(packed, scale, inputs):
    """float32 `(outputs, inputs)` of what `to_int4` returned."""
    outputs, groups = scale.shape
    group = 2 * packed.shape[1] // groups
    size = block_of(group)
    pairs = packed.view("int8").reshape(outputs, -1, 1, size // 2)
    low = np.left_shift(pairs, 4).view("int8") >> 4
    values = np.concatenate([low, pairs >> 4], axis=2).reshape(outputs, groups, group)
    whole = values * scale.astype("float32")[..., None]
    return whole.reshape(outputs, -1)[:, :inputs]


def _packed(values, size):
    """uint8 of int8 from -8 to 7, `(outputs, inputs)`, in blocks of `size`."""
    pairs = values.reshape(len(values), -1, 2, size // 2)
    low, high = pairs[:, :, 0], pairs[:, :, 1]
    packed = (high.view("uint8") << 4) | (low.view("uint8") & 15)
    return packed.reshape(len(values), -1)
