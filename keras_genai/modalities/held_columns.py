"""Tables as people hold them: files, dicts, records and arrays, as columns."""

import os

import numpy as np

from keras_genai.files.paths import as_path
from keras_genai.files.separated import read_columns


def columns_of(value, name, names=None):
    """What a person holds as a table: dict from the name of a column to its cells.

    Args:
        value: see `Table.of`.
        name: str, what errors call it.
        names: tuple of str or `None`, what the columns of an array are called.

    Raises:
        ValueError: if it is nothing of the kind, has no rows, or columns of unequal
            lengths.
    """
    if isinstance(value, str | os.PathLike):
        return read_columns(as_path(value, name))
    if isinstance(value, list | tuple) and value:
        if all(isinstance(row, dict) for row in value):
            value = _of_records(value, name)
        elif not any(isinstance(row, dict) for row in value):
            value = np.asarray(value)
    if isinstance(value, np.ndarray) and value.dtype.names:
        value = {column: value[column] for column in value.dtype.names}
    elif isinstance(value, np.ndarray) and value.ndim == 2:
        count = value.shape[1]
        own = tuple(f"column_{place + 1}" for place in range(count))
        if names is not None and len(names) != count:
            raise ValueError(
                f"`{name}` must have {len(names)} columns. Received: {count}"
            )
        value = dict(zip(names or own, value.T, strict=True))
    if not isinstance(value, dict) or not value:
        raise ValueError(
            f"`{name}` must be a path of a CSV file, a dict of columns, a list of "
            f"dicts or an array of rows. Received: {value!r:.60}"
        )
    lengths = {column: len(cells) for column, cells in value.items()}
    if len({*lengths.values()}) > 1 or not min(lengths.values()):
        raise ValueError(
            f"`{name}` must have columns of one length, at least 1. "
            f"Received: {str(lengths)[:80]}"
        )
    return value


def _of_records(records, name):
    """Columns of a list of dicts, which all have the same keys."""
    keys = [*records[0]]
    for place, record in enumerate(records):
        if {*record} != {*keys}:
            raise ValueError(
                f"`{name}` must be dicts of keys {', '.join(map(str, keys))}. "
                f"Received: {', '.join(map(str, record))} in row {place}"
            )
    return {key: [record[key] for record in records] for key in keys}
