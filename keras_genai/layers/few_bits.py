"""Products of vectors with matrices that are kept in few bits, as decoding needs them.

XLA on CPUs converts on the way what a product of a single vector reads, at the speed of
the memory, if it is kept from what would spoil that (see `vector_product`). Products of
a few vectors it does not: it would write down the whole matrix in floats. So they are
made of one tile of the matrix after the other, whose floats stay in the cache.
"""

import functools
import math
import operator

import tensorflow as tf
from keras import ops

from keras_genai import compat
from keras_genai.files.int4 import block_of
from keras_genai.xla import in_xla, is_vector_in_xla

FEW = 64  # vectors; for more, a matrix is made floats as a whole
TILE = 2**19  # floats
LONGEST = 2**12  # of a vector that XLA fuses with what converts a matrix: 16 KiB


def are_few_in_xla(x):
    """Whether `x`, `(..., size)`, is a few vectors in what XLA compiles."""
    known = None not in x.shape
    return known and 0 < math.prod(x.shape[:-1]) <= FEW and in_xla()


def folds(inputs):
    """int: in how many pieces rows of so many numbers are kept, under each other."""
    pieces = -(-inputs // LONGEST)
    return pieces if inputs % pieces == 0 else 1


def folded(matrix, pieces):
    """`(outputs, inputs)` as `(pieces * outputs, inputs / pieces)`, a NumPy array."""
    outputs = len(matrix)
    pieced = matrix.reshape(outputs, pieces, -1).swapaxes(0, 1)
    return pieced.reshape(pieces * outputs, -1)


def product(x, matrix):
    """float `(..., inputs)` times a matrix of numbers of any kind.

    Args:
        x: float `(..., inputs)`.
        matrix: tensor `(outputs, inputs)`, or as `folded` leaves it.

    Returns:
        `(..., outputs)` in the dtype of `x`.
    """
    pieces = x.shape[-1] // matrix.shape[1]
    outputs = matrix.shape[0] // pieces
    if is_vector_in_xla(x):
        return vector_product(x, matrix, outputs, pieces)
    if are_few_in_xla(x):
        matrix = ops.reshape(matrix, (pieces, outputs, -1))
        matrix = ops.transpose(matrix, (1, 0, 2))  # (outputs, pieces, inputs / pieces)

        def of_tile(columns, tile):
            tile = ops.reshape(ops.cast(tile, columns.dtype), (1, tile.shape[0], -1))
            return ops.matmul(tile, columns[None])[0]

        return tiled(of_tile, x, matrix)
    parts = ops.split(matrix, pieces, axis=0)
    vectors = ops.split(x, pieces, axis=-1)
    products = (
        many_product(vector, ops.cast(part, x.dtype))
        for vector, part in zip(vectors, parts, strict=True)
    )
    return functools.reduce(operator.add, products)


def many_product(x, matrix):
    """The same of many vectors, with a matrix of their dtype that is not folded."""
    rows = ops.reshape(x, (-1, x.shape[-1]))
    found = tf.matmul(rows, matrix, transpose_b=True)
    return ops.reshape(found, (*ops.shape(x)[:-1], matrix.shape[0]))


def vector_product(x, matrix, outputs, pieces):
    """The same of one vector in XLA, converted on the way.

    On two cores XLA reads 29 GB/s of 8-bit integers here, as fast as floats: four times
    the weights. Four things must be kept from it. The barrier: out of a decoding loop
    it would take the conversion, and read floats for every token. The division by a one
    that it cannot foresee: it would compute what makes `x`, say a normalisation, anew
    for every row of the matrix, were the last step as cheap as a product. The
    difference: a sum of two products it would fuse instead. And a vector of more than
    16 KiB, for which it would write the matrix down.
    """
    x, matrix = compat.optimization_barrier(x, matrix)
    rows = ops.reshape(x, (1, x.shape[-1]))
    if pieces == 1 and x.shape[-1] > LONGEST:  # a table, whose rows are looked up
        count = folds(x.shape[-1])
        parts = ops.split(matrix, count, axis=1)
    else:
        parts = ops.split(matrix, pieces, axis=0)
    total = None
    for vector, part in zip(ops.split(rows, len(parts), axis=1), parts, strict=True):
        one = unforeseen_one(vector)
        part = ops.cast(part, x.dtype)
        if total is None:
            total = tf.matmul(vector / one, part, transpose_b=True)
        else:
            total = total - tf.matmul(-vector / one, part, transpose_b=True)
    return ops.reshape(total, (*x.shape[:-1], outputs))


def int4_product(x, packed, scale):
    """float `(..., inputs)` times a matrix that `files.int4.to_int4` made.

    Args:
        x: float `(..., inputs)`, a few vectors in XLA.
        packed: uint8 `(outputs, bytes)`.
        scale: float `(outputs, groups)`.

    Returns:
        `(..., outputs)` in the dtype of `x`.
    """
    missing = 2 * packed.shape[1] - x.shape[-1]
    size = block_of(2 * packed.shape[1] // scale.shape[1])
    rows = ops.reshape(x, (-1, x.shape[-1]))
    if missing:
        rows = ops.pad(rows, ((0, 0), (0, missing)))
    # First all that belongs to lower halves of bytes, then the rest.
    rows = ops.reshape(rows, (rows.shape[0], -1, 2, size // 2))
    rows = ops.reshape(ops.transpose(rows, (0, 2, 1, 3)), (rows.shape[0], -1))

    def of_tile(columns, packed, scale):
        pairs = ops.reshape(
            tf.bitcast(packed, tf.int8), (*scale.shape, -1)
        )  # (outputs, groups, bytes of a group)
        scale = ops.cast(scale, columns.dtype)[..., None]
        halves = (ops.cast(half, columns.dtype) for half in (_low(pairs), _high(pairs)))
        low, high = (
            ops.reshape(half * scale, (1, packed.shape[0], -1)) for half in halves
        )
        first, second = ops.split(columns[None], 2, axis=1)
        return (ops.matmul(low, first) - ops.matmul(high, -second))[0]

    found = tiled(of_tile, rows, packed, scale)
    return ops.reshape(found, (*x.shape[:-1], packed.shape[0]))


def int4_values(packed, scale, inputs, dtype):
    """The floats that a matrix of `to_int4`, or some rows of it, stands for.

    Args:
        packed: uint8 `(..., bytes)`.
        scale: float `(..., groups)`.
        inputs: int.
        dtype: str.

    Returns:
        `(..., inputs)`.
    """
    size = block_of(2 * packed.shape[-1] // scale.shape[-1])
    shape = tuple(ops.shape(packed)[:-1])
    pairs = ops.reshape(tf.bitcast(packed, tf.int8), (*shape, -1, size // 2))
    values = ops.concatenate([_low(pairs), _high(pairs)], axis=-1)
    values = ops.reshape(ops.cast(values, dtype), (*shape, scale.shape[-1], -1))
    values = values * ops.cast(scale, dtype)[..., None]
    return ops.reshape(values, (*shape, 2 * packed.shape[-1]))[..., :inputs]


def tiled(of_tile, x, *parts):
    """A product of a few vectors with a matrix, one tile of it after the other.

    Args:
        of_tile: `of_tile(columns, *parts)`: float `(inputs, B)` and some rows of each
            part, to `(rows, B)`.
        x: float `(..., inputs)`, of B vectors.
        *parts: tensors, outputs on axis 0.

    Returns:
        float `(..., outputs)`.
    """
    x, *parts = compat.optimization_barrier(x, *parts)
    columns = ops.reshape(x, (-1, x.shape[-1]))
    columns = ops.transpose(columns / unforeseen_one(columns))
    outputs, count = parts[0].shape[0], columns.shape[1]
    size = max(1, TILE // columns.shape[0])
    if size >= outputs:
        found = of_tile(columns, *parts)
    else:

        def step(number, found):
            start = ops.minimum(number * size, outputs - size)  # the last ones overlap
            tiles = (
                ops.slice(
                    part,
                    (start, *[0] * (len(part.shape) - 1)),
                    (size, *part.shape[1:]),
                )
                for part in parts
            )
            values = of_tile(columns, *tiles)
            return number + 1, ops.slice_update(found, (start, 0), values)

        start = ops.convert_to_tensor(0, "int32")
        found = ops.zeros((outputs, count), x.dtype)
        number = -(-outputs // size)
        found = ops.while_loop(lambda at, _: at < number, step, (start, found))[1]
    return ops.reshape(ops.transpose(found), (*x.shape[:-1], outputs))


def unforeseen_one(values):
    """1 in the dtype of float `(B, size)`; XLA does not know it, as NaN is not NaN."""
    return ops.cast(values[0, 0] == values[0, 0], values.dtype)


def _low(pairs):
    """int8: the lower halves of int8, with their sign."""
    four = tf.constant(4, tf.int8)
    return tf.bitwise.right_shift(tf.bitwise.left_shift(pairs, four), four)


def _high(pairs):
    """int8: the upper halves of int8, with their sign."""
    return tf.bitwise.right_shift(pairs, tf.constant(4, tf.int8))
