"""What tells samples apart, and what they are worth: labels and numbers."""

import numpy as np
import pytest

from keras_genai import registry
from keras_genai.modalities.number import Number
from keras_genai.modalities.text import Label


def test_labels_are_read_by_name_or_number():
    label = Label(3, ["bad", "fair", "good"])
    assert label.read(["good", "bad"]).tolist() == [2, 0]
    assert label.read([1, 2]).tolist() == [1, 2]
    assert Label(2).words == ("LABEL_0", "LABEL_1")
    with pytest.raises(ValueError, match="`tags` must be of bad, fair, good"):
        label.read(["best"], "tags")


@pytest.mark.parametrize("kind", [Label(2), Label(2, ("n/a", "C/C++")), Number("age")])
def test_a_config_makes_the_same_kind(kind):
    assert registry.from_plain(registry.to_plain(kind)) == kind


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ((0,), ValueError, "`num_classes` must be an int >= 1"),
        ((2.0,), TypeError, "`num_classes` must be an int >= 1"),
        ((2, ("a",)), ValueError, "`names` must be 2 str, one for each class"),
        ((2, ("a", 1)), ValueError, "`names` must be 2 str, one for each class"),
    ],
)
def test_a_label_that_cannot_be_is_refused(arguments, error, said):
    with pytest.raises(error, match=said):
        Label(*arguments)


def test_numbers_are_finite():
    number = Number("age")
    np.testing.assert_array_equal(number.read([1, 2.5]), np.float32([1, 2.5]))
    assert number.said(2.5) == "2.5"
    assert number.encode(2.5) == b"2.5\n"
    assert number.encode("0.50 good\n0.10 bad") == b"0.50 good\n0.10 bad\n"
    for wrong in (["x"], [np.nan], [np.inf]):
        with pytest.raises(ValueError, match="`ages` must be finite numbers"):
            number.read(wrong, "ages")
