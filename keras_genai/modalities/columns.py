"""Columns of tables: numbers as normal scores, words as categories."""

import dataclasses
import functools
import statistics

import numpy as np

from keras_genai.checks import check_integer, check_number
from keras_genai.registry import register

MOST_KNOTS = 128  # quantiles that are kept of a column of numbers
MOST_CATEGORIES = 1_000
MOST_CLASSES = 10  # of a target in whole numbers; one of more is a quantity
MOST_DECIMALS = 8
MISSING = frozenset(
    ("", "NA", "N/A", "n/a", "NaN", "nan", "NULL", "null", "None", "<NA>", "?")
)
_NORMAL = statistics.NormalDist()


def normal_scores(chances):
    """float64 array: at which a standard normal number lies below with these chances.

    Args:
        chances: floats between 0 and 1.
    """
    return np.array([_NORMAL.inv_cdf(chance) for chance in np.ravel(chances)])


@register
@dataclasses.dataclass(frozen=True)
class NumericColumn:
    """A column of numbers, as normal scores of its quantiles.

    The score of a number is the standard normal number that has the same share of
    others below it. Numbers beyond those of the data have the score of the last one.

    Args:
        name: str.
        quantiles: tuple of float, from the least to the largest.
        rows: int, n: how many numbers they are of. The first is at a share of 0.5 / n,
            the last at 1 - 0.5 / n, and the others at equal distances between.
        missing: float from 0 to below 1, the share of rows that have none; at 0 none
            may be missing.
        decimals: int or `None`, to which what is made is rounded.

    Raises:
        ValueError: if quantiles fall, or an argument is out of its range.
    """

    name: str
    quantiles: tuple[float, ...]
    rows: int
    missing: float = 0.0
    decimals: int | None = None

    is_numeric = True

    def __post_init__(self):
        _check_name(self.name)
        values = np.asarray(self.quantiles, "float64")
        if values.ndim != 1 or not len(values) or not np.isfinite(values).all():
            raise ValueError(
                f"`quantiles` of {self.name!r} must be finite floats, at least one. "
                f"Received: {self.quantiles!r:.60}"
            )
        if (np.diff(values) < 0).any():
            raise ValueError(
                f"`quantiles` of {self.name!r} must not fall. "
                f"Received: {self.quantiles!r:.60}"
            )
        object.__setattr__(self, "quantiles", tuple(values.tolist()))
        check_integer("rows", self.rows, 1)
        _check_missing(self.missing)
        if self.decimals is not None:
            check_integer("decimals", self.decimals, 0)

    @classmethod
    def of(cls, name, values):
        """The column of these numbers.

        Args:
            name: str.
            values: float64 `(N,)`, NaN where one is missing.

        Raises:
            ValueError: if all are missing, or one is infinite.
        """
        known = values[~np.isnan(values)]
        if not len(known) or np.isinf(known).any():
            came = "an infinite one" if len(known) else "none"
            raise ValueError(
                f"`{name}` must have finite numbers, at least one. Received: {came}"
            )
        count = min(len(known), MOST_KNOTS)
        quantiles = np.quantile(known, _shares(count, len(known)), method="hazen")
        missing = 1 - len(known) / len(values)
        return cls(name, tuple(quantiles), len(known), missing, _decimals(known))

    def get_config(self):
        return dataclasses.asdict(self)

    @functools.cached_property
    def _knots(self):
        """The quantiles and their scores, float64 `(K,)` each."""
        shares = _shares(len(self.quantiles), self.rows)
        return np.array(self.quantiles), normal_scores(shares)

    def check(self, values):
        """Numbers of this column, as float64 `(N,)`, NaN where one is missing.

        Args:
            values: sequence of numbers, or of str, some of them missing.

        Raises:
            ValueError: naming the column and the value that is no number, or missing
                where none may be.
        """
        found = numbers_of(values)
        if found is None:
            wrong = next(v for v in values if numbers_of([v]) is None)
            raise ValueError(
                f"`{self.name}` must be numbers. Received: {str(wrong)[:60]!r}"
            )
        if np.isinf(found).any():
            raise ValueError(f"`{self.name}` must be finite. Received: infinity")
        if not self.missing and np.isnan(found).any():
            row = int(np.flatnonzero(np.isnan(found))[0])
            raise ValueError(
                f"`{self.name}` must be a number in every row, as in the data it was "
                f"made of. Received: none in row {row}"
            )
        return found

    def scores(self, values):
        """float32 `(N,)`: the normal scores of numbers, 0 where one is missing."""
        quantiles, scores = self._knots
        known = np.where(np.isnan(values), quantiles[0], values)
        # A number that is there often has the middle of the scores of its quantiles.
        low = np.interp(known, quantiles, scores)
        high = -np.interp(-known, -quantiles[::-1], -scores[::-1])
        return np.where(np.isnan(values), 0.0, (low + high) / 2).astype("float32")

    def numbers(self, scores):
        """float64 `(N,)`: the numbers of normal scores, rounded as the data are."""
        quantiles, knots = self._knots
        found = np.interp(np.asarray(scores, "float64"), knots, quantiles)
        return found if self.decimals is None else np.round(found, self.decimals)

    def said(self, value):
        """str: a number as a file has it, empty where one is missing."""
        if np.isnan(value):
            return ""
        return (
            repr(float(value))
            if self.decimals is None
            else f"{value:.{self.decimals}f}"
        )


@register
@dataclasses.dataclass(frozen=True)
class CategoricalColumn:
    """A column of words, each one of several categories.

    Args:
        name: str.
        categories: tuple of different str, none of them empty.
        shares: tuple of float, how often each is in the data; of the rest of the rows
            nothing is known.
        missing: float from 0 to below 1, the share of rows that have none; at 0 none
            may be missing.

    Attributes:
        size: int: categories, and one more where some may be missing, the last.

    Raises:
        ValueError: if there are not as many shares as categories, or an argument is out
            of its range.
    """

    name: str
    categories: tuple[str, ...]
    shares: tuple[float, ...]
    missing: float = 0.0

    is_numeric = False

    def __post_init__(self):
        _check_name(self.name)
        words, shares = tuple(self.categories), tuple(map(float, self.shares))
        if (
            not 0 < len(words) <= MOST_CATEGORIES
            or len({*words}) < len(words)
            or not all(isinstance(word, str) and word for word in words)
        ):
            raise ValueError(
                f"`categories` of {self.name!r} must be 1 to {MOST_CATEGORIES:,} "
                f"different str. Received: {len(words)}, {str(words)[:60]}"
            )
        good = len(shares) == len(words) and all(share >= 0 for share in shares)
        if not good or not 0 < sum(shares) <= 1 + 1e-6:
            raise ValueError(
                f"`shares` of {self.name!r} must be {len(words)} floats >= 0, together "
                f"at most 1. Received: {str(shares)[:60]}"
            )
        object.__setattr__(self, "categories", words)
        object.__setattr__(self, "shares", shares)
        _check_missing(self.missing)

    @classmethod
    def of(cls, name, values):
        """The column of these words.

        Args:
            name: str.
            values: sequence of str, empty where one is missing.

        Raises:
            ValueError: if all are missing, or there are too many.
        """
        words, counts = np.unique(np.asarray(values, "str"), return_counts=True)
        known = words != ""
        if not known.any() or known.sum() > MOST_CATEGORIES:
            raise ValueError(
                f"`{name}` must have 1 to {MOST_CATEGORIES:,} different words. "
                f"Received: {int(known.sum()):,}"
            )
        shares = counts / counts.sum()
        missing = float(shares[~known].sum())
        return cls(name, tuple(words[known].tolist()), tuple(shares[known]), missing)

    def get_config(self):
        return dataclasses.asdict(self)

    @property
    def size(self):
        return len(self.categories) + bool(self.missing)

    @property
    def all_shares(self):
        """float64 `(size,)`: how often each is in the data, missing ones the last."""
        more = [self.missing] if self.missing else []
        found = np.array([*self.shares, *more])
        return found / found.sum()

    def check(self, values):
        """Words of this column, as str `(N,)`, empty where one is missing.

        Raises:
            ValueError: naming the column and the value that is none of its categories,
                or missing where none may be.
        """
        words = words_of(values)
        wrong = ~np.isin(words, [*self.categories, *([""] if self.missing else [])])
        if wrong.any():
            row = int(np.flatnonzero(wrong)[0])
            listed = ", ".join(self.categories[:MOST_CLASSES])
            more = ", ..." if len(self.categories) > MOST_CLASSES else ""
            came = repr(str(words[row])[:60]) if words[row] else "none"
            raise ValueError(
                f"`{self.name}` must be one of {listed}{more}. "
                f"Received: {came} in row {row}"
            )
        return words

    def codes(self, words):
        """int32 `(N,)`: which category each is, the last for missing ones."""
        order = np.argsort(self.categories)
        known = np.asarray(self.categories)[order]
        places = np.minimum(np.searchsorted(known, words), len(known) - 1)
        return np.where(words == "", len(known), order[places]).astype("int32")

    def words(self, codes):
        """str `(N,)`: the inverse of `codes`."""
        return np.array([*self.categories, ""])[np.asarray(codes)]

    def said(self, value):
        """str: a word as a file has it."""
        return str(value)


def numbers_of(values):
    """Values as float64 `(N,)`, NaN where one is missing; `None` if one is a word.

    Args:
        values: array or sequence of numbers, str, or `None`.
    """
    array = np.asarray(values)
    if array.dtype.kind in "fiu":
        return array.astype("float64")
    found = np.empty(len(array), "float64")
    for row, value in enumerate(array.tolist()):
        if is_missing(value):
            found[row] = np.nan
        elif isinstance(value, bool):
            return None
        else:
            try:
                found[row] = float(value)
            except (TypeError, ValueError):
                return None
    return found


def words_of(values):
    """Values as str `(N,)`, empty where one is missing; whole numbers have no point."""
    return np.array([_word(value) for value in np.asarray(values).tolist()], "str")


def is_missing(value):
    """bool: whether a cell says that nothing is known."""
    if isinstance(value, str):
        return value.strip() in MISSING
    return value is None or (isinstance(value, float) and np.isnan(value))


def _word(value):
    if is_missing(value):
        return ""
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return str(value).strip()


def _shares(count, rows):
    """float64 `(count,)`: the share of numbers below each quantile."""
    if count == 1:
        return np.array([0.5])
    return np.linspace(0.5 / rows, 1 - 0.5 / rows, count)


def _decimals(values):
    """The least decimals that lose nothing, `None` if even many do."""
    for decimals in range(MOST_DECIMALS + 1):
        if (np.round(values, decimals) == values).all():
            return decimals
    return None


def _check_name(name):
    if not isinstance(name, str) or not name:
        raise ValueError(
            f"`name` must be a str that says something. Received: {name!r}"
        )


def _check_missing(missing):
    check_number(
        "missing", missing, "a share from 0 to below 1", lambda share: 0 <= share < 1
    )
