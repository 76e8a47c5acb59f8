"""What the entries of tables have in common: their rows, and how they are scored.

All figures are of real rows that never trained. `tstr` is train on synthetic, test on
real: what gradient boosting knows of the test rows that learned as many made rows as
there are real ones in training.
"""

import numpy as np

from keras_genai.evaluation import tables as scores
from keras_genai.networks.tabular_copula import Copula
from keras_genai.tasks.copula import GaussianCopula

DRAWS = 5  # sets of made rows
COUNT = 200  # rows of a sample
MOST = 5_000  # rows that are learned or compared
NOTES = (
    "The rows are of nobody: they are drawn from what the model knows of its data. "
    "That is no promise of privacy: see how near the closest record is."
)


def draw(model, seed, count=COUNT, where=None):
    """Rows that a model makes."""
    return model.generate(count, where=where, seed=seed)


def score(model, splits, draws=DRAWS):
    """What made rows teach, whether they are told from real ones, and copies.

    Args:
        model: `TableTask`.
        splits: `Splits` of rows; without a test the rows that are held out are real.
        draws: int. Sets of made rows whose figures are averaged.

    Returns:
        dict of figures, the floors and the control beside them: `real` is the training
        rows themselves, `copula` correlations alone, once and for each class,
        `permuted` the training rows with every column in an order of its own; of
        `detection_auc` and `closest_record`, `test` is real rows of the test.
    """
    table = model.target
    train = _rows(table, splits.train.content)
    held_out = splits.held_out if splits.test is None else splits.test
    if held_out is None:
        raise ValueError("`splits` must have rows that do not train. Received: none")
    test = _rows(table, held_out)
    made = [model.generate(len(train), seed=seed) for seed in range(draws)]
    found = {} if table.target is None else _usefulness(table, made, train, test)
    found |= _detection(table, made, train, test)
    copies = [scores.distance_to_closest(table, rows, train) for rows in made]
    found["closest_record"] = float(np.median(copies))
    found["closest_record_of_test"] = float(
        np.median(scores.distance_to_closest(table, test, train))
    )
    return found


def _usefulness(table, made, train, test):
    taught = [scores.taught(table, rows, test) for rows in made]
    found = {
        "tstr": float(np.mean(taught)),
        "tstr_deviation": float(np.std(taught)),
        "tstr_real": scores.taught(table, train, test),
    }
    batch, count = table.batch(train), range(len(made))
    for name, conditional in (("copula", False), ("copula_per_class", True)):
        if conditional and table.label is None:
            continue
        floor = GaussianCopula(Copula(), table, conditional)
        floor.fit(batch, verbose=0)
        rows = [floor.generate(len(train), seed=seed) for seed in count]
        taught = [scores.taught(table, each, test) for each in rows]
        found[f"tstr_{name}"] = float(np.mean(taught))
    taught = [scores.taught(table, scores.permuted(train, s), test) for s in count]
    found["tstr_permuted_columns"] = float(np.mean(taught))
    return found


def _detection(table, made, train, test):
    """Of too few rows nothing can be said."""
    if min(len(made[0]), len(train), len(test)) < 2 * scores.FOLDS:
        return {}
    areas = [scores.told_apart(table, rows, test, s) for s, rows in enumerate(made)]
    floor = [scores.told_apart(table, train, test, s) for s in range(len(made))]
    return {
        "detection_auc": float(np.mean(areas)),
        "detection_auc_of_train": float(np.mean(floor)),
    }


def _rows(table, batch):
    """A structured array of a batch, at most `MOST` rows."""
    return table.rows_of({key: np.asarray(part)[:MOST] for key, part in batch.items()})
