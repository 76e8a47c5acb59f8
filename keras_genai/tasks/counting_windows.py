"""Windows of text laid end to end, to be counted."""

import itertools

import numpy as np
import tensorflow as tf

from keras_genai import compat
from keras_genai.checks import check_number


def collect_windows(x, y=None, sample_weight=None, steps=None):
    """Joins training windows into one array that remembers where each begins.

    A window is its tokens and, if there are targets, the last of them.

    Args:
        x: what gives batches of `(tokens, targets[, sample_weight])`, such as a
            `tf.data.Dataset`, a `PyDataset` or a generator; or int `(B, T)`.
        y: int `(B, T)` or `None`. The targets, if `x` is an array.
        sample_weight: `(B, T)` or `(B,)`, or `None`. 0 where a target is not to be
            learned, 1 elsewhere.
        steps: int or `None`. Batches to read from a dataset.

    Returns:
        tuple `(tokens, ages, predicted)` of `(N,)` arrays: integers, the number of
        tokens before each in its window, and whether it is to be learned.

    Raises:
        ValueError: if a dataset is endless and `steps` is `None`, or empty, or if
            shapes do not fit.
    """
    batches = [(x, y, sample_weight)] if is_array(x) else _batches(x, steps)
    joined = [_join(*batch) for batch in batches]
    if not joined:
        raise ValueError("`x` must hold at least one batch. Received: an empty dataset")
    return [np.concatenate(arrays) for arrays in zip(*joined, strict=True)]


def is_array(x):
    """Whether `x` is tokens, and not what gives batches of them."""
    return hasattr(x, "__array__") or isinstance(x, list | tuple)


def split_windows(x, y, sample_weight, share):
    """The last windows apart from the others.

    Args:
        x, y, sample_weight: see `collect_windows`; `x` is int `(B, T)`.
        share: float. How many of the windows are last ones.

    Returns:
        `((x, y, sample_weight), (x, y, sample_weight))`.

    Raises:
        TypeError: if `share` is not a number.
        ValueError: if it leaves no window on a side, or if `x` is no windows.
    """
    check_number("validation_split", share, "a number above 0 and below 1", _is_share)
    if not is_array(x) or np.ndim(x) != 2:
        raise ValueError(
            "`validation_split` must be 0 unless `x` is an array of windows (B, T). "
            f"Received: validation_split={share}"
        )
    count = int(len(x) * (1 - share))
    if not 0 < count < len(x):
        raise ValueError(
            f"`validation_split` must leave some of {len(x)} windows on both sides. "
            f"Received: validation_split={share}"
        )
    arrays = [None if each is None else np.asarray(each) for each in (x, y)]
    arrays.append(None if sample_weight is None else np.asarray(sample_weight))
    return tuple(
        tuple(None if each is None else each[rows] for each in arrays)
        for rows in (slice(count), slice(count, None))
    )


def _is_share(value):
    return 0 < value < 1


def _batches(data, steps):
    adapter = compat.get_data_adapter(data)
    endless = isinstance(data, tf.data.Dataset) and (
        data.cardinality() == tf.data.INFINITE_CARDINALITY
    )
    if endless and steps is None:
        raise ValueError(
            "`steps_per_epoch` must be an int for an endless dataset. Received: None"
        )
    steps = adapter.num_batches if steps is None else steps
    for batch in itertools.islice(adapter.get_numpy_iterator(), steps):
        yield batch if isinstance(batch, tuple | list) else (batch,)


def _join(tokens, targets=None, sample_weight=None):
    tokens = np.asarray(tokens)
    if tokens.ndim != 2:
        raise ValueError(
            f"`x` must be windows `(B, T)` or one text `(N,)`. "
            f"Received: shape {tokens.shape}"
        )
    learned = np.ones(tokens.shape, bool)
    if targets is not None:
        targets = np.asarray(targets)
        weight = _weights(sample_weight, targets.shape)
        if not tokens.shape == targets.shape == weight.shape:
            raise ValueError(
                "`x`, `y` and `sample_weight` must have one shape. Received: "
                f"{tokens.shape}, {targets.shape}, {weight.shape}"
            )
        # A target that is not learned may be a filler outside the vocabulary.
        last = np.where(weight[:, -1:], targets[:, -1:], 0)
        tokens = np.concatenate([tokens, last], axis=1)  # (B, T + 1)
        learned = np.concatenate([learned[:, :1], weight], axis=1)
    ages = np.broadcast_to(np.arange(tokens.shape[1]), tokens.shape)
    return tokens.ravel(), ages.ravel(), learned.ravel()


def _weights(weight, shape):
    """bool `(B, T)`: which targets are to be learned."""
    if weight is None:
        return np.ones(shape, bool)
    weight = np.asarray(weight)
    if not np.isin(weight, (0, 1)).all():
        raise ValueError(
            "`sample_weight` must be 0 or 1: a count cannot weigh more than another. "
            f"Received: values from {weight.min()} to {weight.max()}"
        )
    if weight.ndim == 1 and len(weight) == shape[0]:
        weight = np.broadcast_to(weight[:, None], shape)
    return weight != 0
