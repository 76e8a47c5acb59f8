"""Rules about places of a text: what stands there, or must not."""

import dataclasses

import numpy as np
import tensorflow as tf

from keras_genai.checks import check_integer
from keras_genai.samplers.rules import BANNED, as_int32


@dataclasses.dataclass(frozen=True)
class ForcedStart:
    """Makes a token the first one after a prompt of a single token.

    Args:
        token: int >= 0.
    """

    token: int

    def __post_init__(self):
        check_integer("token", self.token, 0)

    def numbers(self, vocabulary_size):
        return _one_of(vocabulary_size, (self.token,))

    def apply(self, logits, history, wanted):
        first = (history.lengths == 1)[:, None]
        return tf.where(first, _only(wanted), logits)


@dataclasses.dataclass(frozen=True)
class ForcedEnd:
    """Lets a text that reaches its largest length end with one of some tokens.

    Args:
        tokens: sequence of int >= 0.

    Raises:
        TypeError: if `tokens` is not a sequence of int.
        ValueError: if it is empty, or a token negative.
    """

    tokens: tuple

    def __post_init__(self):
        _check_tokens(self.tokens)

    def numbers(self, vocabulary_size):
        return _one_of(vocabulary_size, self.tokens)

    def apply(self, logits, history, wanted):
        last = (history.lengths == history.max_length - 1)[:, None]
        return tf.where(last, _only(wanted), logits)


@dataclasses.dataclass(frozen=True)
class ForcedPlaces:
    """Makes given tokens stand at given places of a text; the others are free.

    Args:
        tokens: sequence of int: the token of each place, prompt included, or -1 where
            it is free; so are all places behind the last of them.

    Raises:
        TypeError: if it is not a sequence of int.
        ValueError: if it is empty, or a token is below -1.
    """

    tokens: tuple

    def __post_init__(self):
        if not isinstance(self.tokens, tuple | list):
            raise TypeError(
                f"`tokens` must be a sequence of int. Received: tokens={self.tokens!r}"
            )
        if not self.tokens:
            raise ValueError("`tokens` must not be empty. Received: tokens=()")
        for token in self.tokens:
            check_integer("token", token, -1)

    def numbers(self, vocabulary_size):
        if max(self.tokens) >= vocabulary_size:
            raise ValueError(
                f"`tokens` must be below {vocabulary_size}. "
                f"Received: {max(self.tokens)}"
            )
        return np.array(self.tokens, "int32")

    def apply(self, logits, history, tokens):
        place = tf.minimum(history.lengths, tokens.shape[0] - 1)
        wanted = tf.gather(tokens, place)  # (B,)
        forced = (wanted >= 0) & (history.lengths < tokens.shape[0])
        chosen = tf.range(logits.shape[-1])[None] == wanted[:, None]
        return tf.where(forced[:, None], tf.where(chosen, 0.0, BANNED), logits)


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
        return as_int32(self.length)

    def apply(self, logits, history, length):
        too_short = (history.lengths < length)[:, None]
        return tf.where(too_short & history.stops[None], BANNED, logits)


@dataclasses.dataclass(frozen=True)
class NotFirst:
    """Forbids tokens as the first one after a prompt.

    Args:
        tokens: sequence of int >= 0.
        begin: int >= 1. Tokens of the prompt.

    Raises:
        TypeError: if `tokens` is not a sequence of int.
        ValueError: if it is empty, a token negative, or `begin` below 1.
    """

    tokens: tuple
    begin: int = 1

    def __post_init__(self):
        _check_tokens(self.tokens)
        check_integer("begin", self.begin, 1)

    def numbers(self, vocabulary_size):
        return _one_of(vocabulary_size, self.tokens), as_int32(self.begin)

    def apply(self, logits, history, numbers):
        banned, begin = numbers
        first = (history.lengths == begin)[:, None]
        return tf.where(first & banned[None], BANNED, logits)


def _check_tokens(tokens):
    """Raises unless `tokens` is a sequence of one int >= 0, or several."""
    if not isinstance(tokens, tuple | list):
        raise TypeError(f"`tokens` must be a sequence of int. Received: {tokens=}")
    if not tokens:
        raise ValueError(f"`tokens` must not be empty. Received: {tokens=}")
    for token in tokens:
        check_integer("token", token, 0)


def _one_of(vocabulary_size, tokens):
    """bool `(V,)`: true at `tokens`."""
    if max(tokens) >= vocabulary_size:
        raise ValueError(
            f"`token` must be below {vocabulary_size}. Received: {max(tokens)}"
        )
    return np.isin(np.arange(vocabulary_size), tokens)


def _only(wanted):
    """float32 `(1, V)`: logits of a certain choice."""
    return tf.where(wanted, 0.0, BANNED)[None]
