"""What rows are asked to have: a word, a value that is missing, a range of numbers."""

import dataclasses
import numbers

import numpy as np

from keras_genai.modalities.columns import is_missing


@dataclasses.dataclass(frozen=True)
class IsWord:
    """Rows with one word in a column, or with none.

    Args:
        column: `CategoricalColumn`.
        word: str, empty for none.
    """

    column: object
    word: str

    @property
    def code(self):
        """int: the number of the category."""
        return int(self.column.codes(np.array([self.word]))[0])

    def fits(self, rows):
        """bool `(N,)`: which rows have it."""
        return rows[self.column.name] == self.word


@dataclasses.dataclass(frozen=True)
class IsWithin:
    """Rows whose number is in a range; or missing, where the range is `None`.

    Args:
        column: `NumericColumn`.
        span: `(low, high)`, both included, or `None`.
    """

    column: object
    span: tuple | None

    def fits(self, rows):
        """bool `(N,)`: see `IsWord`."""
        values = rows[self.column.name]
        if self.span is None:
            return np.isnan(values)
        return (values >= self.span[0]) & (values <= self.span[1])


def read_conditions(table, where):
    """dict of `IsWord` and `IsWithin` by the names of columns.

    Args:
        table: `Table`.
        where: see `TableTask.generate`.

    Raises:
        ValueError: if a column does not exist, or can never have what is asked for.
    """
    if where is None:
        return {}
    if not isinstance(where, dict):
        raise ValueError(
            "`where` must be a dict from names of columns to what rows have there. "
            f"Received: {where!r:.80}"
        )
    return {name: _read(table.column(name, "where"), v) for name, v in where.items()}


def _read(column, value):
    if not column.is_numeric:
        return IsWord(column, str(column.check([value])[0]))
    missing = not isinstance(value, tuple | list) and is_missing(value)
    if missing and not column.missing:
        raise ValueError(
            f"`where` must be a number for {column.name!r}, of which none is missing. "
            f"Received: {value!r}"
        )
    return IsWithin(column, None if missing else _span(column, value))


def _span(column, value):
    if isinstance(value, numbers.Real) and not isinstance(value, bool):
        value = (value, value)
    good = isinstance(value, tuple | list) and len(value) == 2
    if not good or not all(isinstance(end, numbers.Real) for end in value):
        raise ValueError(
            f"`where` must be a number or a pair of numbers for {column.name!r}. "
            f"Received: {value!r:.80}"
        )
    low, high = value
    least, largest = column.quantiles[0], column.quantiles[-1]
    if not low <= high or high < least or low > largest:
        raise ValueError(
            f"`where` must be from {least:g} to {largest:g} for {column.name!r}, as "
            f"the data are, the smaller one first. Received: {value!r}"
        )
    return tuple(value)
