"""What one tensor of a batch may hold: its shape, its dtype and its values."""

import dataclasses

import numpy as np
import tensorflow as tf

BATCH = "batch"
SMALLEST, LARGEST = -1e-3, 1 + 1e-3  # rounding is no fault
FINITE = float(np.finfo("float32").min), float(np.finfo("float32").max)


def cure(low, high):
    """str to follow "values from ... to ...": what to do about them.

    Args:
        low, high: float; `None` for what is no float at all.
    """
    if low is None:
        return "; divide greys by 255"
    if -1.1 <= low < 0 and high <= 1.1:
        return "; from [-1, 1] they come by 0.5 * images + 0.5"
    if low >= 0 and 1 < high < 256:
        return "; divide greys by 255"
    return ""


class Field:
    """What all fields share: an array with a row an example.

    Attributes:
        kinds: str. Kinds of NumPy dtypes that it may have.
        shape: tuple of int. Of one row.
        dtype: str. What models see.
    """

    kinds = ""
    shape = ()
    dtype = "float32"

    @property
    def allowed(self):
        """str that ends the sentence "must be ..."."""
        raise NotImplementedError

    def span(self):
        """The lowest and the highest value."""
        raise NotImplementedError

    def accepts(self, low, high):
        """Whether values may go from `low` to `high`: floats, or tensors."""
        lowest, highest = self.span()
        return (low >= lowest) & (high <= highest)

    def hint(self, low, high):
        """str: what to do about values from `low` to `high`."""
        return ""

    def check_type(self, name, value):
        """Raises unless rank, shape and dtype are right, as far as they are known.

        Args:
            name: str, what errors call it.
            value: array, tensor or `tf.TensorSpec`.

        Raises:
            ValueError: if they are not.
        """
        shape, dtype = tf.TensorShape(value.shape), tf.as_dtype(value.dtype)
        kind = "f" if dtype.is_floating else np.dtype(dtype.as_numpy_dtype).kind
        if kind not in self.kinds or not shape.is_compatible_with((None, *self.shape)):
            known = "unknown shape" if shape.rank is None else f"shape {tuple(shape)}"
            hint = self.hint(None, None) if kind not in self.kinds else ""
            raise ValueError(
                f"`{name}` must be {self.allowed}. Received: {dtype.name} of "
                f"{known}{hint}"
            )

    def check(self, name, array):
        """Raises unless all of an array is as it must be.

        Raises:
            ValueError: if it is not.
        """
        self.check_type(name, array)
        if len(array) and not self.accepts(array.min(), array.max()):
            raise self.refusal(name, float(array.min()), float(array.max()))

    def refusal(self, name, low, high):
        """The `ValueError` for values from `low` to `high`."""
        return ValueError(
            f"`{name}` must be {self.allowed}. Received: values from {low:g} to "
            f"{high:g}{self.hint(low, high)}"
        )

    def read(self, tensor):
        """The tensor as models see it: its shape known, and in their dtype."""
        if not tf.TensorShape(tensor.shape)[1:].is_fully_defined():
            tensor = tf.ensure_shape(tensor, (None, *self.shape))
        return tf.cast(tensor, self.dtype)

    def centred(self, tensor):
        """What `read` returned, as networks see it that make such samples."""
        return tensor


@dataclasses.dataclass(frozen=True)
class Pictures(Field):
    """Pictures, or videos, of one shape."""

    shape: tuple
    bounded: bool = True  # in [0, 1]
    kinds = "f"

    @property
    def allowed(self):
        values = "float in [0, 1]" if self.bounded else "finite float"
        return f"{values} of shape ({', '.join(map(str, (BATCH, *self.shape)))})"

    def span(self):
        return (SMALLEST, LARGEST) if self.bounded else FINITE

    def accepts(self, low, high):
        lowest, highest = self.span()
        # NaN shows in the loss, where TerminateOnNaN and training runs look for it.
        return ~((low < lowest) | (high > highest))

    def hint(self, low, high):
        return cure(low, high) if self.bounded else ""

    def centred(self, tensor):
        return 2.0 * tensor - 1.0  # from -1 to 1


@dataclasses.dataclass(frozen=True)
class Labels(Field):
    """Classes, one a row."""

    num_classes: int
    kinds, dtype = "iu", "int32"

    @property
    def allowed(self):
        return f"ints from 0 to {self.num_classes - 1} of shape ({BATCH},)"

    def span(self):
        return 0, self.num_classes - 1


@dataclasses.dataclass(frozen=True)
class Tokens(Field):
    """Texts of one length, or of any (`None`), 0 where nothing is."""

    length: int | None
    vocabulary_size: int
    kinds, dtype = "iu", "int32"

    @property
    def shape(self):
        return (self.length,)

    @property
    def allowed(self):
        highest = self.vocabulary_size - 1
        length = self.length or "length"
        return f"ints from 0 to {highest} of shape ({BATCH}, {length})"

    def span(self):
        return 0, self.vocabulary_size - 1


@dataclasses.dataclass(frozen=True)
class Lengths(Field):
    """How many steps of each row are sample, where padding follows.

    Args:
        of: str, the field whose second axis are the steps.
    """

    of: str

    kinds, dtype = "iu", "int32"

    @property
    def allowed(self):
        return f"ints from 1 to the steps of `{self.of}`, of shape (batch,)"

    def span(self):
        return 1, np.iinfo("int32").max


@dataclasses.dataclass(frozen=True)
class Counts(Field):
    """Counts of anything, one a row."""

    kinds, dtype = "iu", "int32"
    allowed = "ints of at least 0 of shape (batch,)"

    def span(self):
        return 0, np.iinfo("int32").max


@dataclasses.dataclass(frozen=True)
class Weights(Field):
    """How much each example counts."""

    kinds = "fiu"
    allowed = "finite numbers of shape (batch,)"

    def span(self):
        return FINITE
