"""4-bit weights: two in a byte, each within half a step of its group's scale."""

import numpy as np
import pytest

from keras_genai.files import int4
from keras_genai.files.int4 import from_int4, packed_shape, to_int4


def draw(*shape):
    return np.random.default_rng(0).normal(size=shape).astype("float32")


@pytest.mark.parametrize("group", [32, 64, 128])
@pytest.mark.parametrize("inputs", [256, 100, 7])
def test_packed_weights_come_back_near(group, inputs):
    matrix = draw(5, inputs)
    matrix[3] = 0
    packed, scale = to_int4(matrix, group)
    assert packed.dtype == np.uint8
    assert (packed.shape, scale.shape) == packed_shape(5, inputs, group)
    found = from_int4(packed, scale, inputs)
    assert found.shape == matrix.shape
    # A 21 % cut of the range, of 7.5 steps on the lower side, is the farthest.
    farthest = np.abs(matrix).max() * 0.23
    assert np.abs(found - matrix).max() < farthest
    assert np.square(found - matrix).mean() < 0.012 * np.square(matrix).mean()
    assert not found[3].any()


def test_every_level_is_kept_in_its_place():
    levels = np.tile(np.arange(-7, 8), 5)[:64].astype("float32")
    matrix = np.stack([levels, -2 * levels, levels[::-1]])
    np.testing.assert_array_equal(from_int4(*to_int4(matrix, 32), 64), matrix)
    np.testing.assert_array_equal(from_int4(*to_int4(matrix, 64), 64), matrix)


def test_rows_are_packed_in_turns(monkeypatch):
    matrix = draw(7, 64)
    expected = to_int4(matrix, 32)
    monkeypatch.setattr(int4, "AT_ONCE", 3 * 64)
    for found, whole in zip(to_int4(matrix, 32), expected, strict=True):
        np.testing.assert_array_equal(found, whole)


def test_an_outlier_spoils_its_own_group_only():
    matrix = draw(1, 128)
    clean = from_int4(*to_int4(matrix, 32), 128)
    matrix[0, 5] = 100
    found = from_int4(*to_int4(matrix, 32), 128)
    np.testing.assert_array_equal(found[0, 32:], clean[0, 32:])
    assert not found[0, :5].any()
