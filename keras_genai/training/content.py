"""The hash of a run's data, so that changed data under an old name is noticed."""

import hashlib
import json

import numpy as np
import tensorflow as tf

LARGEST = 2**28  # bytes of an array that are read as a whole
BLOCK = 2**16  # bytes of each place that is read of a larger one
MOST_SAMPLES = 2**17  # of a list in memory
MOST_READ = 2**10  # of a data set whose samples have to be read or made
CHUNK = 2**10  # samples of a list that are encoded together
BATCHES = 8  # of a loader that does not say what it reads


def content_hash(*values):
    """The sha256 of data: texts, numbers, arrays, data sets, loaders, nested as may be.

    Of an array larger than `LARGEST`, a list longer than `MOST_SAMPLES` and a data set
    of more than `MOST_READ` samples, only places at equal distances are read, the ends
    among them; a change in between is not noticed.

    Args:
        *values: also a tokenizer (its `to_json`), or a loader (its `content`, or a few
            batches of its `dataset`).

    Returns:
        str, hexadecimal.
    """
    found = hashlib.sha256()
    for value in values:
        _feed(found, value)
    return found.hexdigest()


def is_array(value):
    """Whether a value is an array: of NumPy, TensorFlow or a variable of Keras."""
    return hasattr(value, "__array__") and hasattr(value, "dtype")


def _feed(found, value):
    if is_array(value):
        _feed_array(found, np.asarray(value))
    elif isinstance(value, dict):
        for key, item in value.items():
            _feed(found, key)
            _feed(found, item)
    elif isinstance(value, list | tuple):
        _feed_list(found, value)
    elif isinstance(value, bytes):
        _feed_bytes(found, b"bytes", value)
    elif isinstance(value, str):
        _feed_bytes(found, b"json", _json(value).encode())
    else:
        _feed_object(found, value)


def _feed_object(found, value):
    """An object by what it says of itself, or by the samples that it has."""
    if hasattr(value, "to_json"):
        _feed(found, value.to_json())
    elif hasattr(value, "content"):
        _feed(found, value.content)
    elif hasattr(value, "dataset"):
        for place in _places(value.steps_per_epoch, BATCHES):
            batch = next(iter(value.dataset(place).take(1)))
            _feed(found, tf.nest.flatten(batch))
    elif hasattr(value, "__getitem__"):
        found.update(b"samples%d:" % len(value))
        for place in _places(len(value), MOST_READ):
            _feed(found, value[place])
    else:
        _feed_bytes(found, b"json", _json(value).encode())


def _feed_bytes(found, kind, content):
    found.update(b"%s%d:" % (kind, len(content)))
    found.update(content)


def _feed_array(found, array):
    if array.dtype == object:
        _feed_list(found, array.ravel().tolist())
        return
    found.update(f"{array.dtype.str}{array.shape}".encode())
    content = np.ascontiguousarray(array).reshape(-1).view("uint8")
    if len(content) <= LARGEST:
        found.update(content)
        return
    for place in _places(len(content) - BLOCK + 1, LARGEST // BLOCK):
        found.update(content[place : place + BLOCK])


def _feed_list(found, values):
    """A list; plain numbers and texts many at a time, which is much faster."""
    found.update(b"list%d:" % len(values))
    if len(values) > MOST_SAMPLES:
        values = [values[place] for place in _places(len(values), MOST_SAMPLES)]
    for start in range(0, len(values), CHUNK):
        chunk = values[start : start + CHUNK]
        try:
            found.update(json.dumps(chunk).encode())
        except (TypeError, ValueError):
            for item in chunk:
                _feed(found, item)


def _json(value):
    try:
        return json.dumps(value)
    except (TypeError, ValueError):  # an object that does not say what it holds
        return type(value).__qualname__


def _places(count, most):
    """At most `most` of the first `count` integers, at equal distances."""
    return np.unique(
        np.linspace(0, count - 1, min(count, most)).astype("int64")
    ).tolist()
