"""Rules: what a text so far forbids or encourages as its next token.

Which rules a sampler has is part of the compiled program; their numbers are tensors,
so that new ones never compile anything.
"""

import dataclasses
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_genai.samplers.checks import check_integer, check_number

BANNED = -1e30  # not -inf: if everything is banned the softmax is still defined


class History(NamedTuple):
    """What a rule may look at.

    Attributes:
        tokens: int32 `(B, H)`. Each row's real tokens, prompt included, without gaps.
        lengths: int32 `(B,)`. How many of them there are.
        stops: bool `(V,)`. The tokens that end a text.
    """

    tokens: tf.Tensor
    lengths: tf.Tensor
    stops: tf.Tensor


@dataclasses.dataclass(frozen=True)
class RepetitionPenalty:
    """Makes every token that has appeared less likely, prompt included.

    Args:
        penalty: float > 0. Positive logits are divided by it, negative ones
            multiplied; above 1 discourages.

    Raises:
        ValueError: if `penalty` is not positive.

    Reference: Keskar et al. 2019, section 4.1, https://arxiv.org/abs/1909.05858
    """

    penalty: float

    def __post_init__(self):
        check_number("penalty", self.penalty, "a number > 0", lambda value: value > 0)

    def numbers(self, vocabulary_size):
        return np.float32(self.penalty)

    def apply(self, logits, history, penalty):
        seen = _present(history.tokens, _is_real(history), logits.shape[-1])
        changed = tf.where(logits < 0, logits * penalty, logits / penalty)
        return tf.where(seen, changed, logits)


@dataclasses.dataclass(frozen=True)
class NoRepeatNgram:
    """Forbids every run of `size` tokens to appear twice, prompt included.

    Args:
        size: int >= 1.

    Raises:
        ValueError: if `size` is below 1.
    """

    size: int

    def __post_init__(self):
        check_integer("size", self.size, 1)

    def numbers(self, vocabulary_size):
        return np.int32(self.size)

    def apply(self, logits, history, size):
        tokens, lengths, _ = history
        places = tf.range(tokens.shape[1])[None]

        def compare(back, follows):
            """Keeps the places whose token `back` before is the text's own."""
            own = tf.gather(tokens, tf.maximum(lengths - back, 0), batch_dims=1)
            return back + 1, follows & (tf.roll(tokens, back, axis=1) == own[:, None])

        # The places where the last size - 1 tokens have appeared just before.
        follows = _is_real(history) & (places >= size - 1)
        _, follows = tf.while_loop(
            lambda back, _: back < size, compare, (tf.constant(1), follows)
        )
        repeats = _present(tokens, follows, logits.shape[-1])
        return tf.where(repeats, BANNED, logits)


@dataclasses.dataclass(frozen=True)
class MinLength:
    """Forbids the end of a text before it has so many tokens.

    Args:
        length: int >= 0. Tokens, prompt included.

    Raises:
        ValueError: if `length` is negative.
    """

    length: int

    def __post_init__(self):
        check_integer("length", self.length, 0)

    def numbers(self, vocabulary_size):
        return np.int32(self.length)

    def apply(self, logits, history, length):
        too_short = (history.lengths < length)[:, None]
        return tf.where(too_short & history.stops[None], BANNED, logits)


@dataclasses.dataclass(frozen=True)
class LogitBias:
    """Adds a number to the logits of some tokens.

    Args:
        biases: dict of token to float. `-inf` forbids a token.

    Raises:
        TypeError: if `biases` is not a dict of int to float.
        ValueError: if a bias is NaN or `inf`.
    """

    biases: dict

    def __post_init__(self):
        if not isinstance(self.biases, dict):
            raise TypeError(
                "`biases` must be a dict of token to float. "
                f"Received: biases={self.biases!r}"
            )
        for token, bias in self.biases.items():
            check_integer("token", token, 0)
            check_number("bias", bias, "below inf", lambda value: value < math.inf)

    def numbers(self, vocabulary_size):
        dense = np.zeros(vocabulary_size, "float32")
        for token, bias in self.biases.items():
            if token >= vocabulary_size:
                raise ValueError(
                    f"`biases` must be about tokens below {vocabulary_size}. "
                    f"Received: {token=}"
                )
            dense[token] = max(bias, BANNED)
        return dense

    def apply(self, logits, history, biases):
        return logits + biases[None]


def apply_rules(rules, logits, history, numbers):
    """Applies rules in their order.

    Args:
        rules: sequence of rules.
        logits: float32 `(B, V)`.
        history: `History`.
        numbers: sequence of what `rule.numbers` returned, a rule each.

    Returns:
        float32 `(B, V)`.
    """
    for rule, number in zip(rules, numbers, strict=True):
        logits = rule.apply(logits, history, number)
    return logits


def _is_real(history):
    """bool `(B, H)`: the places that hold a token."""
    return tf.range(history.tokens.shape[1])[None] < history.lengths[:, None]


def _present(tokens, where, vocabulary_size):
    """bool `(B, V)`: the tokens that stand at a true place."""
    batch, length = tokens.shape
    rows = tf.broadcast_to(tf.range(batch)[:, None], (batch, length))
    # False places write to a column of their own, which is then cut off.
    columns = tf.where(where, tokens, vocabulary_size)
    places = tf.stack([rows, columns], axis=-1)
    counts = tf.scatter_nd(
        places, tf.cast(where, tf.int32), (batch, vocabulary_size + 1)
    )
    return counts[:, :vocabulary_size] > 0
