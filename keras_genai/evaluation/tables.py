"""Figures of made tables: what they teach, whether they are told apart, and copies.

Each needs a floor beside it: what real rows score, or rows that know less.
Scikit-learn is imported inside the functions: it takes a second, and is an extra.
"""

import numpy as np

from keras_genai.checks import check_seed
from keras_genai.data.extras import require

FOLDS = 5  # of the rows that a classifier tells apart
_AT_ONCE = 2_000  # rows whose distances are held


def taught(table, rows, test, seed=0):
    """What a learner of rows knows of others: train on synthetic, test on real.

    It is gradient boosting with scikit-learn's own settings, which learns the table's
    target from all other columns.

    Args:
        table: `Table` with a target.
        rows: structured array `(N,)`, what is learned.
        test: structured array `(M,)`, real rows.
        seed: int, of the learner.

    Returns:
        float: accuracy, where the target is one of words, else the coefficient of
        determination, R2. Rows without a target count for nothing.

    Raises:
        ValueError: if the table has no target, or the rows have none.
    """
    if table.target is None:
        raise ValueError("`table` must have a target. Received: target=None")
    check_seed(seed)
    ensemble = require("sklearn.ensemble", "taught")
    is_numeric = table.column(table.target).is_numeric
    rows, test = _with_target(table, rows, "rows"), _with_target(table, test, "test")
    learned = rows[table.target]
    if not is_numeric and len(np.unique(learned)) < 2:  # nothing to tell apart
        return float(np.mean(test[table.target] == learned[0]))
    kind = "GradientBoostingRegressor" if is_numeric else "GradientBoostingClassifier"
    learner = getattr(ensemble, kind)(random_state=seed % 2**32)
    learner.fit(features(table, rows, table.target), learned)
    return float(learner.score(features(table, test, table.target), test[table.target]))


def told_apart(table, rows, others, seed=0):
    """How well a classifier tells rows from others: the area under its ROC curve.

    It is gradient boosting, asked about rows that it did not see, in five folds; of
    the larger part as many rows are taken as the smaller has.

    Args:
        table: `Table`.
        rows, others: structured arrays of at least ten rows.
        seed: int.

    Returns:
        float from 0 to 1; 0.5 is that nobody can tell.

    Raises:
        ValueError: if there are fewer rows.
    """
    check_seed(seed)
    count = min(len(rows), len(others))
    if count < 2 * FOLDS:
        raise ValueError(
            f"`rows` and `others` must be at least {2 * FOLDS} each. "
            f"Received: {len(rows)} and {len(others)}"
        )
    ensemble = require("sklearn.ensemble", "told_apart")
    metrics = require("sklearn.metrics", "told_apart")
    selection = require("sklearn.model_selection", "told_apart")
    draws = np.random.default_rng(seed % 2**63)
    parts = [each[draws.permutation(len(each))[:count]] for each in (rows, others)]
    both = np.concatenate([features(table, part) for part in parts])
    is_other = np.repeat([0, 1], count)
    folds = selection.StratifiedKFold(FOLDS, shuffle=True, random_state=seed % 2**32)
    chances = selection.cross_val_predict(
        ensemble.GradientBoostingClassifier(random_state=seed % 2**32),
        both,
        is_other,
        cv=folds,
        method="predict_proba",
    )
    return float(metrics.roc_auc_score(is_other, chances[:, 1]))


def distance_to_closest(table, rows, others):
    """How far rows are from the closest of others.

    Args:
        table: `Table`.
        rows: structured array `(N,)`.
        others: structured array `(M,)`.

    Returns:
        float64 array `(N,)`, Euclidean: numbers as normal scores, and 1 for every
        category that is another.
    """
    first, second = (_vectors(table, each) for each in (rows, others))
    squares = np.square(second).sum(axis=1)
    found = []
    for begin in range(0, len(first), _AT_ONCE):
        part = first[begin : begin + _AT_ONCE]
        distances = np.square(part).sum(axis=1)[:, None] + squares - 2 * part @ second.T
        found.append(np.sqrt(np.maximum(distances.min(axis=1), 0)))
    return np.concatenate(found)


def permuted(rows, seed=0):
    """Rows whose columns are in random orders, each in its own: a control.

    Args:
        rows: structured array `(N,)`.
        seed: int.

    Returns:
        structured array `(N,)`: every column is the same by itself, and no two belong
        together.
    """
    check_seed(seed)
    draws = np.random.default_rng(seed % 2**63)
    found = rows.copy()
    for name in rows.dtype.names:
        found[name] = rows[name][draws.permutation(len(rows))]
    return found


def features(table, rows, without=None):
    """What a learner of trees sees of rows.

    Args:
        table: `Table`.
        rows: structured array `(N,)`.
        without: str or `None`, a column that is left out.

    Returns:
        float64 array `(N, D)`: numbers, those that are missing below all others, and
        categories one-hot.
    """
    found = []
    for column in table.columns:
        if column.name == without:
            continue
        values = rows[column.name]
        if column.is_numeric:
            least, largest = column.quantiles[0], column.quantiles[-1]
            absent = least - (largest - least) - 1
            found.append(np.where(np.isnan(values), absent, values)[:, None])
        else:
            found.append(np.eye(column.size)[column.codes(values)])
    return np.concatenate(found, axis=1)


def _vectors(table, rows):
    batch, found = table.batch(rows), []
    if "numbers" in batch:
        found.append(batch["numbers"].astype("float64"))
    for place, size in enumerate(table.category_sizes):
        # Two that differ do so in two places.
        found.append(np.eye(size)[batch["categories"][:, place]] / np.sqrt(2))
    return np.concatenate(found, axis=1)


def _with_target(table, rows, name):
    values = rows[table.target]
    column = table.column(table.target)
    found = rows[~np.isnan(values) if column.is_numeric else values != ""]
    if not len(found):
        raise ValueError(f"`{name}` must have a target in some row. Received: none")
    return found
