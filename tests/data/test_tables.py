"""Sources of tables: fixed cuts, and files of one's own."""

import numpy as np
import pytest

from keras_genai.data import tables


def count(batch):
    return len(next(iter(batch.values())))


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "my rows, 2.csv"
    lines = [f"{n if n % 9 else ''},{'abc'[n % 3]},{n % 2}" for n in range(50)]
    path.write_text("\n".join(["size,kind,good", *lines]), "utf-8")
    return path


def test_breast_cancer_is_cut_as_its_figures_say():
    splits = tables.breast_cancer(64)
    (table,) = splits.kinds
    assert (len(table.columns), table.label) == (31, "target")
    assert (count(splits.train.content), count(splits.test)) == (380, 189)
    test = table.rows_of(splits.test)
    assert np.sum(test["target"] == "benign") == 122
    assert splits.validation is splits.held_out is None
    with_validation = tables.breast_cancer(64, validation=80)
    assert count(with_validation.held_out) == 80
    assert count(with_validation.train.content) == 300
    again = with_validation.kinds[0].rows_of(with_validation.test)
    assert (again["target"] == test["target"]).all()


@pytest.mark.parametrize(
    ("make", "rows", "label"),
    [(tables.wine, 119, "target"), (tables.diabetes, 295, None)],
)
def test_other_tables_of_scikit_learn_are_there(make, rows, label):
    splits = make(32)
    assert count(splits.train.content) == rows
    assert splits.kinds[0].label == label
    assert splits.kinds[0].target == "target"


def test_a_file_of_ones_own_is_cut_in_three(path):
    splits = tables.source(f"csv:{path}")(8, target="good", categorical=("kind",))
    (table,) = splits.kinds
    assert splits.name == "my rows, 2"
    assert [count(part) for part in (splits.held_out, splits.test)] == [5, 5]
    assert table.label == "good"
    assert table.column("size").missing
    parts = [splits.train.content, splits.held_out, splits.test]
    rows = [
        table.rows_of({k: np.asarray(v) for k, v in part.items()}) for part in parts
    ]
    sizes = np.concatenate([part["size"] for part in rows])
    expected = [n for n in range(50) if n % 9]
    # Those of other parts that lie beyond the training rows are the nearest of these.
    assert len(sizes) == 50
    assert np.isnan(sizes).sum() == 6
    assert {*sizes[~np.isnan(sizes)]} <= {*expected}


def test_a_word_that_is_in_no_training_row_is_known(tmp_path):
    path = tmp_path / "table.csv"
    words = ["a"] * 29 + ["rare"]
    path.write_text(
        "x,w\n" + "".join(f"{n},{w}\n" for n, w in enumerate(words)), "utf-8"
    )
    found = set()
    for size in range(1, 14, 2):
        splits = tables.rows(4, path=path, validation=size, test=size)
        (table,) = splits.kinds
        column = table.column("w")
        assert column.categories == ("a", "rare")
        found.add(column.shares[1] > 0)
        assert table.rows_of(splits.test)["w"].tolist().count("rare") <= 1
    assert found == {True, False}


def test_the_seed_decides_the_order_and_not_the_cut():
    one, other = (tables.wine(16, seed=seed) for seed in (1, 2))
    np.testing.assert_array_equal(one.test["numbers"], other.test["numbers"])
    first = [next(iter(each.train))["numbers"].numpy() for each in (one, other)]
    assert (first[0] != first[1]).any()


def test_a_source_is_found_by_its_name(path):
    assert tables.source("wine") is tables.wine
    assert tables.source(str(path)).func is tables.rows
    with pytest.raises(ValueError, match="`data` must be one of"):
        tables.source("no such data")
    with pytest.raises(FileNotFoundError, match="`data` must name a file"):
        tables.source("csv:nowhere.csv")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"validation": -1}, "`validation` must be an int >= 0"),
        ({"validation": 400}, "`validation` and `test` must be less than 569 rows"),
        ({"target": "size"}, "`target` must be one of the columns"),
    ],
)
def test_what_a_source_cannot_do_is_refused(options, message):
    with pytest.raises(ValueError, match=message):
        tables.breast_cancer(8, **options)


def test_a_file_of_two_rows_is_too_short(tmp_path):
    path = tmp_path / "table.csv"
    path.write_text("x\n1\n2\n", "utf-8")
    with pytest.raises(ValueError, match="`path` must have at least 3 rows"):
        tables.rows(2, path=path)


def test_diamonds_need_their_package(monkeypatch):
    monkeypatch.setattr(tables, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match="`diamonds` needs plotnine"):
        tables.diamonds(8)
