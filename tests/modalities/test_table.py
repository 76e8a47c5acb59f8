"""Tables: from files to tensors and back, gaps and words included."""

import json

import numpy as np
import pytest

from keras_genai import registry
from keras_genai.modalities.columns import CategoricalColumn, NumericColumn
from keras_genai.modalities.table import Table

CSV = """age, income,town,married
31,1200.5,Ulm,yes
?,900.25,Bonn,no
45,,Ulm,
28,1500.75,"Köln, Mitte",yes
31,700,Bonn,no
"""


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text(CSV, "utf-8")
    return path


@pytest.fixture
def table(path):
    return Table.of(path, target="married")


def test_columns_are_what_their_values_are(table):
    assert table.names == ("age", "income", "town", "married")
    assert [column.name for column in table.numeric] == ["age", "income"]
    age, income, town, married = table.columns
    assert (age.missing, income.missing) == pytest.approx((0.2, 0.2))
    assert (age.decimals, income.decimals) == (0, 2)
    assert town.categories == ("Bonn", "Köln, Mitte", "Ulm")
    assert town.shares == pytest.approx((0.4, 0.2, 0.4))
    assert married.missing == pytest.approx(0.2)
    # Words, with the missing one, and then two gaps in numbers.
    assert table.category_sizes == (3, 3, 2, 2)
    assert table.label == "married"


def test_rows_become_tensors_and_come_back(table, path):
    rows = table.read(path)
    batch = table.batch(rows)
    assert batch["numbers"].dtype == np.float32
    assert batch["numbers"].shape == (5, 2)
    assert batch["categories"].tolist() == [
        [2, 1, 0, 0],
        [0, 0, 1, 0],
        [2, 2, 0, 1],
        [1, 1, 0, 0],
        [0, 0, 0, 0],
    ]
    for name, field in table.fields.items():
        field.check(name, batch[name])
    again = table.rows_of(batch)
    assert again.dtype == rows.dtype
    for name in table.names:
        np.testing.assert_array_equal(again[name], rows[name])


def test_a_file_is_what_was_read(table, path, tmp_path):
    rows = table.read(path)
    written = table.write(tmp_path / "made.csv", rows)
    assert written.read_text("utf-8").startswith("age,income,town,married\n31,1200.50,")
    for name in table.names:
        np.testing.assert_array_equal(table.read(written)[name], rows[name])
    assert written.with_suffix(".png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_cells_may_be_separated_otherwise(separator, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(f"a{separator}b\n1,5{separator}x\n2,5{separator}y\n\n", "utf-8")
    assert Table.of(path).categorical[0].categories == ("1,5", "2,5")
    assert len(Table.of(path).read(path)) == 2


def test_what_a_person_holds_is_one_table_in_any_form(table, path):
    rows = table.read(path)
    columns = {name: rows[name] for name in reversed(table.names)}
    records = [
        {"age": 31, "income": 1200.5, "town": "Ulm", "married": "yes"},
        {"age": None, "income": 900.25, "town": "Bonn", "married": "no"},
    ]
    for form in (rows, columns):
        found = table.read(form)
        for name in table.names:
            np.testing.assert_array_equal(found[name], rows[name])
    found = table.read(records)
    assert np.isnan(found["age"][1])
    assert found["town"].tolist() == ["Ulm", "Bonn"]


def test_an_array_has_columns_by_their_places():
    array = np.random.default_rng(0).normal(size=(20, 3))
    table = Table.of(array)
    assert table.names == ("column_1", "column_2", "column_3")
    assert table.category_sizes == ()
    assert set(table.fields) == {"numbers"}
    np.testing.assert_allclose(table.read(array)["column_2"], array[:, 1])
    with pytest.raises(ValueError, match=r"must have 3 columns. Received: 2"):
        table.read(array[:, :2])


def test_scores_are_normal_and_know_the_order():
    values = np.random.default_rng(0).exponential(size=2_000)
    column = NumericColumn.of("time", values)
    scores = column.scores(values)
    assert abs(scores.mean()) < 0.01
    assert scores.std() == pytest.approx(1, abs=0.02)
    np.testing.assert_array_equal(np.argsort(scores), np.argsort(values))
    np.testing.assert_allclose(column.numbers(scores), values, rtol=1e-5, atol=1e-6)
    beyond = column.scores(np.array([-1.0, 1e9]))
    assert column.numbers(beyond).tolist() == [values.min(), values.max()]


def test_a_number_that_is_there_often_has_one_score():
    values = np.array([0.0] * 60 + [1.0] * 40)
    column = NumericColumn.of("zeros", values)
    scores = column.scores(values)
    assert len(np.unique(scores)) == 2
    np.testing.assert_array_equal(column.numbers(scores), values)
    flat = NumericColumn.of("one", np.full(9, 4.0))
    assert flat.numbers(flat.scores(np.array([4.0]))) == [4.0]


def test_whole_numbers_are_a_class_where_they_are_the_target():
    value = {"x": [1.5, 2.5, 3.0], "y": [0, 1, 1], "code": [10, 20, 20]}
    assert Table.of(value, target="y").label == "y"
    assert Table.of(value, target="y").column("y").categories == ("0", "1")
    assert Table.of(value).label is None
    assert Table.of(value, target="x").label is None
    coded = Table.of(value, categorical=("code",))
    assert coded.column("code").categories == ("10", "20")
    np.testing.assert_array_equal(coded.read(value)["code"], ["10", "20", "20"])


def test_it_is_the_same_after_a_file_of_json(table, path):
    plain = json.loads(json.dumps(registry.to_plain(table)))
    again = registry.from_plain(plain)
    assert again == table
    rows = again.read(path)
    np.testing.assert_array_equal(
        again.batch(rows)["numbers"], table.batch(rows)["numbers"]
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"town": "Rom"}, "`town` must be one of Bonn, .* Received: 'Rom' in row 1"),
        ({"age": "old"}, "`age` must be numbers. Received: 'old'"),
        ({"income": "inf"}, "`income` must be finite"),
        ({"size": "3"}, "`people` must be dicts|must have the columns"),
    ],
)
def test_a_value_that_cannot_be_is_named_with_its_column(change, message, table, path):
    rows = table.read(path)
    records = [{name: row[name] for name in table.names} for row in rows]
    records[1] |= change
    if "size" in change:
        records = [{**record, **change} for record in records]
    with pytest.raises(ValueError, match=message):
        table.read(records, "people")


def test_nothing_may_be_missing_where_nothing_was():
    table = Table.of({"x": [1, 2], "word": ["a", "b"]})
    with pytest.raises(ValueError, match=r"`x` must be a number .* none in row 1"):
        table.read({"x": [1, None], "word": ["a", "b"]})
    with pytest.raises(ValueError, match=r"`word` must be one of a, b. Received: none"):
        table.read({"x": [1, 2], "word": ["a", ""]})
    with pytest.raises(ValueError, match="Received: none called 'word'"):
        table.read({"x": [1, 2]})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2\n3\n", "line 3, must have 2 cells"),
        ("a,a\n1,2\n", "must name every column .* 'a' twice"),
        ("a,\n1,2\n", "must name every column"),
        ("a,b\n", "must have lines below its names"),
        ("", "must name every column"),
        ('a,b\n"1,2\n', "must be CSV"),
    ],
)
def test_a_file_that_is_no_table_is_refused(text, message, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(ValueError, match=message) as error:
        Table.of(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Table(()), "`columns` must be 1 to"),
        (lambda: Table.of({"x": [1]}, target="y"), "`target` must be one of the col"),
        (lambda: Table.of({"x": [1]}, categorical=("y",)), "`categorical` must be"),
        (lambda: Table.of({"x": [1], "y": [1, 2]}), "columns of one length"),
        (lambda: Table.of(3), "must be a path of a CSV file"),
        (lambda: Table.of({"x": ["", None]}), "`x` must have finite numbers"),
        (lambda: NumericColumn("x", (2.0, 1.0), 2), "must not fall"),
        (lambda: NumericColumn("x", (), 2), "must be finite floats"),
        (lambda: CategoricalColumn("x", ("a", "a"), (0.5, 0.5)), "different str"),
        (lambda: CategoricalColumn("x", ("a", "b"), (0.5,)), "`shares` of 'x'"),
        (lambda: CategoricalColumn("", ("a",), (1.0,)), "`name` must be"),
    ],
)
def test_a_table_that_cannot_be_is_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_size_of_a_category_is_looked_at_in_its_column(table, path):
    batch = table.batch(table.read(path))
    batch["categories"][0, 2] = 2
    with pytest.raises(ValueError, match=r"categories\[:, 2\]` must be ints"):
        table.fields["categories"].check("categories", batch["categories"])


def test_conditions_are_read_from_what_a_person_types(table):
    texts = ["town=Ulm", "age=30:40", "income=", "married=", "age=31"]
    assert table.wished({"where": texts[:4]}, 1) == {
        "where": {"town": "Ulm", "age": (30.0, 40.0), "income": None, "married": ""}
    }
    assert table.wished({"where": texts[4:]}, 1) == {"where": {"age": (31.0, 31.0)}}
    for text, message in {
        "town": "must be COLUMN=VALUE",
        "age=x": "must be age=NUMBER or age=LOW:HIGH",
        "size=1": "`--where` must be one of the columns",
    }.items():
        with pytest.raises(ValueError, match=message):
            table.wished({"where": [text]}, 1)
