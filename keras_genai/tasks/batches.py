"""What a batch of pictures holds: one policy for arrays, data sets and graphs.

A task says which fields its batches have. Ranks, shapes and dtypes are looked at
without a value, when a function is traced; values in whole arrays before a training
begins, or batch by batch in the pipeline of a data set, where XLA is not.
"""

import re

import numpy as np
import tensorflow as tf

from keras_genai.modalities.fields import Lengths, Weights

REFUSED, SHAPE = "refused values", "refused shape"
OFTEN = 16  # batches
WEIGHTS = "sample_weight"


def named(x, y, fields):
    """A batch as a dict: of samples, of samples and labels, or a dict already.

    Args:
        x: dict, or samples.
        y: labels, or `None`.
        fields: dict of `Field` by name, that of the samples first.

    Returns:
        dict with all fields, and what else was in `x`.

    Raises:
        ValueError: if a field is missing, or `y` has no place.
    """
    if isinstance(x, dict):
        batch = dict(x)
    elif hasattr(x, "shape") and hasattr(x, "dtype"):
        batch = {next(iter(fields)): x}
    else:
        raise _not_a_batch(type(x).__name__, fields)
    if y is not None:
        if tf.TensorShape(y.shape).rank not in (None, 1, 2):
            raise ValueError(
                "`y` must be `None` or labels, because samples are their own targets. "
                f"Received: {tf.as_dtype(y.dtype).name} of shape {tuple(y.shape)}"
            )
        if "labels" in fields:
            batch.setdefault("labels", y)
    if not fields.keys() <= batch.keys():
        raise _not_a_batch(sorted(batch), fields)
    return batch


def _not_a_batch(came, fields):
    forms, alone = f"a dict with {sorted(fields)}", next(iter(fields))
    if len(fields) == 1:
        forms += f", or {alone}"
    if fields.keys() == {alone, "labels"}:
        forms += f", or ({alone}, labels)"
    return ValueError(f"A batch must be {forms}. Received: {came}")


def read(x, fields):
    """A batch as models see it, checked without looking at values.

    Args:
        x: dict of tensors, or pictures.
        fields: dict of `Field` by name.

    Returns:
        dict of the fields' tensors: pictures float32, labels and tokens int32.

    Raises:
        ValueError: if a key is missing, or for another rank, shape or dtype.
    """
    batch = named(x, None, fields)
    for name, field in fields.items():
        field.check_type(name, batch[name])
    return {name: field.read(batch[name]) for name, field in fields.items()}


def check_arrays(batch, fields):
    """Raises unless arrays, all of them, are as they must be.

    Args:
        batch: dict of arrays.
        fields: dict of `Field` by name.

    Raises:
        ValueError: for another rank, shape or dtype, or values out of range.
    """
    for name, field in fields.items():
        array = np.asarray(batch[name])
        field.check(name, array)
        if (
            isinstance(field, Lengths)
            and array.max(initial=0) > batch[field.of].shape[1]
        ):
            raise field.refusal(name, float(array.min()), float(array.max()))


def assert_values(batch, fields, index):
    """Puts a check of all values into a graph outside of XLA, such as a pipeline's.

    Args:
        batch: dict of tensors.
        fields: dict of `Field` by name.
        index: int64 scalar, the batch's number. The first `OFTEN` are looked at, then
            one in so many: a check of each would be felt in the smallest models.

    Returns:
        The batch. Where it is used, values out of range raise what `said` knows.
    """

    def look():
        checks = [
            _assertion(name, batch[name], field, batch)
            for name, field in fields.items()
        ]
        with tf.control_dependencies(checks):
            return tf.constant(True)

    due = (index < OFTEN) | (index % OFTEN == 0)
    with tf.control_dependencies([tf.cond(due, look, lambda: tf.constant(True))]):
        return tf.nest.map_structure(tf.identity, batch)


def assert_shapes(batch, fields):
    """Puts a check of the shapes that are not known into a graph outside of XLA.

    Args:
        batch: dict of tensors.
        fields: dict of `Field` by name.

    Returns:
        The batch. See `assert_values`.
    """
    checked = dict(batch)
    for name, field in fields.items():
        if tf.TensorShape(batch[name].shape)[1:].is_fully_defined():
            continue
        came = tf.shape(batch[name])
        good = tf.equal(tf.size(came), 1 + len(field.shape))
        good = tf.logical_and(good, _all_equal(came[1:], field.shape))
        check = tf.debugging.Assert(good, [SHAPE, name, came], summarize=10)
        with tf.control_dependencies([check]):
            checked[name] = tf.identity(batch[name])
    return checked


def _all_equal(sizes, expected):
    any_size = -2
    # Of another rank they could not be compared.
    rank = len(expected)
    padded = tf.concat([sizes, tf.fill([rank], -1)], axis=0)[:rank]
    known = [any_size if size is None else size for size in expected]
    known = tf.constant(known, "int32", (rank,))
    return tf.reduce_all(tf.equal(padded, known) | (known == any_size))


def _assertion(name, tensor, field, batch):
    extremes = tf.reduce_min(tensor), tf.reduce_max(tensor)
    low, high = (tf.cast(value, "float32") for value in extremes)
    good = field.accepts(low, high)
    if isinstance(field, Lengths):
        good &= extremes[1] <= tf.cast(tf.shape(batch[field.of])[1], tensor.dtype)
    good |= tf.equal(tf.size(tensor), 0)
    return tf.debugging.Assert(good, [REFUSED, name, low, high])


def said(error, fields):
    """The `ValueError` behind an error of TensorFlow, or `None`.

    Args:
        error: `tf.errors.InvalidArgumentError`.
        fields: dict of `Field` by name.
    """
    part = r" \[([^]]*)\]"
    values = re.search(rf"\[{REFUSED}\]{part * 3}", error.message)
    if values is not None:
        name, low, high = values.groups()
        return fields.get(name, Weights()).refusal(name, float(low), float(high))
    shape = re.search(rf"\[{SHAPE}\]{part * 2}", error.message)
    if shape is None:
        return None
    name, sizes = shape.groups()
    return ValueError(
        f"`{name}` must be {fields[name].allowed}. "
        f"Received: shape ({', '.join(sizes.split())})"
    )
