"""Rules about runs of tokens: what a text must not say again, or not at all."""

import dataclasses

import numpy as np
import tensorflow as tf

from keras_genai.checks import check_integer
from keras_genai.samplers.rules import BANNED, as_int32, present, real_places


@dataclasses.dataclass(frozen=True)
class _NgramRule:
    """What rules about runs of `size` tokens share."""

    size: int

    def __post_init__(self):
        check_integer("size", self.size, 1)

    def numbers(self, vocabulary_size):
        return as_int32(self.size)


@dataclasses.dataclass(frozen=True)
class NoRepeatNgram(_NgramRule):
    """Forbids every run of `size` tokens to appear twice, prompt included.

    Args:
        size: int >= 1.

    Raises:
        ValueError: if `size` is below 1.
    """

    def apply(self, logits, history, size):
        follows = _following(history, history.tokens, real_places(history), size)
        repeats = present(history.tokens, follows, logits.shape[-1])
        return tf.where(repeats, BANNED, logits)


@dataclasses.dataclass(frozen=True)
class NoSourceNgram(_NgramRule):
    """Forbids every run of `size` tokens that the encoder's input has.

    Args:
        size: int >= 1.

    Raises:
        ValueError: if `size` is below 1, or used on a model without an encoder.
    """

    def apply(self, logits, history, size):
        source = history.source
        if source is None:
            raise ValueError(
                "`rules` must not have NoSourceNgram in a model without an encoder. "
                f"Received: {self}"
            )
        follows = _following(history, source, source >= 0, size)
        repeats = present(source, follows, logits.shape[-1])
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
        return tf.where(present(last, complete, logits.shape[-1]), BANNED, logits)


def _following(history, tokens, is_real, size):
    """The places of a row of tokens just behind what its text ends with.

    Args:
        history: `History`.
        tokens: int32 `(B, S)`, where they are looked for.
        is_real: bool `(B, S)`.
        size: int32 scalar. The last `size - 1` tokens of each text are looked for.

    Returns:
        bool `(B, S)`.
    """
    size = tf.minimum(size, tf.shape(tokens)[1] + 1)  # a longer run is not in it
    places = tf.range(tf.shape(tokens)[1])[None]
    text, lengths = history.tokens, history.lengths

    def compare(back, follows):
        """Keeps the places whose token `back` before is the text's own."""
        own = tf.gather(text, tf.maximum(lengths - back, 0), batch_dims=1)
        own = tf.where(back <= lengths, own, -2)  # before the text: like nothing
        return back + 1, follows & (tf.roll(tokens, back, axis=1) == own[:, None])

    _, follows = tf.while_loop(
        lambda back, _: back < size,
        compare,
        (tf.constant(1), is_real & (places >= size - 1)),
    )
    return follows
