"""Rules: what a text so far forbids or encourages as its next token.

Which rules a sampler has is part of the compiled program; their numbers are tensors,
so that new ones never compile anything.
"""

import dataclasses
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from keras_genai.checks import check_integer, check_number

BANNED = -1e30  # not -inf: if everything is banned the softmax is still defined


class History(NamedTuple):
    """What a rule may look at.

    Attributes:
        tokens: int32 `(B, H)`. Each row's real tokens, prompt included, without gaps.
        lengths: int32 `(B,)`. How many of them there are.
        stops: bool `(V,)`. The tokens that end a text.
        max_length: int32 scalar. Tokens in a text at most, prompt included.
        source: int32 `(B, S)`, -1 at padding: what an encoder has read of each row;
            `None` without an encoder.
    """

    tokens: tf.Tensor
    lengths: tf.Tensor
    stops: tf.Tensor
    max_length: tf.Tensor | None = None
    source: tf.Tensor | None = None


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
        check_number(
            "penalty",
            self.penalty,
            "a number > 0, below inf",
            lambda value: 0 < value < math.inf,
        )

    def numbers(self, vocabulary_size):
        return np.float32(self.penalty)

    def apply(self, logits, history, penalty):
        seen = written_counts(history, 0, logits.shape[-1]) > 0
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
        return _as_int32(self.size)

    def apply(self, logits, history, size):
        tokens, lengths = history[:2]
        size = tf.minimum(size, tf.shape(tokens)[1] + 1)  # a longer run never repeats
        places = tf.range(tf.shape(tokens)[1])[None]

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
class NoSourceNgram:
    """Forbids every run of `size` tokens that the encoder's input has.

    Args:
        size: int >= 1.

    Raises:
        ValueError: if `size` is below 1, or used on a model without an encoder.
    """

    size: int

    def __post_init__(self):
        check_integer("size", self.size, 1)

    def numbers(self, vocabulary_size):
        return _as_int32(self.size)

    def apply(self, logits, history, size):
        tokens, lengths, source = history.tokens, history.lengths, history.source
        if source is None:
            raise ValueError(
                "`rules` must not have NoSourceNgram in a model without an encoder. "
                f"Received: {self}"
            )
        size = tf.minimum(size, tf.shape(source)[1] + 1)  # a longer run is not in it
        places = tf.range(tf.shape(source)[1])[None]

        def compare(back, follows):
            own = tf.gather(tokens, tf.maximum(lengths - back, 0), batch_dims=1)
            own = tf.where(back <= lengths, own, -2)  # before the text: like nothing
            return back + 1, follows & (tf.roll(source, back, axis=1) == own[:, None])

        follows = (source >= 0) & (places >= size - 1)
        _, follows = tf.while_loop(
            lambda back, _: back < size, compare, (tf.constant(1), follows)
        )
        repeats = _present(source, follows, logits.shape[-1])
        return tf.where(repeats, BANNED, logits)


@dataclasses.dataclass(frozen=True)
class BadWords:
    """Forbids runs of tokens.

    A run of one token that ends texts may still end them, as in transformers.

    Args:
        words: sequence of sequences of int. Each is a run that must not appear.

    Raises:
        TypeError: if `words` is not a sequence of sequences of int.
        ValueError: if there are no words, or one is empty.
    """

    words: tuple

    def __post_init__(self):
        words = self.words
        if not isinstance(words, tuple | list) or not all(
            isinstance(word, tuple | list) for word in words
        ):
            raise TypeError(
                f"`words` must be a sequence of sequences of int. Received: {words=}"
            )
        if not words or not all(words):
            raise ValueError(f"`words` must not be empty. Received: {words=}")
        for token in (token for word in words for token in word):
            check_integer("token", token, 0)

    def numbers(self, vocabulary_size):
        highest = max(max(word) for word in self.words)
        if highest >= vocabulary_size:
            raise ValueError(
                f"`words` must be of tokens below {vocabulary_size}. "
                f"Received: {highest}"
            )
        longest = max(len(word) for word in self.words)
        # Aligned on the right: -1 before a word fits any token.
        table = np.full((len(self.words), longest), -1, "int32")
        for row, word in zip(table, self.words, strict=True):
            row[longest - len(word) :] = word
        return table

    def apply(self, logits, history, table):
        tokens, lengths, stops = history[:3]
        size = table.shape[1] - 1
        places = lengths[:, None] - size + tf.range(size)[None]  # (B, size)
        tail = tf.gather(tokens, tf.maximum(places, 0), batch_dims=1)
        tail = tf.where(places >= 0, tail, -2)
        starts, last = table[:, :-1], table[:, -1]
        fits = (starts[None] == tail[:, None]) | (starts[None] < 0)
        is_end = tf.reduce_all(starts < 0, axis=1) & tf.gather(stops, last)
        complete = tf.reduce_all(fits, axis=2) & ~is_end[None]  # (B, N)
        last = tf.broadcast_to(last[None], tf.shape(complete))
        return tf.where(_present(last, complete, logits.shape[-1]), BANNED, logits)


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
        return _as_int32(self.length)

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
        # Not a sum, which XLA makes one slow loop of with the product before it: see
        # `layers.embedding.token_logits`.
        return logits - -biases[None]


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
        return _one_of(vocabulary_size, self.tokens), _as_int32(self.begin)

    def apply(self, logits, history, numbers):
        banned, begin = numbers
        first = (history.lengths == begin)[:, None]
        return tf.where(first & banned[None], BANNED, logits)


@dataclasses.dataclass(frozen=True)
class Renormalize:
    """Makes log-probabilities of what other rules left, so that they add up to one.

    The scores of beams count what was forbidden otherwise. It comes last.
    """

    def numbers(self, vocabulary_size):
        return np.float32(0)

    def apply(self, logits, history, nothing):
        return tf.nn.log_softmax(logits)


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


def _check_tokens(tokens):
    """Raises unless `tokens` is a sequence of one int >= 0, or several."""
    if not isinstance(tokens, tuple | list):
        raise TypeError(f"`tokens` must be a sequence of int. Received: {tokens=}")
    if not tokens:
        raise ValueError(f"`tokens` must not be empty. Received: {tokens=}")
    for token in tokens:
        check_integer("token", token, 0)


def _as_int32(number):
    """An int that is as good as a larger one: no text has so many tokens."""
    return np.int32(min(number, np.iinfo("int32").max))


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


def _is_real(history):
    """bool `(B, H)`: the places that hold a token."""
    return tf.range(tf.shape(history.tokens)[1])[None] < history.lengths[:, None]


def written_counts(history, begin, vocabulary_size):
    """How often each token stands in each row.

    Args:
        history: `History`.
        begin: int32 scalar or `(B, 1)`. Tokens at the left that do not count.
        vocabulary_size: int.

    Returns:
        int32 `(B, V)`.
    """
    counted = _is_real(history) & (tf.range(tf.shape(history.tokens)[1])[None] >= begin)
    return _counts(history.tokens, counted, vocabulary_size)


def _present(tokens, where, vocabulary_size):
    """bool `(B, V)`: the tokens that stand at a true place."""
    return _counts(tokens, where, vocabulary_size) > 0


def _counts(tokens, where, vocabulary_size):
    """int32 `(B, V)`: at how many true places each token stands."""
    shape = tf.shape(tokens)
    rows = tf.broadcast_to(tf.range(shape[0])[:, None], shape)
    # False places write to a column of their own, which is then cut off.
    columns = tf.where(where, tokens, vocabulary_size)
    places = tf.stack([rows, columns], axis=-1)
    counts = tf.scatter_nd(
        places, tf.cast(where, tf.int32), (shape[0], vocabulary_size + 1)
    )
    return counts[:, :vocabulary_size]


def check_rules(rules):
    """Raises unless `rules` is a sequence of rules.

    Raises:
        TypeError: if it is something else.
    """
    if not isinstance(rules, tuple | list) or not all(
        hasattr(rule, "apply") for rule in rules
    ):
        raise TypeError(
            "`rules` must be a tuple of rules such as RepetitionPenalty(1.2). "
            f"Received: {rules=}"
        )
