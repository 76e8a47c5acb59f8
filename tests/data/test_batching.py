import numpy as np
import pytest

from keras_genai.data.batching import default_boundaries, padded
from keras_genai.padding import pad_sequence


def test_padding_is_on_the_right_and_batch_first():
    batch = pad_sequence([[1, 2, 3], [4], []], value=-1)
    np.testing.assert_array_equal(batch, [[1, 2, 3], [4, -1, -1], [-1, -1, -1]])


def test_other_axes_are_kept():
    batch = pad_sequence([np.ones((2, 3, 4)), np.ones((5, 3, 4))])
    assert batch.shape == (2, 5, 3, 4)
    assert batch[0].sum() == 2 * 3 * 4
    assert batch[0, 2:].sum() == 0


def test_dtype_is_kept_and_length_is_exact():
    batch = pad_sequence([np.ones(2, "int32"), np.ones(1, "int32")], length=6)
    assert batch.dtype == np.int32
    assert batch.shape == (2, 6)


@pytest.mark.parametrize(
    ("sequences", "length", "message"),
    [
        ([], None, "`sequences` must be one or more"),
        ([3, 4], None, "`sequences` must be one or more"),
        ([[1, 2, 3]], 2, "length=2, one of 3"),
        ([np.ones((2, 3)), np.ones((2, 4))], None, "agree in all axes"),
    ],
)
def test_sequences_that_do_not_fit_are_refused(sequences, length, message):
    with pytest.raises(ValueError, match=message):
        pad_sequence(sequences, length=length)


def test_each_field_has_its_own_rule():
    collate = padded({"tokens": 0, "labels": -100, "kind": None})
    rows = [
        {"tokens": [1, 2], "labels": [3], "kind": 7},
        {"tokens": [1], "labels": [3, 4, 5], "kind": 8},
    ]
    batch = collate(rows)
    np.testing.assert_array_equal(batch["tokens"], [[1, 2], [1, 0]])
    np.testing.assert_array_equal(batch["labels"], [[3, -100, -100], [3, 4, 5]])
    np.testing.assert_array_equal(batch["kind"], [7, 8])
    assert collate(rows, 4)["tokens"].shape == collate(rows, 4)["labels"].shape


def test_default_boundaries_are_few_and_cover_the_longest():
    lengths = np.arange(1, 500)
    found = default_boundaries(lengths)
    assert len(found) == 8
    assert found[-1] >= 499
    assert (found % 8 == 0).all()
    assert default_boundaries(np.array([5])).tolist() == [8]
