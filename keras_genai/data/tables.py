"""Sources of tables: functions that return `Splits` of rows.

Batches are dicts of `numbers` and `categories`, as `keras_genai.modalities.table.Table`
says; so are `held_out` and `test`. Quantiles and shares of a table are those of the
training rows alone; which words and gaps there are it knows from all rows, since a word
that it does not know could not be in a batch.
"""

import functools
from importlib.util import find_spec

import numpy as np

from keras_genai.checks import check_instance, check_integer
from keras_genai.data import naming
from keras_genai.data.arguments import check_count
from keras_genai.data.extras import require
from keras_genai.data.loading import DataLoader, Splits
from keras_genai.files.paths import as_path
from keras_genai.files.separated import read_columns
from keras_genai.modalities.columns import CategoricalColumn
from keras_genai.modalities.held_columns import columns_of
from keras_genai.modalities.table import Table

TEST = 189  # of the 569 rows of breast_cancer
_FIXED = 0  # seed of the cut, the same in every run
_OF_SKLEARN = {"breast_cancer": "target", "wine": "target", "diabetes": "target"}


def breast_cancer(
    batch_size, seed=0, data_dir=None, *, validation=0, target="target", stand_in=False
):
    """Breast cancer in Wisconsin: 569 cells in 30 numbers, malignant or benign.

    A fixed cut has 189 rows for the test, 122 of them benign, and 380 others.

    Args:
        batch_size: int.
        seed: int. Which rows come in which batch.
        data_dir: unused: the data comes with scikit-learn.
        validation: int. So many of the 380 rows validate, to choose settings on; with 0
            all of them train.
        target: str, the column whose classes a model is told, or `None`.
        stand_in: bool. The same data: it is here in any case.

    Returns:
        `Splits`, with `test`.

    Raises:
        ImportError: if scikit-learn is not installed.

    Reference: Wolberg et al. 1995, https://doi.org/10.24432/C5DW2B
    """
    columns = _of_sklearn("breast_cancer")
    return _splits(columns, "breast_cancer", batch_size, seed, validation, TEST, target)


def wine(batch_size, seed=0, data_dir=None, *, validation=0, target="target"):
    """178 wines of three growers in 13 numbers. See `breast_cancer`; 59 rows test."""
    return _splits(
        _of_sklearn("wine"), "wine", batch_size, seed, validation, 59, target
    )


def diabetes(batch_size, seed=0, data_dir=None, *, validation=0, target="target"):
    """442 patients in 10 numbers, and how their diabetes went on, a number.

    See `breast_cancer`; 147 rows test.
    """
    columns = _of_sklearn("diabetes")
    return _splits(columns, "diabetes", batch_size, seed, validation, 147, target)


def diamonds(batch_size, seed=0, data_dir=None, *, validation=2_000, target="cut"):
    """53,940 diamonds: seven numbers, cut, color and clarity, of the package plotnine.

    See `breast_cancer`; 10,000 rows test.

    Raises:
        ImportError: if plotnine is not installed.
    """
    found = find_spec("plotnine")
    if found is None:
        raise ImportError(
            "`diamonds` needs plotnine, which is not installed: "
            "python -m pip install plotnine"
        )
    columns = read_columns(as_path(found.origin).parent / "data" / "diamonds.csv")
    return _splits(columns, "diamonds", batch_size, seed, validation, 10_000, target)


def rows(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    path,
    target=None,
    categorical=(),
    validation=None,
    test=None,
):
    """The rows of a CSV file of the user's own.

    Columns are of numbers if all their values are, and of words else; an empty cell,
    `NA`, `NaN`, `null`, `None` and `?` say that a value is missing.

    Args:
        batch_size: int.
        seed: int. Which rows come in which batch.
        data_dir: unused.
        path: path of the file; its first line names the columns.
        target: str or `None`, the column that the others are to foretell.
        categorical: tuple of str, columns of numbers that stand for words.
        validation, test: int or `None` (a tenth each), rows.

    Returns:
        `Splits`, with `test`.

    Raises:
        ValueError: if the file is no CSV, a column is not there, or the rows are less
            than three.
    """
    path = as_path(path)
    columns = read_columns(path)
    count = len(next(iter(columns.values())))
    if count < 3:
        raise ValueError(f"`path` must have at least 3 rows. Received: {count}")
    tenth = max(1, count // 10)
    return _splits(
        columns,
        path.stem,
        batch_size,
        seed,
        tenth if validation is None else validation,
        tenth if test is None else test,
        target,
        categorical,
    )


def source(spec):
    """The source that a short name asks for.

    Args:
        spec: `"breast_cancer"`, `"wine"`, `"diabetes"`, `"diamonds"`, `"csv:FILE"`, or
            the path of a file.

    Returns:
        Function of `(batch_size, seed=0, data_dir=None, **own)` that returns `Splits`.

    Raises:
        ValueError: if there is no such source.
        FileNotFoundError: if a named file does not exist.
    """
    known = {each.__name__: each for each in (breast_cancer, wine, diabetes, diamonds)}
    if spec in known:
        return known[spec]
    path = naming.own_files(spec, {"csv": "file"})
    if path is not None:
        return functools.partial(rows, path=path)
    raise naming.unknown(spec, [*known, "csv:FILE"], " or an existing CSV file")


def cut(columns, validation, test):
    """Three parts of a table's rows, the same in every run.

    Args:
        columns: dict of sequences by the names of columns.
        validation, test: int, rows of these parts; the others train.

    Returns:
        dict of `train`, `validation` and `test`, each a dict of object arrays.

    Raises:
        ValueError: if nothing would be left to train on.
    """
    count = len(next(iter(columns.values())))
    check_count("validation", validation, 0)
    check_count("test", test, 0)
    if validation + test >= count:
        raise ValueError(
            f"`validation` and `test` must be less than {count} rows together. "
            f"Received: {validation=}, {test=}"
        )
    order = np.random.default_rng(_FIXED).permutation(count)
    places = {
        "test": order[:test],
        "validation": order[test : test + validation],
        "train": order[test + validation :],
    }
    arrays = {name: np.asarray(cells) for name, cells in columns.items()}
    return {
        part: {name: cells[index] for name, cells in arrays.items()}
        for part, index in places.items()
    }


def _splits(columns, name, batch_size, seed, validation, test, target, categorical=()):
    check_integer("validation", validation, 0)
    check_instance("categorical", tuple(categorical), tuple)
    columns = columns_of(columns, "columns")
    parts = cut(columns, validation, test)
    table = _with_all_words(
        Table.of(parts["train"], target, categorical),
        Table.of(columns, target, categorical),
    )
    batches = {
        part: table.batch(table.read(cells))
        for part, cells in parts.items()
        if len(next(iter(cells.values())))
    }
    train = batches["train"]
    rows = len(next(iter(train.values())))
    held_out = batches.get("validation")
    loader = None
    if held_out is not None:
        size = min(batch_size, len(next(iter(held_out.values()))))
        loader = DataLoader(
            held_out, size, shuffle=False, drop_remainder=True, fixed=True
        )
    return Splits(
        DataLoader(train, min(batch_size, rows), seed=seed),
        loader,
        held_out=held_out,
        test=batches.get("test"),
        name=name,
        kinds=(table,),
    )


def _with_all_words(table, whole):
    """A table of some rows that also knows the words and gaps of all of them.

    Those that it has not seen have a share of 0, or next to none.
    """
    least = 1e-6
    columns = []
    for own, other in zip(table.columns, whole.columns, strict=True):
        if own.is_numeric != other.is_numeric:
            columns.append(other)
            continue
        found = own.get_config()
        if other.missing and not own.missing:
            found["missing"] = least
        if isinstance(own, CategoricalColumn):
            shares = dict(zip(own.categories, own.shares, strict=True))
            found["categories"] = other.categories
            found["shares"] = tuple(shares.get(word, 0.0) for word in other.categories)
        columns.append(type(own)(**found))
    return Table(tuple(columns), table.target)


@functools.lru_cache(maxsize=8)
def _of_sklearn(name):
    """dict of columns, words for classes."""
    datasets = require("sklearn.datasets", name)
    found = getattr(datasets, f"load_{name}")()
    target = found.target
    if getattr(found, "target_names", None) is not None:
        target = np.asarray(found.target_names)[target]
    columns = dict(zip(map(str, found.feature_names), found.data.T, strict=True))
    return {**columns, _OF_SKLEARN[name]: target}
