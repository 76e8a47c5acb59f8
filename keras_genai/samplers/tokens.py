"""Samplers: how the next token follows from a model's logits."""

import dataclasses

import numpy as np
import tensorflow as tf

from keras_genai import draws
from keras_genai.checks import check_integer, check_number, check_size
from keras_genai.samplers.rules import apply_rules, check_rules

NO_LIMIT = np.iinfo("int32").max
COLDEST = 1e-6  # a temperature that any logit may be divided by, forbidden ones too


@dataclasses.dataclass(frozen=True)
class Greedy:
    """Always the most likely token; the first one among equals.

    Args:
        rules: tuple of rules, applied in this order.
    """

    rules: tuple = ()

    def __post_init__(self):
        check_rules(self.rules)

    @property
    def structure(self):
        return (type(self), _kinds(self.rules))

    def numbers(self, vocabulary_size):
        return {"rules": _rule_numbers(self.rules, vocabulary_size)}

    def choose(self, logits, history, seed, numbers):
        """int32 `(B,)` from float32 `(B, V)`, in a compiled loop."""
        logits = apply_rules(self.rules, logits, history, numbers["rules"])
        return likeliest(logits)


@dataclasses.dataclass(frozen=True)
class Sample:
    """Draws the token, from the whole distribution or from its likely part.

    What is given is applied in the order of the arguments, each to what the one before
    has left, renormalised.

    Args:
        temperature: float > 0. Divides the logits; below 1e-6 as 1e-6.
        top_k: int >= 1 or `None`. Keeps the k most likely tokens.
        top_p: float in (0, 1] or `None`. Keeps the fewest tokens of that probability.
        min_p: float in [0, 1] or `None`. Keeps tokens at least so likely, relative to
            the likeliest.
        typical_p: float in (0, 1] or `None`. Keeps the tokens whose surprise is
            nearest to the expected one, up to that probability.
        rules: tuple of rules, applied before all of this.

    Raises:
        TypeError: if an argument is not a number.
        ValueError: if an argument is out of its range.

    Reference: Fan et al. 2018 (top-k), https://arxiv.org/abs/1805.04833; Holtzman et
        al. 2020 (top-p), https://arxiv.org/abs/1904.09751; Nguyen et al. 2024 (min-p),
        https://arxiv.org/abs/2407.01082; Meister et al. 2022, equation 10 (typical),
        https://arxiv.org/abs/2202.00666
    """

    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    rules: tuple = ()

    def __post_init__(self):
        check_rules(self.rules)
        check_number(
            "temperature",
            self.temperature,
            "a number > 0 (for the most likely token use Greedy())",
            lambda value: 0 < value < float("inf"),
        )
        if self.top_k is not None:
            check_integer("top_k", self.top_k, 1)
        for name in ("top_p", "typical_p"):
            if getattr(self, name) is not None:
                allowed = "a number in (0, 1]"
                check_number(name, getattr(self, name), allowed, lambda p: 0 < p <= 1)
        if self.min_p is not None:
            allowed = "a number in [0, 1]"
            check_number("min_p", self.min_p, allowed, lambda p: 0 <= p <= 1)

    @property
    def structure(self):
        names = ("top_k", "top_p", "min_p", "typical_p")
        given = tuple(name for name in names if getattr(self, name) is not None)
        return (type(self), given, _kinds(self.rules))

    def numbers(self, vocabulary_size):
        numbers = {
            "temperature": np.float32(max(self.temperature, COLDEST)),
            "rules": _rule_numbers(self.rules, vocabulary_size),
        }
        if self.top_k is not None:
            numbers["top_k"] = np.int32(min(self.top_k, vocabulary_size))
        if self.top_p is not None:
            numbers["top_p"] = _mass(self.top_p)
        if self.min_p is not None:
            with np.errstate(divide="ignore"):  # min_p=0 keeps everything
                numbers["min_p"] = np.log(np.float32(self.min_p))
        if self.typical_p is not None:
            numbers["typical_p"] = _mass(self.typical_p)
        return numbers

    def choose(self, logits, history, seed, numbers):
        """int32 `(B,)` from float32 `(B, V)`, in a compiled loop."""
        logits = apply_rules(self.rules, logits, history, numbers["rules"])
        logits = self.restrict(logits, numbers)
        return draws.categorical(logits, draws.uniform(seed, history.lengths))

    def restrict(self, logits, numbers):
        """The logits to draw from: divided, and `-inf` where they are ruled out."""
        logits = logits / numbers["temperature"]
        if "top_k" in numbers:
            ones = tf.ones_like(logits, tf.int32)
            logits = _keep(draws.heaviest(logits, ones, numbers["top_k"]), logits)
        if "top_p" in numbers:
            weights = draws.fixed_point(tf.nn.softmax(logits))
            logits = _keep(draws.heaviest(logits, weights, numbers["top_p"]), logits)
        if "min_p" in numbers:
            best = tf.reduce_max(logits, axis=-1, keepdims=True)
            logits = _keep(logits >= best + numbers["min_p"], logits)
        if "typical_p" in numbers:
            probabilities = tf.nn.softmax(logits)
            weights = draws.fixed_point(probabilities)
            surprise = -tf.nn.log_softmax(logits)
            parts = tf.where(probabilities > 0, probabilities * surprise, 0.0)
            entropy = tf.reduce_sum(parts, axis=-1, keepdims=True)
            nearness = -tf.abs(surprise - entropy)
            kept = draws.heaviest(nearness, weights, numbers["typical_p"])
            logits = _keep(kept, logits)
        return logits


@dataclasses.dataclass(frozen=True)
class Beam:
    """Beam search: the best text found by keeping `width` candidates at every step.

    A finished text is scored by its log-probability over `length ** length_penalty`,
    the length counting generated tokens, its end token included. Scores, order and
    stopping are those of transformers 5.

    Args:
        width: int from 1 to 65536. Candidates kept.
        length_penalty: float. Above 0 favours long texts, below 0 short ones.
        early_stopping: `True` ends with `width` finished candidates; `False` when
            the best open one could not win at its present length; `"never"` when
            it could not win at any length.
        rules: tuple of rules, applied to log-probabilities.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if `width` is out of range or `early_stopping` not one of the three.
    """

    width: int = 4
    length_penalty: float = 1.0
    early_stopping: bool | str = False
    rules: tuple = ()

    def __post_init__(self):
        check_rules(self.rules)
        check_size("width", self.width)
        finite = (-float("inf"), float("inf"))
        check_number(
            "length_penalty",
            self.length_penalty,
            "a finite number",
            lambda value: finite[0] < value < finite[1],
        )
        # Not `in`: an array would be compared number by number.
        if not isinstance(self.early_stopping, bool) and (
            not isinstance(self.early_stopping, str) or self.early_stopping != "never"
        ):
            raise ValueError(
                '`early_stopping` must be True, False or "never". '
                f"Received: early_stopping={self.early_stopping!r}"
            )

    @property
    def structure(self):
        return (type(self), self.width, self.early_stopping, _kinds(self.rules))

    def numbers(self, vocabulary_size):
        return {
            "length_penalty": np.float32(self.length_penalty),
            "rules": _rule_numbers(self.rules, vocabulary_size),
        }


def likeliest(logits):
    """int32 `(B,)`: the first of the largest of float32 `(B, V)`."""
    # Two plain reductions; XLA's argmax carries pairs and is three times slower.
    best = tf.reduce_max(logits, axis=-1, keepdims=True)
    last = logits.shape[-1] - 1
    return tf.reduce_min(
        tf.where(logits == best, tf.range(last + 1)[None], last), axis=-1
    )


def check_sampler(sampler: object) -> None:
    """Raises unless `sampler` is one.

    Raises:
        TypeError: if it is something else.
    """
    if not isinstance(sampler, Greedy | Sample | Beam):
        raise TypeError(
            f"`sampler` must be a Greedy, Sample or Beam. Received: sampler={sampler!r}"
        )


def _kinds(rules):
    return tuple(type(rule) for rule in rules)


def _rule_numbers(rules, vocabulary_size):
    return tuple(rule.numbers(vocabulary_size) for rule in rules)


def _mass(probability):
    """A probability in fixed point, never 0: one token is kept always.

    1 keeps all, however the weights were rounded.
    """
    if probability >= 1:
        return np.int32(NO_LIMIT)
    return np.int32(max(1, round(probability * draws.UNIT)))


def _keep(kept, logits):
    return tf.where(kept, logits, -float("inf"))
