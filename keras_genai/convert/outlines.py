"""Arrays that are nothing but a shape, to see what a rule would make of one."""

import itertools
import math

import numpy as np


class Outline:
    """A shape that can be turned, split and joined as an array of it can.

    What the rules of `keras_genai.convert.mapping` do with numbers, they do with this;
    no size that a stranger's config.json names takes memory.

    Args:
        shape: tuple of int.
    """

    def __init__(self, shape):
        self.shape = tuple(int(size) for size in shape)

    @property
    def ndim(self):
        return len(self.shape)

    @property
    def T(self):  # noqa: N802, because arrays have it
        return Outline(self.shape[::-1])

    def transpose(self, *axes):
        return Outline(self.shape[axis] for axis in axes)

    def reshape(self, *shape):
        if -1 in shape:
            known = -math.prod(shape)
            rest = math.prod(self.shape) // known if known else 0
            shape = tuple(rest if size == -1 else size for size in shape)
        return Outline(shape)

    def __getitem__(self, key):
        if key is not None:
            raise TypeError(f"`key` must be None. Received: {key!r}")
        return Outline((1, *self.shape))

    def __array_function__(self, function, types, args, kwargs):
        if function not in _FUNCTIONS:
            return NotImplemented
        return _FUNCTIONS[function](*args, **kwargs)


def _concatenate(parts, axis=0):
    shape = list(parts[0].shape)
    shape[axis] = sum(part.shape[axis] for part in parts)
    return Outline(shape)


def _split(array, where, axis=0):
    length = array.shape[axis]
    if isinstance(where, int):
        edges = [length * place // where for place in range(where + 1)]
    else:
        edges = [0, *(min(place, length) for place in where), length]
    found = []
    for start, end in itertools.pairwise(edges):
        shape = list(array.shape)
        shape[axis] = end - start
        found.append(Outline(shape))
    return found


_FUNCTIONS = {np.concatenate: _concatenate, np.split: _split}
