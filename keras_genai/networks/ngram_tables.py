"""Sorted tables of n-gram counts, in NumPy: no loop over tokens.

A *context* is what precedes a token. The contexts of one length form a level; a
context is named by its rank in its level and found by extending the next shorter
one to the left, so one walk from the most recent token backwards visits every
level that a smoothed model needs.
"""

import dataclasses
import itertools

import numpy as np


@dataclasses.dataclass(frozen=True)
class Level:
    """All n-grams of one length. Level 0 holds single tokens and one empty context.

    Args:
        contexts: int64 `(C,)`, ascending: `shorter_context * vocabulary_size +
            oldest_token`. The place in this array is the context's number.
        predictions: int64 `(E,)`, ascending: `context * vocabulary_size + token`.
        counts: int64 `(E,)`. How often the token followed the context.
    """

    contexts: np.ndarray
    predictions: np.ndarray
    counts: np.ndarray


def check_tokens(tokens, vocabulary_size, ndim=1):
    """Integer tokens as an int64 array.

    Raises:
        ValueError: if the shape is wrong, or a token is not an integer in
            `[0, vocabulary_size)`.
    """
    tokens = np.asarray(tokens)
    if tokens.ndim != ndim or tokens.dtype.kind not in "iu":
        raise ValueError(
            f"`tokens` must be an integer array with {ndim} axis. "
            f"Received: shape {tokens.shape}, {tokens.dtype}"
        )
    tokens = tokens.astype(np.int64, copy=False)
    if tokens.size and (tokens.min() < 0 or tokens.max() >= vocabulary_size):
        raise ValueError(
            f"`tokens` must lie in [0, {vocabulary_size}). "
            f"Received: values from {tokens.min()} to {tokens.max()}"
        )
    return tokens


def find(keys, queries):
    """Looks values up in an ascending array.

    Returns:
        tuple of int64 places and bools, both shaped like `queries`. Where the bool
        is `False` the place is valid but holds another key.
    """
    if not keys.size:
        return np.zeros(queries.shape, np.int64), np.zeros(queries.shape, bool)
    places = np.minimum(np.searchsorted(keys, queries), keys.size - 1)
    return places, keys[places] == queries


def count_ngrams(tokens, vocabulary_size, order, ages=None, predicted=None):
    """Counts every n-gram of length 1 to `order`.

    Args:
        tokens: int64 `(N,)`: one text, or several laid end to end.
        vocabulary_size: int.
        order: int >= 1.
        ages: int `(N,)` or `None` (one text). How many tokens precede each one in
            its own text; no n-gram reaches over a beginning.
        predicted: bool `(N,)` or `None` (all). Which tokens count as predictions;
            the others are only context.

    Returns:
        list of `order` `Level`s.
    """
    positions = np.arange(tokens.size)
    if predicted is not None:
        positions = positions[predicted]
    contexts = np.zeros(1, np.int64)
    numbers = np.zeros(positions.size, np.int64)  # of each position's context
    levels = []
    for length in range(order):
        if length:
            old = positions if ages is None else ages[positions]
            long_enough = old >= length
            positions, numbers = positions[long_enough], numbers[long_enough]
            keys = numbers * vocabulary_size + tokens[positions - length]
            contexts, numbers = np.unique(keys, return_inverse=True)
        keys = numbers * vocabulary_size + tokens[positions]
        levels.append(Level(contexts, *np.unique(keys, return_counts=True)))
    return levels


def shorten(longer, level, vocabulary_size):
    """Where each n-gram of `longer` is found in `level` without its oldest token.

    Returns:
        int64 places `(E_longer,)` and bools, as `find`.
    """
    contexts, tokens = np.divmod(longer.predictions, vocabulary_size)
    shorter = longer.contexts[contexts] // vocabulary_size
    return find(level.predictions, shorter * vocabulary_size + tokens)


def continuation_counts(levels, vocabulary_size):
    """How many different tokens precede each n-gram; the longest keep their counts.

    Returns:
        list of int64 `(E,)`, one a level.

    Reference: Chen and Goodman 1998, section 2.7, equation 20
    """
    counts = [level.counts for level in levels]
    for number, (level, longer) in enumerate(itertools.pairwise(levels)):
        places, _ = shorten(longer, level, vocabulary_size)
        counts[number] = np.bincount(places, minlength=level.predictions.size)
    return counts


def to_arrays(levels):
    """The levels as a flat dict of arrays, in the smallest dtypes that hold them."""
    return {
        f"{field.name}_{number}": _smallest(getattr(level, field.name))
        for number, level in enumerate(levels)
        for field in dataclasses.fields(Level)
    }


def _smallest(array):
    """The same numbers, all at least 0, in as few bytes as they need."""
    return array.astype(np.min_scalar_type(array.max(initial=0)))


def from_arrays(arrays, vocabulary_size, order):
    """The inverse of `to_arrays`. Nothing in a damaged file goes unnoticed.

    Raises:
        ValueError: if a table is missing, unknown, unsorted, out of range, or does
            not fit the others.
    """
    names = [field.name for field in dataclasses.fields(Level)]
    expected = {f"{name}_{number}" for number in range(order) for name in names}
    if set(arrays) != expected:
        raise ValueError(
            f"`tables` of order {order} must hold {sorted(expected)}. "
            f"Received: {sorted(arrays)}"
        )
    levels = []
    for number in range(order):
        level = Level(*(_to_int64(f"{name}_{number}", arrays) for name in names))
        _check_level(level, number, levels, vocabulary_size)
        levels.append(level)
    return levels


def _to_int64(name, arrays):
    array = np.asarray(arrays[name])
    if array.ndim != 1 or array.dtype.kind not in "iu":
        _refuse(name, "ints with one axis", array)
    return array.astype(np.int64, copy=False)


def _check_level(level, number, shorter, vocabulary_size):
    if level.counts.shape != level.predictions.shape or (level.counts < 1).any():
        _refuse(f"counts_{number}", "positive, one for each prediction", level.counts)

    parents = shorter[-1].contexts.size if shorter else 1
    contexts_above = parents * vocabulary_size if shorter else 1
    predictions_above = level.contexts.size * vocabulary_size
    _check_keys(f"contexts_{number}", level.contexts, contexts_above)
    _check_keys(f"predictions_{number}", level.predictions, predictions_above)
    if not shorter:
        known = level.contexts.size == 1
    else:
        known = shorten(level, shorter[-1], vocabulary_size)[1].all()
    if not known:
        _refuse(
            f"predictions_{number}",
            f"n-grams whose endings are in level {number - 1}",
            level.predictions,
        )


def _check_keys(name, keys, above):
    in_range = not keys.size or (keys[0] >= 0 and keys[-1] < above)
    if not in_range or (np.diff(keys) <= 0).any():
        _refuse(name, f"strictly ascending in [0, {above})", keys)


def _refuse(name, allowed, array):
    raise ValueError(
        f"table `{name}` must be {allowed}. "
        f"Received: {array.dtype} {array.shape}, {np.array2string(array, threshold=6)}"
    )
