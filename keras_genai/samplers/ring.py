"""Where slots and other axes are in a decoder's cache, and how texts move in it."""

from typing import NamedTuple

import tensorflow as tf


class Layout(NamedTuple):
    """What the parts of a cache are like, in the order of `tf.nest.flatten`.

    Parts that do not grow with the text, such as the state of a recurrent network or
    the nearest tokens of a window, are each row's own, and no ring.

    Attributes:
        cache: nest of `tf.TensorSpec`, of one row.
        slot_axes: tuple of int or `None`: the axis of each part that has as many places
            as the cache has slots.
        source_axes: tuple of int or `None`: the one that has as many as an encoder has
            read tokens.
    """

    cache: tuple
    slot_axes: tuple
    source_axes: tuple

    @classmethod
    def of(cls, decoder, slots, sources=None):
        """What a decoder's cache is like.

        Args:
            decoder: see `keras_genai.samplers.slots.Slots`.
            slots: int, at least 16. How many there are at most.
            sources: int or `None`, at least 16. Most tokens that its encoder reads.
        """
        cache = cache_specs(decoder, slots, sources)
        axes = _growing(cache, cache_specs(decoder, slots - FEWER, sources))
        if axes is None:  # what is kept of so few is of another kind
            axes = _growing(cache, cache_specs(decoder, slots + FEWER, sources))
        fewer = sources and sources - FEWER
        source_axes = _growing(cache, cache_specs(decoder, slots, fewer))
        return cls(cache, axes, source_axes)

    def is_kept(self, decoder, slots, sources=None):
        """bool: whether a cache of so many slots has the same parts."""
        found = tf.nest.flatten(cache_specs(decoder, slots, sources))
        return found == self.specs(1, slots, sources)

    def specs(self, rows, ring, sources=None):
        """list of `tf.TensorSpec`: the parts of so many rows, slots and tokens read."""
        found = []
        for spec, slot, source in zip(
            tf.nest.flatten(self.cache), self.slot_axes, self.source_axes, strict=True
        ):
            shape = [rows, *spec.shape[1:]]
            if slot is not None:
                shape[slot] = ring
            if source is not None:
                shape[source] = sources
            found.append(tf.TensorSpec(shape, spec.dtype))
        return found

    def nbytes(self, rows, ring, sources=None):
        """int: bytes of these."""
        return sum(
            spec.shape.num_elements() * spec.dtype.size
            for spec in self.specs(rows, ring, sources)
        )

    def packed(self, parts):
        """The cache that is made of a list of parts."""
        return tf.nest.pack_sequence_as(self.cache, parts)

    def padded(self, place, part, sources):
        """A part whose places of an encoder are filled up with nothing."""
        axis = self.source_axes[place]
        if axis is None:
            return part
        missing = [[0, 0] for _ in part.shape]
        missing[axis][1] = sources - part.shape[axis]
        return tf.pad(part, missing)


FEWER = 8  # slots, or tokens that are read, by which the axes are told


def cache_specs(decoder, length, sources):
    """Nest of `tf.TensorSpec`: the cache of one row, which is not computed."""
    inputs = ()
    if sources:
        inputs = (
            tf.TensorSpec((1, sources), tf.int32),
            tf.TensorSpec((1, sources), tf.bool),
        )

    def make(*inputs):
        return decoder.initial_cache(1, length, *inputs)

    made = tf.function(make, autograph=False).get_concrete_function(*inputs)
    return tf.nest.map_structure(
        lambda part: tf.TensorSpec(part.shape, part.dtype), made.structured_outputs
    )


def _growing(cache, other):
    """tuple: the axis of each part that has another size there, or `None`.

    It is `None` if the other cache has other parts.
    """
    parts, others = tf.nest.flatten(cache), tf.nest.flatten(other)
    if len(parts) != len(others):
        return None
    found = []
    for one, other in zip(parts, others, strict=True):
        sizes = zip(one.shape, other.shape, strict=True)
        axes = [axis for axis, (here, there) in enumerate(sizes) if here != there]
        found.append(axes[0] if axes else None)
    return tuple(found)


def placed(part, axis, ring, index, length):
    """The slots of a text that was read alone, where they are in a ring.

    Args:
        part: `(1, ...)`, of which the slots are on `axis`; a text begins in slot 0.
        axis: int.
        ring: int. Slots of the ring.
        index: int32 scalar. The slot that is written next.
        length: int32 scalar. Slots of the text, at most `ring`. The others are empty:
            their positions are -1, and so are those that are added.

    Returns:
        The same with `ring` slots: the text ends before slot `index`.
    """
    part = with_slots(part, axis, ring, at_end=True)
    return tf.roll(part, index - length, axis)


def moved(variable, rows, shift, axis, ring):
    """A part of a ring with other rows and another number of slots.

    Args:
        variable: `tf.Variable`.
        rows: int32 `(B,)`. The row that each new one is.
        shift: int. By how much slots move, so that the newest is the last.
        axis: int or `None`. Where the slots are.
        ring: int. Slots of the new one.
    """
    part = tf.gather(variable.value(), rows)
    if axis is None:
        return part
    return with_slots(tf.roll(part, shift, axis), axis, ring, at_end=False)


def with_slots(part, axis, count, at_end):
    """`part` with `count` slots on an axis: cut, or filled with empty ones.

    Args:
        at_end: bool. Whether it changes at its end, or at its beginning.
    """
    missing = count - part.shape[axis]
    if missing <= 0:
        begin = [0] * len(part.shape)
        begin[axis] = 0 if at_end else -missing
        size = list(part.shape)
        size[axis] = count
        return tf.slice(part, begin, size)
    widths = [[0, 0] for _ in part.shape]
    widths[axis][int(at_end)] = missing
    return tf.pad(part, widths, constant_values=-1 if part.dtype.is_integer else 0)
