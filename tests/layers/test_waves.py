"""SinusoidalPositions are the waves that two papers' code has."""

import math

import numpy as np

from keras_genai.layers.waves import SinusoidalPositions


def test_a_wave_has_the_length_that_the_paper_says():
    found = np.array(SinusoidalPositions(50, 8)(np.arange(50)))
    for index in range(4):
        angles = np.arange(50) / 10_000 ** (2 * index / 8)
        np.testing.assert_allclose(found[:, index], np.sin(angles), atol=1e-6)
        np.testing.assert_allclose(found[:, 4 + index], np.cos(angles), atol=1e-6)


def test_the_last_wave_of_tensor2tensor_is_the_slowest_of_all():
    layer = SinusoidalPositions(50, 9, "tensor2tensor")
    found = np.array(layer(np.arange(50)))
    np.testing.assert_allclose(found[:, 0], np.sin(np.arange(50)), atol=1e-5)
    np.testing.assert_allclose(found[:, 3], np.sin(np.arange(50) / 1e4), atol=1e-6)
    np.testing.assert_array_equal(found[:, 8], 0)


def test_of_an_odd_width_a_sine_is_left_over():
    found = np.array(SinusoidalPositions(3, 5)(np.array([2, -1])))
    assert found.shape == (2, 5)
    expected = math.sin(2 / 10_000 ** (4 / 5)), math.cos(2)
    np.testing.assert_allclose(found[0, 2:4], expected, atol=1e-6)
    np.testing.assert_allclose(found[1], [0, 0, 0, 1, 1], atol=1e-6)
