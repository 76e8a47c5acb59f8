"""Samples as people hold them."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_genai.data import held


@pytest.mark.parametrize(
    "samples",
    [
        ["a", "b"],
        (word for word in "ab"),
        tf.data.Dataset.from_tensor_slices(["a", "b"]),
    ],
)
def test_all_that_ends_is_read(samples):
    assert list(held.as_rows(samples, "texts")) == ["a", "b"]


def test_what_goes_on_and_on_is_refused(monkeypatch):
    monkeypatch.setattr(held, "MOST", 5)
    assert len(held.as_rows(iter(range(5)), "samples")) == 5
    message = "`samples` must end, .* Received: count of more than 5 samples"
    with pytest.raises(ValueError, match=message):
        held.as_rows(itertools.count(), "samples")
    endless = tf.data.Dataset.from_tensors(0).repeat()
    with pytest.raises(ValueError, match=r"must end, .* endless tf\.data"):
        held.as_rows(endless, "samples")


@pytest.mark.parametrize("samples", [[], "a text", 3, np.zeros((0, 2)), {"a": 1}])
def test_what_holds_no_samples_is_refused(samples):
    with pytest.raises(ValueError, match="`samples` must be an array"):
        held.as_rows(samples, "samples")
