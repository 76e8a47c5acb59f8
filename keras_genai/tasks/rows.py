"""What a function finds of many rows, a batch of one shape at a time."""

import keras
import numpy as np
from keras import ops


def over_rows(function, count, size):
    """What a function finds of so many rows.

    The last batch is filled up with the last row, so that one shape is compiled.

    Args:
        function: of int32 `(B,)`, numbers of rows; it returns tensors or arrays
            `(B, ...)`, one or a nest of them.
        count: int, N, at least 1.
        size: int, B, at least 1. Rows that are read at once; N if there are fewer.

    Returns:
        Arrays `(N, ...)` as `function` returns them.
    """
    size = min(size, count)
    found = []
    for begin in range(0, count, size):
        rows = np.minimum(np.arange(begin, begin + size), count - 1).astype("int32")
        found.append(keras.tree.map_structure(ops.convert_to_numpy, function(rows)))
    return keras.tree.map_structure(
        lambda *parts: np.concatenate(parts)[:count], *found
    )
