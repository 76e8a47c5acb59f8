"""Figures of made tables, of tables whose figures are known."""

import numpy as np
import pytest

from keras_genai.evaluation.tables import (
    distance_to_closest,
    features,
    permuted,
    taught,
    told_apart,
)
from keras_genai.modalities.table import Table


def rows_of(count, seed, shift=0.0):
    draws = np.random.default_rng(seed)
    x = draws.normal(size=count) + shift
    return {
        "x": x,
        "y": draws.normal(size=count),
        "kind": np.where(x > 0, "high", "low"),
    }


@pytest.fixture(scope="module")
def table():
    return Table.of(rows_of(400, 0), target="kind")


def read(table, *arguments):
    return table.read(rows_of(*arguments))


def test_real_rows_teach_and_permuted_ones_do_not(table):
    rows, test = read(table, 200, 1), read(table, 100, 2)
    assert taught(table, rows, test) > 0.95
    assert taught(table, permuted(rows), test) < 0.75
    assert taught(table, rows[rows["kind"] == "low"], test) == np.mean(
        test["kind"] == "low"
    )


def test_a_target_of_numbers_is_scored_by_its_variance():
    value = rows_of(300, 0)
    value["sum"] = 2 * value["x"] + value["y"]
    table = Table.of(value, target="sum")
    rows = table.read(value)
    assert 0.9 < taught(table, rows[:200], rows[200:]) <= 1
    assert taught(table, permuted(rows[:200]), rows[200:]) < 0.1


def test_the_same_rows_are_not_told_apart_and_others_are(table):
    rows, same = read(table, 100, 3), read(table, 150, 4)
    assert told_apart(table, rows, same) == pytest.approx(0.5, abs=0.12)
    assert told_apart(table, rows, read(table, 100, 5, 3.0)) > 0.95
    with pytest.raises(ValueError, match="`rows` and `others` must be at least 10"):
        told_apart(table, rows[:9], same)


def test_a_copy_is_at_no_distance_and_a_category_counts_one(table):
    rows = read(table, 50, 6)
    np.testing.assert_allclose(distance_to_closest(table, rows, rows), 0, atol=1e-6)
    other = rows[:1].copy()
    other["kind"] = "low" if rows["kind"][0] == "high" else "high"
    assert distance_to_closest(table, other, rows[:1]) == pytest.approx(1)
    assert (distance_to_closest(table, read(table, 20, 7), rows) > 0).all()


def test_permuting_keeps_every_column_and_breaks_what_belongs_together(table):
    rows = read(table, 300, 8)
    found = permuted(rows, seed=1)
    for name in table.names:
        np.testing.assert_array_equal(np.sort(found[name]), np.sort(rows[name]))
    assert np.mean((found["x"] > 0) == (found["kind"] == "high")) < 0.7


def test_what_is_missing_lies_below_all_others():
    table = Table.of({"x": [1.0, 2.0, None], "w": ["a", "b", ""]})
    found = features(table, table.read({"x": [1.0, None], "w": ["", "b"]}))
    assert found.tolist() == [[1.0, 0, 0, 1], [-1.0, 0, 1, 0]]
    assert features(table, table.read({"x": [1], "w": ["a"]}), "w").shape == (1, 1)


def test_without_a_target_nothing_is_taught(table):
    other = Table(table.columns)
    rows = read(table, 20, 9)
    with pytest.raises(ValueError, match="`table` must have a target"):
        taught(other, rows, rows)
