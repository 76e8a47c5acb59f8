"""What can be asked of a model in a file: functions of named tensors."""

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import tensorflow as tf

ROWS, PLACES = 2, 5  # of the small call that an export is compared by


@dataclasses.dataclass(frozen=True)
class Endpoint:
    """A function of a model, and a small call to compare a file by.

    Args:
        name: str.
        function: function of a dict of tensors that returns a dict of tensors.
        specs: dict of `tf.TensorSpec` by the names of its arguments.
        example: dict of arrays: the call.
        expected: function of such a call: dict of arrays, what the model itself says.
        compiled: bool. Whether XLA compiles it.
    """

    name: str
    function: Callable[[dict[str, Any]], dict[str, Any]]
    specs: dict[str, tf.TensorSpec]
    example: dict[str, Any]
    expected: Callable[[dict[str, Any]], dict[str, Any]]
    compiled: bool = False

    @property
    def signature(self):
        """list of `tf.TensorSpec` that say their names."""
        return [
            tf.TensorSpec(spec.shape, spec.dtype, name=name)
            for name, spec in self.specs.items()
        ]

    def called(self, *tensors):
        """The function of tensors in the order of `specs`."""
        return self.function(dict(zip(self.specs, tensors, strict=True)))

    def fixed(self, length=None):
        """The same for a batch of one, whose size a compiler then knows.

        Args:
            length: int or `None`. What other open sizes are, if they are to be known.
        """
        specs = {
            name: spec(each.dtype, *_closed(each.shape, length))
            for name, each in self.specs.items()
        }
        example = {
            name: self.example[name]
            if specs[name] == self.specs[name]
            else small(name, specs[name], place)
            for place, name in enumerate(specs)
        }
        return dataclasses.replace(self, specs=specs, example=example)

    def __str__(self):
        arguments = ", ".join(
            f"{name} {spec.dtype.name}{_shape(spec)}"
            for name, spec in self.specs.items()
        )
        return f"{self.name}({arguments})"


def spec(dtype, *shape):
    """A `tf.TensorSpec`; `None` is any size."""
    return tf.TensorSpec(shape, dtype)


def small(name, spec, seed=0, context=None):
    """An array that a `tf.TensorSpec` allows.

    Args:
        name: str. What is called a mask is all ones.
        spec: `tf.TensorSpec`.
        seed: int.
        context: int or `None`. The longest sequence.

    Returns:
        array: ints 0 and 1, which every table of a model has; floats in [0, 1].
    """
    places = min(PLACES, context or PLACES)
    shape = [
        size or (ROWS if axis == 0 else places) for axis, size in enumerate(spec.shape)
    ]
    rng = np.random.default_rng(seed)
    if name.endswith("mask"):
        found = np.ones(shape)
    elif spec.dtype.is_integer:
        found = rng.integers(0, 2, shape)
    else:
        found = rng.random(shape)
    return found.astype(spec.dtype.as_numpy_dtype)


def _closed(shape, length):
    """The sizes of a `tf.TensorShape`: one row, and `length` where another is open."""
    return [
        size or (1 if axis == 0 else length)
        for axis, size in enumerate(shape.as_list())
    ]


def _shape(spec):
    """`[batch, 8]` for the shape of a tensor, nothing for a number."""
    sizes = ["?" if size is None else str(size) for size in spec.shape]
    return f"[{', '.join(sizes)}]" if sizes else ""
