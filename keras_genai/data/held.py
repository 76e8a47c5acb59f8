"""What people hold, such as lists, generators and data sets, as rows of samples."""

import itertools

import numpy as np
import tensorflow as tf

from keras_genai.data.arguments import check_count
from keras_genai.data.loading import DataLoader, Dataset

MOST = 10_000_000  # samples of a generator; who holds more has a data set that is read


def as_rows(value, name):
    """Samples one by one.

    Args:
        value: array; list or other map-style data set; generator; `tf.data.Dataset`
            of single samples, which ends.
        name: str, what errors call it.

    Returns:
        Array, or list of samples.

    Raises:
        ValueError: if it is none of these, endless, or empty. A generator is endless
            that makes more than ten million samples.
    """
    if isinstance(value, tf.data.Dataset):
        if value.cardinality() == tf.data.INFINITE_CARDINALITY:
            raise ValueError(
                f"`{name}` must end, or be given to `fit` in batches. Received: an "
                "endless tf.data.Dataset"
            )
        value = [_plain(row) for row in value.as_numpy_iterator()]
    elif tf.is_tensor(value):
        value = value.numpy()
    elif not isinstance(value, np.ndarray | str | dict) and hasattr(value, "__iter__"):
        value = _all_of(value, name)
    elif isinstance(value, Dataset) and not isinstance(value, np.ndarray | str | dict):
        value = [value[index] for index in range(len(value))]
    if not isinstance(value, np.ndarray | list) or not len(value):
        raise ValueError(
            f"`{name}` must be an array, a list, a data set or a generator of at least "
            f"one sample. Received: {type(value).__name__}"
        )
    return value


def _all_of(samples, name):
    """A list of what an iterable makes, unless it goes on and on."""
    rows = list(itertools.islice(samples, MOST + 1))
    if len(rows) > MOST:
        raise ValueError(
            f"`{name}` must end, or be given to `fit` in batches. Received: "
            f"{type(samples).__name__} of more than {MOST} samples"
        )
    return rows


def columns(rows, count, name):
    """The parts of samples that have several, such as pictures with their labels.

    Args:
        rows: what `as_rows` returned.
        count: int, parts of a sample.
        name: str, what errors call them.

    Returns:
        list of `count` lists or arrays.

    Raises:
        ValueError: if a sample has another number of parts.
    """
    if count == 1:
        return [rows]
    if not all(isinstance(row, tuple | list) and len(row) == count for row in rows):
        raise ValueError(
            f"`{name}` must be samples of {count} parts. Received: {str(rows[0])[:80]}"
        )
    return [list(column) for column in zip(*rows, strict=True)]


def in_batches(rows, count, batch_size, shuffle, seed, collate=None, transform=None):
    """A `DataLoader` of few samples, too: a batch is at most all of them.

    Args:
        rows: what `DataLoader` takes.
        count: int, how many samples there are.
        batch_size, shuffle, seed, collate, transform: of `DataLoader`.
    """
    check_count("batch_size", batch_size)
    return DataLoader(
        rows,
        min(batch_size, count),
        shuffle=shuffle,
        seed=seed,
        collate=collate,
        transform=transform,
    )


def _plain(row):
    """A sample of tf.data as Python has it: texts are str."""
    if isinstance(row, bytes):
        return row.decode("utf-8")
    if isinstance(row, tuple):
        return tuple(_plain(part) for part in row)
    if isinstance(row, dict):
        return {key: _plain(part) for key, part in row.items()}
    if isinstance(row, np.ndarray) and row.dtype == object:  # of texts
        return [_plain(part) for part in row]
    return row
