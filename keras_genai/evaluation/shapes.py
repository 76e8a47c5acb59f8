"""How near sets of objects made of points are to each other, by Chamfer distances.

Reference: Yang et al. 2019 (PointFlow), section 5.1, https://arxiv.org/abs/1906.12320
"""

import numpy as np
import tensorflow as tf

_MOST = 2**24  # distances of points in memory at once


def chamfer_distances(first, second):
    """How far every object of one set is from every object of another.

    The mean of the squared distances of an object's points to the nearest points of the
    other, and the same the other way round, added up.

    Args:
        first: float `(N, P, 3)`.
        second: float `(M, Q, 3)`.

    Returns:
        float32 `(N, M)`, in squared units of the coordinates.

    Raises:
        ValueError: if a shape is another.
    """
    first, second = _checked("first", first), _checked("second", second)
    pairs = max(1, _MOST // (first.shape[1] * second.shape[1]))
    rows = max(1, pairs // len(second))
    columns = min(len(second), pairs)
    found = np.zeros((len(first), len(second)), "float32")
    for row in range(0, len(first), rows):
        for column in range(0, len(second), columns):
            here = slice(row, row + rows), slice(column, column + columns)
            found[here] = _chamfer(first[here[0]], second[here[1]]).numpy()
    return found


def shape_scores(made, real, distances=None):
    """Whether made objects are like real ones, and as diverse.

    Args:
        made: float `(N, P, 3)`.
        real: float `(M, Q, 3)`, N and M at least 2.
        distances: float `(M, M)` of the real ones among each other, or `None`.

    Returns:
        dict of str to float: `minimum_distance`, how far the nearest made object is
        from a real one, on average (MMD); `coverage`, the share of real objects that
        are nearest to some made one; `nearest_neighbour_accuracy`, how often the
        nearest of all others tells what is made from what is real: 0.5 is best, 1 means
        that they are apart.

    Raises:
        ValueError: if a shape is another, or there are fewer than two.
    """
    made, real = _checked("made", made, 2), _checked("real", real, 2)
    across = chamfer_distances(made, real)
    if distances is None:
        distances = chamfer_distances(real, real)
    within = chamfer_distances(made, made)
    whole = np.block([[within, across], [across.T, distances]])
    np.fill_diagonal(whole, np.inf)
    is_made = np.arange(len(whole)) < len(made)
    same = is_made[whole.argmin(axis=1)] == is_made
    return {
        "minimum_distance": float(across.min(axis=0).mean()),
        "coverage": len({*across.argmin(axis=1).tolist()}) / len(real),
        "nearest_neighbour_accuracy": float(same.mean()),
    }


def _checked(name, objects, least=1):
    objects = np.asarray(objects, "float32")
    if objects.ndim != 3 or objects.shape[-1] != 3 or 0 in objects.shape:
        raise ValueError(
            f"`{name}` must be of shape (N, P, 3). Received: shape {objects.shape}"
        )
    if len(objects) < least:
        raise ValueError(
            f"`{name}` must be at least {least} objects. Received: {len(objects)}"
        )
    return objects


@tf.function(reduce_retracing=True)
def _chamfer(first, second):
    # In full, not by |a|^2 - 2ab + |b|^2, which loses what is near.
    squares = 0.0
    for axis in range(3):
        apart = first[:, None, :, None, axis] - second[None, :, None, :, axis]
        squares += tf.square(apart)  # (n, m, P, Q)
    there = tf.reduce_mean(tf.reduce_min(squares, axis=3), axis=2)
    back = tf.reduce_mean(tf.reduce_min(squares, axis=2), axis=2)
    return there + back
