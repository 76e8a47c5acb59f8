"""What decoding keeps of keys and values: of a whole text, or of what is near."""

import dataclasses
from typing import NamedTuple

import tensorflow as tf
from keras import ops

from keras_genai import compat
from keras_genai.checks import check_one_of
from keras_genai.layers.attention import write_slots
from keras_genai.layers.replacing import forget_compiled
from keras_genai.xla import in_xla

DTYPES = ("bfloat16", "float16", "float32")


class Ring(NamedTuple):
    """How tokens enter a ring of R slots, in which position `p` has the slot `p % R`.

    A row finds its own slots, so that padding takes none, and rows of unequal length
    keep what each of them needs.

    Attributes:
        positions: int `(B, R)`, of what is in the slots afterwards; -1 in empty ones.
        seen: int `(B, K)`, of what the new tokens see: `positions` for one new token,
            otherwise what was in the slots before, and then the new ones.
        columns: int. For one new token `(B, 1)`, its slot, or -1 for padding. Otherwise
            `(B, R)`, the place among `seen` of what each slot keeps.
    """

    positions: object
    seen: object
    columns: object


class Prefix(NamedTuple):
    """Where tokens go of which nobody looks at what is behind them.

    XLA must know all sizes; outside of it, slots that are empty cost nothing so.

    Attributes:
        index: int scalar, the slot of the first of them.
        length: int scalar, of the slots that are looked at.
    """

    index: object
    length: object


@dataclasses.dataclass(frozen=True)
class AsItIs:
    """Tensors on their way through a layer's call, where Keras would cast them."""

    value: object


def turn(kept, positions):
    """The `Ring` of new tokens.

    Args:
        kept: int `(B, R)`, positions of what is in the slots; -1 in empty ones.
        positions: int `(B, T)` of the new tokens, rising by one; -1 at padding, which
            is on the left or on the right.
    """
    size = kept.shape[1]
    kept, positions = (ops.cast(part, "int32") for part in (kept, positions))
    slots = ops.arange(size, dtype="int32")[None]
    if positions.shape[1] == 1:
        columns = ops.where(positions >= 0, positions % size, -1)
        written = _write_one(kept, positions, columns, axis=1)
        return Ring(written, written, columns)
    seen = ops.concatenate([kept, positions], axis=1)
    newest = ops.max(positions, axis=1, keepdims=True)
    wanted = newest - (newest - slots) % size  # the last one of each slot
    column = ops.cast(ops.argmax(positions >= 0, axis=1), "int32")[:, None]
    first = ops.take_along_axis(positions, column, axis=1)
    is_new = (newest >= 0) & (wanted >= first)
    columns = ops.where(is_new, size + column + wanted - first, slots)
    return Ring(ops.take_along_axis(seen, columns, axis=1), seen, columns)


def in_front(index, slots, count):
    """Where new tokens go, and the positions of all that they may look at.

    Args:
        index: int scalar, the slot of the first of them.
        slots: int `(B, L)`, positions of what is in the slots after them.
        count: int, of the tokens, or `None` where only a graph knows it.

    Returns:
        `(place, seen)`: `Prefix` or `index`, and int `(B, K)`.
    """
    if count in (1, None) or in_xla():
        return index, slots
    place = Prefix(index, index + count)
    return place, slots[:, : place.length]


def remember(buffer, values, place):
    """Puts keys or values of new tokens where they belong.

    Args:
        buffer: float `(B, G, L, D)`.
        values: float `(B, G, T, D)`.
        place: int scalar, the slot of the first of them; or `Ring`, or `Prefix`.

    Returns:
        `(seen, kept)`: what the new tokens look at, `(B, G, K, D)`, and the buffer
        after them, both of its dtype.
    """
    if isinstance(place, Prefix):
        buffer = write_slots(buffer, values, place.index, axis=2)
        return buffer[:, :, : place.length], buffer
    if not isinstance(place, Ring):
        buffer = write_slots(buffer, values, place, axis=2)
        return buffer, buffer
    if values.shape[2] == 1:
        buffer = _write_one(buffer, values, place.columns, axis=2)
        return buffer, buffer
    seen = ops.concatenate([buffer, ops.cast(values, buffer.dtype)], axis=2)
    kept = tf.gather(seen, place.columns, axis=2, batch_dims=1)  # (B, R, G, D)
    return seen, ops.reshape(kept, buffer.shape)


def set_cache_dtype(model, dtype):
    """Lets a model keep the keys and values of a text in another dtype.

    Sums and softmax stay in the model's own. `"bfloat16"` halves what a long text
    takes beside a float32 model; what is written may differ from what float32 keeps.
    It is no part of the model's config.

    Args:
        model: built `keras.Model` with a `GPT` inside.
        dtype: `"bfloat16"`, `"float16"`, `"float32"`, or `None`: the model's own.

    Returns:
        int. The number of networks.

    Raises:
        ValueError: if there is no such network, or no such dtype.
    """
    if dtype is not None:
        check_one_of("dtype", dtype, DTYPES)
    networks = [
        layer for layer in compat.layers_inside(model) if hasattr(layer, "cache_dtype")
    ]
    if not networks:
        raise ValueError(f"`model` must have a GPT inside. Received: {model.name}")
    for network in networks:
        network.cache_dtype = dtype
    forget_compiled(model)
    return len(networks)


def _write_one(buffer, values, columns, axis):
    """`buffer` with one of `values` in each row's own slot of `axis`."""
    if buffer.shape[0] == 1:  # in place
        return write_slots(buffer, values, ops.maximum(columns[0, 0], 0), axis)
    shape = [1] * len(buffer.shape)
    shape[0], shape[axis] = -1, buffer.shape[axis]
    hit = ops.arange(buffer.shape[axis], dtype="int32")[None] == columns
    hit = ops.reshape(hit, shape)
    return ops.where(hit, ops.cast(values, buffer.dtype), buffer)
