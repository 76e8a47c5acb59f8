"""Points in another order come out in that order; all see each other and the text."""

import numpy as np
import pytest
from keras import ops

from keras_genai.layers.point_sets import coordinate_waves
from keras_genai.networks.point_denoiser import PointDenoiser

DRAWS = np.random.default_rng(0)
NOISY = DRAWS.normal(size=(2, 9, 1, 3)).astype("float32")
TIME = np.array([0.2, 0.9], "float32")
TOLD = {"tokens": np.array([[1, 2, 0], [3, 0, 0]], "int32")}


@pytest.fixture(scope="module")
def network():
    """One whose weights are far from where they begin."""
    made = PointDenoiser(
        sample_shape=(9, 1, 3),
        vocabulary_size=5,
        depth=2,
        width=16,
        token_width=20,
        num_heads=2,
        num_tokens=4,
        frequencies=3,
    )
    for weight in made.trainable_variables:
        weight.assign(weight + 0.2 * DRAWS.normal(size=weight.shape))
    return made


def test_points_in_another_order_come_out_in_that_order(network):
    order = DRAWS.permutation(9)
    first, second = network(NOISY, TIME, TOLD), network(NOISY[:, order], TIME, TOLD)
    np.testing.assert_allclose(np.asarray(first)[:, order], second, atol=1e-5)
    assert np.abs(np.asarray(first) - second).max() > 1e-2


def test_every_point_sees_every_other_of_its_object_alone(network):
    moved = NOISY.copy()
    moved[0, 4] += 1.0
    change = np.abs(network(moved, TIME, TOLD) - network(NOISY, TIME, TOLD))
    assert (change[0].max(axis=(1, 2)) > 1e-4).all()
    assert change[1].max() < 1e-6


def test_time_and_text_are_heard_and_padding_is_not(network):
    before = np.asarray(network(NOISY, TIME, TOLD))
    for time, tokens in ((TIME / 2, TOLD["tokens"]), (TIME, TOLD["tokens"][:, ::-1])):
        other = network(NOISY, time, {"tokens": tokens})
        assert np.abs(other - before).max() > 1e-3
    longer = {"tokens": np.pad(TOLD["tokens"], [(0, 0), (0, 2)])}
    np.testing.assert_allclose(network(NOISY, TIME, longer), before, atol=1e-5)


def test_it_begins_with_zeros():
    made = PointDenoiser(sample_shape=(9, 1, 3), width=8, num_heads=2, depth=1)
    assert np.abs(made(NOISY, TIME, {})).max() == 0


def test_waves_are_of_their_lengths():
    found = ops.convert_to_numpy(coordinate_waves(np.array([[0.0], [1.0]]), 2))
    np.testing.assert_allclose(
        found, [[0, 0, 0, 1, 1], [1, 1, 0, 0, -1]], atol=1e-6
    )  # the number, then sines and cosines of waves of 4 and 2


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        (dict(width=10, num_heads=2), "`width` must be a multiple of 4"),
        (dict(token_width=10, num_heads=2), "`token_width` must be a multiple of 4"),
        (dict(width=12, num_heads=5), "`width` must be a multiple of `num_heads`"),
        (dict(num_tokens=0), "`num_tokens` must be an int >= 1"),
    ],
)
def test_sizes_that_cannot_be_are_refused(fields, said):
    with pytest.raises(ValueError, match=said):
        PointDenoiser(sample_shape=(9, 1, 3), **fields)
