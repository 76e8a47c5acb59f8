"""The compiled decoding loop: predict, choose, append, until every row has ended.

A *decoder* is anything with `decode`, `context` and `vocabulary_size` as `CausalLM`
has them. All a row needs, an encoder's output included, lives in its cache.
"""

from typing import NamedTuple

import tensorflow as tf

from keras_genai.samplers.rules import History


class Text(NamedTuple):
    """Rows of tokens that grow.

    Attributes:
        tokens: int32 `(B, H)`. Each row's tokens from the left, prompt included.
        lengths: int32 `(B,)`. How many of them are real.
        done: bool `(B,)`. The rows that have ended.
    """

    tokens: tf.Tensor
    lengths: tf.Tensor
    done: tf.Tensor


def prefill(decoder, sampler, window, cache, text, numbers):
    """Reads the last tokens of each row into an empty cache and appends one token.

    Args:
        decoder: see above.
        sampler: `Greedy` or `Sample`.
        window: `(tokens, positions)`, int32 `(B, P)` each, -1 where there is padding.
            Or of `(B / K, P)`, where K rows next to each other begin with the same.
        cache: the empty cache, of as many rows.
        text: `Text`.
        numbers: dict of `sampler` (from `sampler.numbers`), `stops` bool `(V,)`,
            `max_length` int32, `seed` uint32 `(2,)` and `source`, see `History`.

    Returns:
        `(text, cache)`.
    """
    tokens, positions = window
    logits, cache = decoder.decode(tokens, positions, cache, tf.constant(0))
    copies = text.tokens.shape[0] // tokens.shape[0]
    if copies > 1:
        logits, cache = tf.nest.map_structure(
            lambda part: tf.repeat(part, copies, axis=0), (logits, cache)
        )
    return _append(sampler, logits, text, numbers), cache


def advance(decoder, sampler, text, offsets, cache, index, budget, numbers):
    """Appends up to `budget` tokens to every row that has not ended.

    Returns early when all rows have ended, and when one has no position left.

    Args:
        decoder: see above.
        sampler: `Greedy` or `Sample`.
        text: `Text`.
        offsets: int32 `(B,)`. The place in each row that has position 0.
        cache: of all tokens but each row's last.
        index: int32 scalar. The first free cache slot.
        budget: int32 scalar.
        numbers: as in `prefill`.

    Returns:
        `(text, cache, index)`.
    """
    end = index + budget
    shapes = tf.nest.map_structure(lambda part: part.shape, cache)

    def goes_on(text, cache, index):
        has_place = tf.constant(True)
        if decoder.context is not None:
            used = text.lengths - offsets
            has_place = tf.reduce_all(text.done | (used <= decoder.context))
        return tf.reduce_any(~text.done) & (index < end) & has_place

    def step(text, cache, index):
        last = tf.gather(text.tokens, text.lengths - 1, batch_dims=1)
        positions = text.lengths - offsets - 1
        if decoder.context is not None:  # an ended row may stand beyond the last one
            positions = tf.minimum(positions, decoder.context - 1)
        cache = tf.nest.map_structure(tf.reshape, cache, shapes)
        logits, cache = decoder.decode(last[:, None], positions[:, None], cache, index)
        return _append(sampler, logits, text, numbers), folded(cache), index + 1

    text, cache, index = tf.while_loop(goes_on, step, (text, folded(cache), index))
    return text, tf.nest.map_structure(tf.reshape, cache, shapes), index


def folded(cache):
    """Keys and values of a single text as `(G, K, D)`; those of more as they are.

    So a product reads them. As `(1, G, K, D)` between two steps of a loop, XLA would
    write every new key and value twice, into copies of the whole cache; with more
    rows it copies them when they are folded (measured).
    """

    def fold(part):
        if len(part.shape) != 4 or part.shape[0] != 1:
            return part
        return tf.reshape(part, part.shape[1:])

    return tf.nest.map_structure(fold, cache)


def _append(sampler, logits, text, numbers):
    """Chooses a token for every open row and writes it behind the row's last."""
    stops, max_length = numbers["stops"], numbers["max_length"]
    history = History(text.tokens, text.lengths, stops, max_length, numbers["source"])
    chosen = sampler.choose(logits, history, numbers["seed"], numbers["sampler"])
    end = tf.range(text.tokens.shape[1])[None] == text.lengths[:, None]
    tokens = tf.where(end, chosen[:, None], text.tokens)  # no length, no token
    lengths = text.lengths + tf.cast(~text.done, tf.int32)
    ended = tf.gather(stops, chosen) | (lengths >= max_length)
    return Text(tokens, lengths, text.done | ended)
