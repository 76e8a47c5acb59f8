"""Integers that choose rows of tables: looked at before anything is looked up.

Neither XLA nor a GPU says when a row does not exist. So arrays are looked at once,
before a training begins; and every batch outside of the function that XLA compiles.
"""

import re
from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf

from keras_genai.checks import LARGEST_TABLE


class Span(NamedTuple):
    """Integers of a batch, and what they may be.

    Attributes:
        name: str, what errors call them.
        values: array or tensor `(B, ...)`.
        size: int. They must be from 0 to `size - 1`.
        ignored: int or `None`. One more that is allowed.
        columns: int or `None`. How many a row may have.
    """

    name: str
    values: object
    size: int
    ignored: int | None = None
    columns: int | None = None

    @property
    def said(self):
        """str: what every error begins with."""
        also = "" if self.ignored is None else f", or {self.ignored}"
        return f"`{self.name}` must be ints from 0 to {self.size - 1}{also}"

    @property
    def said_of_columns(self):
        """str: what errors about too long rows begin with."""
        return f"`{self.name}` must have at most context={self.columns} columns"


def table_rows(name, values, size, columns=None, rank=2, hint=""):
    """A `Span`, whose rank and dtype are right.

    Args:
        name, values, size, columns: see `Span`.
        rank: int, or `None`: any.
        hint: str that ends the error.

    Raises:
        ValueError: if they are not.
    """
    shape, dtype = tf.TensorShape(np.shape(values)), getattr(values, "dtype", "")
    came = getattr(dtype, "name", dtype) or type(values).__name__
    is_number = came.startswith(("int", "uint", "float", "bfloat"))
    if not is_number or (rank and shape.rank not in (None, rank)):
        allowed = "(batch, length)" if rank == 2 else "(batch,)"
        raise ValueError(
            f"`{name}` must be ints of shape {allowed}{hint}. "
            f"Received: {came} of shape {shape}"
        )
    if columns is not None and rank == 2 and (shape[1] or 0) > columns:
        raise ValueError(
            f"`{name}` must have at most context={columns} columns. "
            f"Received: shape {tuple(shape)}"
        )
    return Span(name, values, size, columns=columns)


def place_rows(inputs, context):
    """A list of the `Span` of `places`, or of none if all columns are asked for.

    Args:
        inputs: tokens alone, or a dict with `tokens` `(B, T)`, and perhaps `places`
            `(B, P)`.
        context: int or `None`. The most columns, if nobody knows how many there are.

    Raises:
        ValueError: if they are of another rank or dtype.
    """
    if not isinstance(inputs, dict) or inputs.get("places") is None:
        return []
    length = tf.TensorShape(np.shape(inputs["tokens"]))[1]
    return [table_rows("places", inputs["places"], length or context or LARGEST_TABLE)]


def need(inputs, names, hint=""):
    """Raises a `ValueError` unless `inputs` is a dict that has all of `names`."""
    if isinstance(inputs, dict) and set(names) <= inputs.keys():
        return
    came = sorted(inputs) if isinstance(inputs, dict) else type(inputs).__name__
    raise ValueError(
        f"`inputs` must be a dict with {sorted(names)}{hint}. Received: {came}"
    )


def check_arrays(spans):
    """Raises a `ValueError` unless the values of arrays are as they must be."""
    for span in spans:
        values = np.asarray(span.values)
        wrong = (values < 0) | (values >= span.size) | (values != np.floor(values))
        if span.ignored is not None:
            wrong &= values != span.ignored
        if wrong.any():
            found = values[wrong]
            raise ValueError(
                f"{span.said}. Received: values from {found.min()} to {found.max()}"
            )


def checked(spans, batch):
    """A batch that cannot be used before its values were looked at.

    Args:
        spans: list of `Span`, of tensors in `batch`.
        batch: nest of tensors.

    Returns:
        `batch`. Where a value is wrong, using it raises what `told` knows.
    """
    if not spans or tf.executing_eagerly():
        check_arrays(spans)
        return batch
    with tf.control_dependencies([each for s in spans for each in _assertions(s)]):
        return keras.tree.map_structure(
            lambda each: tf.identity(each) if tf.is_tensor(each) else each, batch
        )


def _assertions(span):
    values = span.values
    if span.columns is not None and values.shape[1] is None:
        columns = tf.shape(values)[1]
        said = f"{span.said_of_columns}. Received:"
        yield tf.raw_ops.Assert(condition=columns <= span.columns, data=[said, columns])
    if span.ignored is not None:
        values = tf.where(values == span.ignored, tf.zeros_like(values), values)
    low, high = tf.reduce_min(values), tf.reduce_max(values)
    good = (low >= 0) & (high < tf.cast(span.size, values.dtype))
    if values.dtype.is_floating:
        good &= tf.reduce_all(values == tf.floor(values))
    said = f"{span.said}. Received: values from"
    yield tf.raw_ops.Assert(
        condition=good | (tf.size(values) == 0), data=[said, low, "to", high]
    )


def told(function):
    """A function of Keras that says in one line what `checked` found."""

    def run(*args):
        try:
            return function(*args)
        except tf.errors.InvalidArgumentError as error:
            found = re.search(r"assertion failed: ((?:\[[^\]]*\] ?)+)", error.message)
            if found is None or not found[1].startswith("[`"):
                raise
            parts = re.findall(r"\[([^\]]*)\]", found[1])
            raise ValueError(" ".join(parts)) from None

    return run
