"""Floors of models of sounds: what a sample costs whoever looks back a little.

All are in nats a sample, of the same codes that a model is charged for, fitted to the
training sounds and measured on others. Before a sound there is silence.
"""

import numpy as np

ORDER = 16  # samples that the linear prediction looks back
_PRIOR = 16.0  # samples that a code's own successors are believed for
_FITTED = 100  # sounds that scales are fitted to
_WINDOWS = (8, 16, 32, 64)  # residuals whose mean is the local scale
_FACTORS = np.geomspace(0.2, 1.2, 8)  # of that mean
_FLOORS = np.geomspace(1e-5, 1e-2, 7)  # added to it
_SMALLEST = 1e-9  # a probability


def floors(train, test, likelihood):
    """What three simple models charge for a sample.

    Args:
        train: list of float `(T,)` in [-1, 1].
        test: likewise.
        likelihood: `MuLaw` or `MixtureOfLogistics`, whose codes are charged.

    Returns:
        dict of float: `unigram`, each code by how often it came; `bigram`, by what
        followed the code before; `linear_prediction`, a logistic density around a
        linear prediction from the last 16 samples, its scale that of the last errors,
        over the interval of each code.
    """
    train, test = (
        [likelihood.codes(wave).numpy() for wave in waves] for waves in (train, test)
    )
    return {
        **_by_counts(train, test, likelihood),
        "linear_prediction": _by_prediction(train, test, likelihood),
    }


def _by_counts(train, test, likelihood):
    levels = likelihood.levels
    (known, before_known), (codes, before) = (
        (np.concatenate(part), np.concatenate([_before(x, likelihood) for x in part]))
        for part in (train, test)
    )
    counts = np.bincount(known, minlength=levels) + 1.0
    single = (counts / counts.sum())[codes]
    # Of 16 bits a table of all pairs would be too large.
    pairs, times = np.unique(levels * before_known + known, return_counts=True)
    asked = levels * before + codes
    place = np.minimum(np.searchsorted(pairs, asked), len(pairs) - 1)
    came = np.where(pairs[place] == asked, times[place], 0)
    seen = np.bincount(before_known, minlength=levels)[before]
    following = (came + _PRIOR * single) / (seen + _PRIOR)
    return {
        "unigram": float(-np.log(single).mean()),
        "bigram": float(-np.log(following).mean()),
    }


def _by_prediction(train, test, likelihood):
    squares, products = 1e-6 * np.eye(ORDER), np.zeros(ORDER)
    for codes in train:
        past, now = _past(likelihood.waves(codes).numpy())
        squares += past.T @ past
        products += past.T @ now
    weights = np.linalg.solve(squares, products)
    spread = max(1, len(train) // _FITTED)
    fitted = [_errors(codes, weights, likelihood) for codes in train[::spread]]
    settings = [
        (window, factor, floor)
        for window in _WINDOWS
        for factor in _FACTORS
        for floor in _FLOORS
    ]
    best = min(settings, key=lambda each: _charge(fitted, *each))
    return _charge([_errors(codes, weights, likelihood) for codes in test], *best)


def _before(codes, likelihood):
    return np.concatenate([[likelihood.silence], codes[:-1]]).astype("int64")


def _past(wave):
    """float `(T, ORDER)`, the samples before each, the nearest last, and `(T,)`."""
    padded = np.pad(wave, (ORDER, 0))[:-1]
    return np.lib.stride_tricks.sliding_window_view(padded, ORDER), wave


def _errors(codes, weights, likelihood):
    """Errors of the prediction, and the interval of each code around it."""
    past, now = _past(likelihood.waves(codes).numpy())
    predicted = past @ weights
    low, high = (
        likelihood.waves(codes + side).numpy() - predicted for side in (-0.5, 0.5)
    )
    low = np.where(codes == 0, -np.inf, low)
    high = np.where(codes == likelihood.levels - 1, np.inf, high)
    return now - predicted, low, high


def _charge(errors, window, factor, floor):
    """Mean nats of codes, by a logistic density of local scale."""
    nats, count = 0.0, 0
    for error, low, high in errors:
        total = np.cumsum(np.pad(np.abs(error), (window, 0)))
        recent = np.concatenate([[0], total[window:-1] - total[:-window][:-1]])
        scale = factor * recent / window + floor
        inside = _sigmoid(high / scale) - _sigmoid(low / scale)
        nats -= np.log(np.maximum(inside, _SMALLEST)).sum()
        count += len(error)
    return float(nats / count)


def _sigmoid(x):
    return 0.5 + 0.5 * np.tanh(x / 2)
