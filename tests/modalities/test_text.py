"""Text: which data suit a model."""

import pytest

from keras_genai.modalities import Image, Text


@pytest.mark.parametrize(("size", "fits"), [(62, True), (100, True), (101, False)])
def test_data_may_have_fewer_tokens_than_a_model_but_not_more(size, fits):
    assert Text(vocabulary_size=100).fits("vocabulary_size", size) == fits


def test_other_sizes_are_those_of_the_model():
    kind = Text(vocabulary_size=100, length=12)
    assert kind.fits("text_length", 12)
    assert not kind.fits("text_length", 11)
    (name,) = Image((8, 8, 1)).sizes
    assert Image((8, 8, 1)).fits(name, (8, 8, 1))
    assert not Image((8, 8, 1)).fits(name, (8, 8, 3))
