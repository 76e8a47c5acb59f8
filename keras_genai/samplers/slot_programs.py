"""What is compiled of `keras_genai.samplers.slots`, and what goes in and comes out."""

import functools
from typing import Any, NamedTuple

import tensorflow as tf
from keras import ops

from keras_genai.samplers.loop import folded
from keras_genai.samplers.ring import Layout, placed
from keras_genai.samplers.row_sampler import choose, likely_tokens
from keras_genai.samplers.rules import History, apply_rules

STEP = 4  # tokens that a call of `step` writes at most
MOST_ENDS = 16  # tokens that may end a row
MOST_ALTERNATIVES = 20


class Rows(NamedTuple):
    """What is known of each row besides its cache.

    Attributes:
        tokens: int32 `(B, S)`. Its tokens from the left, prompt included.
        lengths: int32 `(B,)`.
        done: bool `(B,)`. Whether nothing more is to be written.
        max_lengths: int32 `(B,)`.
        ends: int32 `(B, MOST_ENDS)`. Tokens that end it, -1 where there are no more.
        seeds: uint32 `(B, 2)`.
        wanted: int32 `(B,)`. See `likely_tokens`.
        source: int32 `(B, M)`, -1 at padding: what an encoder has read.
    """

    tokens: Any
    lengths: Any
    done: Any
    max_lengths: Any
    ends: Any
    seeds: Any
    wanted: Any
    source: Any


class Said(NamedTuple):
    """Log-probabilities of the tokens of a call of `step`. See `likely_tokens`.

    Attributes:
        logprobs: float32 `(STEP, B)`.
        tokens: int32 `(STEP, B, MOST_ALTERNATIVES)`.
        best: float32 `(STEP, B, MOST_ALTERNATIVES)`.
    """

    logprobs: Any
    tokens: Any
    best: Any


class Shape(NamedTuple):
    """What a program is compiled for."""

    decoder: Any
    layout: Layout
    draft_slots: int
    sources: int | None
    ring: int


def begin(shape, draft, inputs):
    """Empties the draft, and lets an encoder read.

    Args:
        shape: `Shape`, here and in the others.
        draft: list of `tf.Variable`, the parts of a cache of one row.
        inputs: tuple of tensors `(1, ...)`.
    """
    cache = shape.decoder.initial_cache(1, shape.draft_slots, *inputs)
    for place, part in enumerate(tf.nest.flatten(cache)):
        # Keys and values count only where there are positions.
        if shape.layout.slot_axes[place] is None or part.dtype.is_integer:
            draft[place].assign(shape.layout.padded(place, part, shape.sources))


def read(shape, draft, tokens, positions, index):
    """Reads tokens into the draft."""
    cache = shape.layout.packed([part.value() for part in draft])
    _, cache = shape.decoder.decode(tokens, positions, cache, index)
    _assign(draft, cache)


def insert(shape, cache, draft, row, index, length):
    """Puts the draft's text into a row, so that it ends before slot `index`."""
    for axis, variable, part in zip(shape.layout.slot_axes, cache, draft, strict=True):
        part = part.value()
        if axis is not None:
            part = placed(part, axis, shape.ring, index, length)
        start = [row, *[0] * (len(part.shape) - 1)]
        variable.assign(ops.slice_update(variable.value(), start, part))


def take(shape, cache, row, index, length):
    """list of tensors: a row as it would be had it been read alone, from slot 0 on."""
    found = []
    for axis, variable in zip(shape.layout.slot_axes, cache, strict=True):
        part = tf.gather(variable.value(), [row])
        found.append(part if axis is None else tf.roll(part, length - index, axis))
    return found


def step(shape, rules, cache, text, numbers, rule_numbers, index, budget):
    """Writes tokens. Returns what has changed of `text`, the index, and `Said`."""
    parts = shape.layout.packed([part.value() for part in cache])
    shapes = tf.nest.map_structure(lambda part: part.shape, parts)
    batch = text.tokens.shape[0]
    ends, rule_numbers = rule_numbers
    said = Said(
        tf.zeros((STEP, batch)),
        tf.zeros((STEP, batch, MOST_ALTERNATIVES), tf.int32),
        tf.zeros((STEP, batch, MOST_ALTERNATIVES)),
    )

    def goes_on(count, text, *_):
        return (count < budget) & tf.reduce_any(~text.done)

    def write(count, text, parts, index, said):
        last = tf.gather(text.tokens, text.lengths - 1, batch_dims=1)[:, None]
        positions = tf.where(text.done, -1, text.lengths - 1)[:, None]
        parts = tf.nest.map_structure(tf.reshape, parts, shapes)
        logits, parts = shape.decoder.decode(last, positions, parts, index)
        source = text.source if shape.sources else None
        history = History(text.tokens, text.lengths, ends, text.max_lengths, source)
        ruled = apply_rules(rules, logits, history, rule_numbers)
        chosen = choose(ruled, history, text.seeds, numbers)
        found = likely_tokens(logits, chosen, text.wanted, MOST_ALTERNATIVES)
        said = Said(*map(functools.partial(_put, count), said, found))
        index = tf.math.floormod(index + 1, shape.ring)
        return count + 1, _appended(text, chosen), folded(parts), index, said

    _, text, parts, index, said = tf.while_loop(
        goes_on, write, (tf.constant(0), text, folded(parts), index, said)
    )
    _assign(cache, tf.nest.map_structure(tf.reshape, parts, shapes))
    return text.tokens, text.lengths, text.done, index, said


def _assign(variables, cache):
    for variable, part in zip(variables, tf.nest.flatten(cache), strict=True):
        variable.assign(part)


def _appended(text, chosen):
    """`Rows` with a token behind the last one of every row that is not done."""
    end = tf.range(text.tokens.shape[1])[None] == text.lengths[:, None]
    end &= ~text.done[:, None]
    lengths = text.lengths + tf.cast(~text.done, tf.int32)
    ended = tf.reduce_any(text.ends == chosen[:, None], axis=1)
    return text._replace(
        tokens=tf.where(end, chosen[:, None], text.tokens),
        lengths=lengths,
        done=text.done | ended | (lengths >= text.max_lengths),
    )


def _put(count, said, new):
    """`said` with `new` at place `count` of its first axis."""
    here = tf.range(STEP) == count
    here = tf.reshape(here, (STEP, *[1] * (len(said.shape) - 1)))
    return tf.where(here, new[None], said)
