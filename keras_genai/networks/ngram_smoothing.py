"""From n-gram counts to probabilities: one object for each way of smoothing.

Every way has the same form. Given its context, a token gets the `fractions` of
its n-gram, if that was seen, plus the context's `leftover` times what a simpler
distribution says: the next shorter context's, or the uniform one.
"""

import dataclasses

import numpy as np

from keras_genai.networks.ngram_tables import continuation_counts, find
from keras_genai.registry import register

# Counts of counts of tiny texts can ask for negative discounts (n3 much above n2).
# A positive one keeps every token possible after every context.
MIN_DISCOUNT = 0.1


@dataclasses.dataclass(frozen=True)
class Weights:
    """One level, ready for look-ups.

    Args:
        contexts: int64 `(C,)`, as in `Level`.
        predictions: int64 `(E,)`, as in `Level`.
        fractions: float64 `(E,)`. Probability that an n-gram has by itself.
        leftover: float64 `(C,)`. Share of the simpler distribution.
    """

    contexts: np.ndarray
    predictions: np.ndarray
    fractions: np.ndarray
    leftover: np.ndarray


class Smoothing:
    """Base class: which counts, how they become shares, and what the rest goes to.

    Attributes:
        backs_off: bool. `True` if the leftover goes to the next shorter context,
            `False` if to the uniform distribution.
    """

    backs_off = False

    def get_config(self):
        return dataclasses.asdict(self)

    def counts(self, levels, vocabulary_size):
        """The counts to be smoothed: list of int64 `(E,)`, one a level."""
        return [level.counts for level in levels]

    def discounts(self, counts, rows, total, vocabulary_size):
        """What is taken from each n-gram and what is added to each context.

        Args:
            counts: int64 `(E,)`.
            rows: int64 `(E,)`. The context of each.
            total: float64 `(C,)`. Sum of the counts of each context.
            vocabulary_size: int.

        Returns:
            tuple of floats `(E,)` and `(C,)`, in counts.
        """
        raise NotImplementedError

    def weigh(self, levels, vocabulary_size):
        """Probabilities for every level.

        Args:
            levels: list of `ngram_tables.Level`.
            vocabulary_size: int.

        Returns:
            list of `Weights`.
        """
        return [
            self._weigh_level(level, counts, vocabulary_size)
            for level, counts in zip(
                levels, self.counts(levels, vocabulary_size), strict=True
            )
        ]

    def _weigh_level(self, level, counts, vocabulary_size):
        rows = level.predictions // vocabulary_size  # (E,)
        size = level.contexts.size
        total = np.bincount(rows, counts, size)
        taken, added = self.discounts(counts, rows, total, vocabulary_size)
        kept = counts - taken
        mass = np.bincount(rows, kept, size) + added  # (C,)
        # Only the very beginning of a text can have no continuation at all.
        empty = mass == 0
        mass[empty] = 1.0
        leftover = np.where(empty, 1.0, added / mass)
        return Weights(level.contexts, level.predictions, kept / mass[rows], leftover)


@register
@dataclasses.dataclass(frozen=True)
class MaximumLikelihood(Smoothing):
    """Relative frequencies.

    What was never seen after a known context has probability zero, so the loss on new
    text is usually infinite. After an unknown context every token is equally likely.
    """

    def discounts(self, counts, rows, total, vocabulary_size):
        return np.zeros(counts.size), np.zeros(total.size)


@register
@dataclasses.dataclass(frozen=True)
class AddK(Smoothing):
    """Every token is counted `k` times more, after every context.

    Args:
        k: float > 0. 1 is Laplace's rule.

    Raises:
        ValueError: if `k` is not above 0.
    """

    k: float = 1.0

    def __post_init__(self):
        if not 0 < self.k < np.inf:
            raise ValueError(f"`k` must be a finite float > 0. Received: k={self.k}")

    def discounts(self, counts, rows, total, vocabulary_size):
        added = np.full(total.size, self.k * vocabulary_size)
        return np.zeros(counts.size), added


@register
@dataclasses.dataclass(frozen=True)
class KneserNey(Smoothing):
    """Interpolated modified Kneser-Ney.

    The longest n-grams keep their counts; shorter ones count the different tokens
    before them. Each level has three discounts, for counts of 1, 2 and more, from
    its own counts of counts; these are taken as at least 1. Single tokens are
    interpolated with the uniform distribution.

    Reference: Chen and Goodman 1998, TR-10-98, section 3, equations 26 and 27
    """

    backs_off = True

    def counts(self, levels, vocabulary_size):
        return continuation_counts(levels, vocabulary_size)

    def discounts(self, counts, rows, total, vocabulary_size):
        by_count = np.concatenate([[0.0], modified_discounts(counts)])
        taken = by_count[np.minimum(counts, 3)]
        return taken, np.bincount(rows, taken, total.size)


def check_smoothing(name, value):
    """Raises a `ValueError` unless `value` is a `Smoothing`."""
    if not isinstance(value, Smoothing):
        raise ValueError(
            f"`{name}` must be KneserNey(), AddK(k) or MaximumLikelihood(). "
            f"Received: {name}={value!r}"
        )


def modified_discounts(counts):
    """The discounts D1, D2 and D3+ of n-grams seen once, twice and more often.

    Args:
        counts: int `(E,)`.

    Returns:
        float64 `(3,)`, the i-th in `[MIN_DISCOUNT, i)`.
    """
    seen = [max(np.count_nonzero(counts == number), 1) for number in (1, 2, 3, 4)]
    share = seen[0] / (seen[0] + 2 * seen[1])
    discounts = [
        number - (number + 1) * share * seen[number] / seen[number - 1]
        for number in (1, 2, 3)
    ]
    return np.maximum(discounts, MIN_DISCOUNT)


def log_probabilities(weights, tokens, vocabulary_size, backs_off, ages=None):
    """Scores every token given what precedes it.

    Args:
        weights: list of `Weights`, one a level.
        tokens: int64 `(N,)`.
        vocabulary_size: int.
        backs_off: bool. `Smoothing.backs_off`.
        ages: int `(N,)` or `None`, as in `count_ngrams`.

    Returns:
        float64 `(N,)`, natural logarithms; `-inf` where the model says never.
    """
    count = tokens.size
    ages = np.arange(count) if ages is None else ages
    uniform = np.full(count, 1.0 / vocabulary_size)
    probabilities = uniform
    contexts = np.zeros(count, np.int64)
    known = np.ones(count, bool)
    for length, level in enumerate(weights):
        reaches = ages >= length
        if length:
            older = np.zeros(count, np.int64)
            older[length:] = tokens[: count - length]
            contexts, found = find(level.contexts, contexts * vocabulary_size + older)
            known &= found & reaches
        places, seen = find(level.predictions, contexts * vocabulary_size + tokens)
        simpler = probabilities if backs_off else uniform
        here = level.leftover[contexts] * simpler
        here += np.where(seen, level.fractions[places], 0.0)
        here = np.where(known, here, simpler)
        probabilities = np.where(reaches, here, probabilities)
    with np.errstate(divide="ignore"):
        return np.log(probabilities)
