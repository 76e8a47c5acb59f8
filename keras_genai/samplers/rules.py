"""Rules: what a text so far forbids or encourages as its next token.

Which rules a sampler has is part of the compiled program; their numbers are tensors,
so that new ones never compile anything. A rule is a frozen dataclass with
`numbers(vocabulary_size)`, what is sent, and `apply(logits, history, numbers)`.
"""

from typing import NamedTuple

import numpy as np
import tensorflow as tf

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


def as_int32(number):
    """An int that is as good as a larger one: no text has so many tokens."""
    return np.int32(min(number, np.iinfo("int32").max))


def real_places(history):
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
    places = tf.range(tf.shape(history.tokens)[1])[None]
    counted = real_places(history) & (places >= begin)
    return _counts(history.tokens, counted, vocabulary_size)


def present(tokens, where, vocabulary_size):
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
