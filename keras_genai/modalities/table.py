"""Table: rows of numbers and words, as normal scores and categories."""

import dataclasses

import numpy as np

from keras_genai.checks import check_instance
from keras_genai.files.separated import encode_rows
from keras_genai.files.writing import write_bytes
from keras_genai.modalities import table_picture
from keras_genai.modalities.base import Modality
from keras_genai.modalities.columns import (
    MOST_CLASSES,
    CategoricalColumn,
    NumericColumn,
    numbers_of,
    words_of,
)
from keras_genai.modalities.fields import BATCH, FINITE, Field
from keras_genai.modalities.held_columns import columns_of
from keras_genai.registry import register

MOST_COLUMNS = 1_000


@dataclasses.dataclass(frozen=True)
class Scores(Field):
    """Normal scores, one of each column of numbers."""

    columns: int
    kinds = "f"

    @property
    def shape(self):
        return (self.columns,)

    @property
    def allowed(self):
        return f"finite floats of shape ({BATCH}, {self.columns})"

    def span(self):
        return FINITE


@dataclasses.dataclass(frozen=True)
class Categories(Field):
    """Which category each column has, of as many as its size says."""

    sizes: tuple[int, ...]
    kinds, dtype = "iu", "int32"

    @property
    def shape(self):
        return (len(self.sizes),)

    @property
    def allowed(self):
        return (
            f"ints from 0 to below the size of their column, of shape ({BATCH}, "
            f"{len(self.sizes)})"
        )

    def span(self):
        return 0, max(self.sizes) - 1

    def check(self, name, array):
        super().check(name, array)
        for place, size in enumerate(self.sizes):
            column = array[:, place]
            if column.size and column.max() >= size:
                raise self.refusal(
                    f"{name}[:, {place}]", float(column.min()), float(column.max())
                )


@register
@dataclasses.dataclass(frozen=True)
class Table(Modality):
    """Rows of a table: what each column is, and how its values become tensors.

    A value is a structured array `(N,)` of NumPy with a field a column: float64 of
    numbers, NaN where one is missing, and str of words, empty where one is missing. It
    has `value["age"]`, `value[:5]` and `len(value)`, and `pandas.DataFrame(value)`
    reads it. As a file it is CSV; beside it lies a picture of its columns.

    In a batch are `numbers`, float32 `(B, N)`, the normal scores of columns of numbers,
    0 where one is missing; and `categories`, int32 `(B, C)`: of each column of words
    which one it is, and then, of each column of numbers that may be missing, 1 where it
    is.

    Args:
        columns: tuple of `NumericColumn` and `CategoricalColumn`.
        target: str or `None`. The column that others are to foretell. If it is one of
            words, its categories are the classes that a model can be told.

    Attributes:
        label: str or `None`: the target, if it has classes.

    Raises:
        TypeError: if a column is none.
        ValueError: if two have one name, or the target is not among them.
    """

    columns: tuple
    target: str | None = None

    key, suffix, noun = "rows", ".csv", "rows"
    options = ("count", "where", "out")

    def __post_init__(self):
        columns = tuple(self.columns)
        object.__setattr__(self, "columns", columns)
        for column in columns:
            if not isinstance(column, CategoricalColumn):
                check_instance("columns", column, NumericColumn)
        if not 0 < len(columns) <= MOST_COLUMNS or len({*self.names}) < len(columns):
            raise ValueError(
                f"`columns` must be 1 to {MOST_COLUMNS:,} of different names. "
                f"Received: {', '.join(self.names)[:80]}"
            )
        if self.target is not None:
            self.column(self.target, "target")

    @classmethod
    def of(cls, value, target=None, categorical=()):
        """The table that some rows are of.

        A column is of numbers if all of its values are, and of words else. A target in
        at most ten whole numbers is one of words, too: of classes.

        Args:
            value: path of a CSV file, dict of columns, list of dicts, structured array,
                or array `(N, D)` of numbers, whose columns are called `column_1` and so
                on.
            target: see above.
            categorical: tuple of str, columns of numbers that stand for words.

        Raises:
            ValueError: if a column cannot be read, or is not there.
            OSError: if a file cannot be read.
        """
        found = columns_of(value, "value")
        for name in (*categorical, *([] if target is None else [target])):
            if name not in found:
                raise _no_such(
                    "target" if name == target else "categorical", name, found
                )
        columns = []
        for name, cells in found.items():
            numbers = None if name in categorical else numbers_of(cells)
            if numbers is None or (name == target and _are_classes(numbers)):
                columns.append(CategoricalColumn.of(name, words_of(cells)))
            else:
                columns.append(NumericColumn.of(name, numbers))
        return cls(tuple(columns), target)

    @property
    def names(self):
        """tuple of str: of all columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def numeric(self):
        """tuple of `NumericColumn`, those of `numbers` in a batch."""
        return tuple(column for column in self.columns if column.is_numeric)

    @property
    def categorical(self):
        """tuple of `CategoricalColumn`, the first ones of `categories` in a batch."""
        return tuple(column for column in self.columns if not column.is_numeric)

    @property
    def flagged(self):
        """tuple of int: which columns of `numeric` may miss a number, in order."""
        return tuple(i for i, column in enumerate(self.numeric) if column.missing)

    @property
    def category_sizes(self):
        """tuple of int: how many categories each column of `categories` has."""
        return (
            *(column.size for column in self.categorical),
            *(2 for _ in self.flagged),
        )

    @property
    def label(self):
        if self.target is None or self.column(self.target).is_numeric:
            return None
        return self.target

    @property
    def numbers(self):
        return len(self.columns)

    @property
    def dtype(self):
        """`numpy.dtype` of values."""
        kinds = {
            column.name: "float64"
            if column.is_numeric
            else f"U{max(map(len, column.categories))}"
            for column in self.columns
        }
        return np.dtype([*kinds.items()])

    def column(self, name, argument="column"):
        """The column of a name.

        Args:
            name: str.
            argument: str, what errors call it.

        Raises:
            ValueError: if there is none.
        """
        for column in self.columns:
            if column.name == name:
                return column
        raise _no_such(argument, name, self.names)

    @property
    def fields(self):
        found = {}
        if self.numeric:
            found["numbers"] = Scores(len(self.numeric))
        if self.category_sizes:
            found["categories"] = Categories(self.category_sizes)
        return found

    def read(self, value, name=None):
        """Rows that a person has.

        Args:
            value: path of a CSV file, dict of columns, list of dicts, structured array,
                or array `(N, D)` of numbers in the order of the columns. Columns may
                come in another order; all must be there, and no others.
            name: see `Modality`.

        Returns:
            structured array `(N,)`, see above.

        Raises:
            ValueError: if a column is missing or unknown, or a value cannot be in its
                column: the message names both.
            OSError: if a file cannot be read.
        """
        name = name or self.key
        found = columns_of(value, name, self.names)
        if {*found} != {*self.names}:
            lacking = [each for each in self.names if each not in found]
            came = f"none called {lacking[0]!r}" if lacking else ""
            unknown = [each for each in found if each not in self.names]
            raise ValueError(
                f"`{name}` must have the columns {', '.join(self.names)[:200]}. "
                f"Received: {came or f'one called {unknown[0]!r}'}"
            )
        columns = [column.check(found[column.name]) for column in self.columns]
        return self._together(columns, len(columns[0]))

    def batch(self, rows):
        found = {}
        if self.numeric:
            scores = [column.scores(rows[column.name]) for column in self.numeric]
            found["numbers"] = np.stack(scores, axis=1)
        if self.category_sizes:
            codes = [column.codes(rows[column.name]) for column in self.categorical]
            values = [rows[self.numeric[place].name] for place in self.flagged]
            codes += [np.isnan(value).astype("int32") for value in values]
            found["categories"] = np.stack(codes, axis=1)
        return found

    def rows_of(self, batch):
        """The rows of a batch: the inverse of `batch`.

        Args:
            batch: dict of arrays, see `fields`.

        Returns:
            structured array `(N,)`.
        """
        count = len(next(iter(batch.values())))
        columns, numeric, words = [], 0, 0
        first = len(self.categorical)
        flags = {place: first + i for i, place in enumerate(self.flagged)}
        for column in self.columns:
            if column.is_numeric:
                values = column.numbers(batch["numbers"][:, numeric])
                if numeric in flags:
                    absent = batch["categories"][:, flags[numeric]] == 1
                    values = np.where(absent, np.nan, values)
                numeric += 1
            else:
                values = column.words(batch["categories"][:, words])
                words += 1
            columns.append(values)
        return self._together(columns, count)

    def encode(self, value):
        rows = zip(*(self._said(column, value) for column in self.columns), strict=True)
        return encode_rows(self.names, rows)

    def picture(self, value):
        return table_picture.draw(self, value)

    def write(self, path, value):
        """As `Modality.write`, and beside it the picture of its columns."""
        path = super().write(path, value)
        write_bytes(path.with_suffix(".png"), self.picture(value))
        return path

    def wished(self, asked, count):
        return {"where": dict(map(self._asked, asked.get("where", [])))}

    def unit(self, spec):
        return "rows", 1

    def _asked(self, text):
        """Name and value of `COLUMN=VALUE`, as `generate` takes them in `where`."""
        name, equals, value = text.partition("=")
        if not equals:
            raise ValueError(f"`--where` must be COLUMN=VALUE. Received: {text!r}")
        if not self.column(name, "--where").is_numeric:
            return name, value
        if not value:
            return name, None
        low, colon, high = value.partition(":")
        try:
            return name, (float(low), float(high if colon else low))
        except ValueError:
            raise ValueError(
                f"`--where` must be {name}=NUMBER or {name}=LOW:HIGH. "
                f"Received: {text!r}"
            ) from None

    def _said(self, column, value):
        return [column.said(each) for each in value[column.name]]

    def _together(self, columns, count):
        value = np.empty(count, self.dtype)
        for name, column in zip(self.names, columns, strict=True):
            value[name] = column
        return value


def _are_classes(numbers):
    known = np.unique(numbers[~np.isnan(numbers)])
    return len(known) <= MOST_CLASSES and (known == np.round(known)).all()


def _no_such(argument, name, names):
    return ValueError(
        f"`{argument}` must be one of the columns {', '.join(names)[:200]}. "
        f"Received: {name!r}"
    )
