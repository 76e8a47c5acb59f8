"""Windows of text laid end to end, for models that count."""

import numpy as np
import tensorflow as tf


def collect_windows(x, y=None, sample_weight=None, steps=None):
    """Joins training windows into one array that remembers where each begins.

    A window is its tokens and, if there are targets, the last of them.

    Args:
        x: `tf.data.Dataset` of `(tokens, targets[, sample_weight])` batches, or int
            `(B, T)`.
        y: int `(B, T)` or `None`. The targets, if `x` is an array.
        sample_weight: `(B, T)` or `None`. 0 where a target is not to be learned.
        steps: int or `None`. Batches to read from a dataset.

    Returns:
        tuple `(tokens, ages, predicted)` of `(N,)` arrays: integers, the number of
        tokens before each in its window, and whether it is to be learned.

    Raises:
        ValueError: if a dataset is endless and `steps` is `None`, or empty, or if
            shapes do not fit.
    """
    if isinstance(x, tf.data.Dataset):
        batches = _batches(x, steps)
    else:
        batches = [(x, y, sample_weight)]
    joined = [_join(*batch) for batch in batches]
    if not joined:
        raise ValueError("`x` must hold at least one batch. Received: an empty dataset")
    return [np.concatenate(arrays) for arrays in zip(*joined, strict=True)]


def _batches(dataset, steps):
    endless = dataset.cardinality() == tf.data.INFINITE_CARDINALITY
    if endless and steps is None:
        raise ValueError(
            "`steps_per_epoch` must be an int for an endless dataset. Received: None"
        )
    dataset = dataset if steps is None else dataset.take(steps)
    for batch in dataset.as_numpy_iterator():
        yield batch if isinstance(batch, tuple) else (batch,)


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
        weight = np.ones(targets.shape) if sample_weight is None else sample_weight
        weight = np.asarray(weight)
        if not tokens.shape == targets.shape == weight.shape:
            raise ValueError(
                "`x`, `y` and `sample_weight` must have one shape. Received: "
                f"{tokens.shape}, {targets.shape}, {weight.shape}"
            )
        # A target that is not learned may be a filler outside the vocabulary.
        last = np.where(weight[:, -1:] > 0, targets[:, -1:], 0)
        tokens = np.concatenate([tokens, last], axis=1)  # (B, T + 1)
        learned = np.concatenate([learned[:, :1], weight > 0], axis=1)
    ages = np.broadcast_to(np.arange(tokens.shape[1]), tokens.shape)
    return tokens.ravel(), ages.ravel(), learned.ravel()
