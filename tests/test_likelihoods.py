"""Likelihoods are distributions, and the divergence is what sampling says it is."""

import numpy as np
import pytest
from keras import ops

from keras_genai import registry
from keras_genai.likelihoods import (
    Bernoulli,
    DiscretizedLogistic,
    Gaussian,
    gaussian_kl,
    gaussian_log_prob,
)

OBJECTS = [Bernoulli(), Gaussian(), Gaussian(0.2), DiscretizedLogistic(16)]


def test_the_divergence_equals_monte_carlo():
    rng = np.random.default_rng(0)
    mean, log_variance = np.float32([0.5, -1.0]), np.float32([-1.0, 0.5])
    x = mean + np.exp(log_variance / 2) * rng.normal(size=(200_000, 2))
    x = x.astype("float32")
    ratio = gaussian_log_prob(x, mean, log_variance) - gaussian_log_prob(x, 0.0, 0.0)
    expected = np.sum(gaussian_kl(mean, log_variance))
    np.testing.assert_allclose(np.mean(ratio), expected, rtol=0.01)


def test_a_standard_normal_diverges_nowhere_from_itself():
    np.testing.assert_array_equal(gaussian_kl(np.zeros(3), np.zeros(3)), np.zeros(3))


@pytest.mark.parametrize("scale", [-5.0, 0.0, 3.0])
def test_discretized_logistic_sums_to_one_over_the_levels(scale):
    levels = np.linspace(0, 1, 16, dtype="float32")[:, None, None, None]
    parameters = np.zeros((16, 1, 1, 2), "float32")
    parameters[..., 0], parameters[..., 1] = 0.37, scale
    log_prob = DiscretizedLogistic(16).log_prob(parameters, levels)
    np.testing.assert_allclose(np.sum(np.exp(log_prob)), 1.0, atol=1e-4)


def test_bernoulli_is_the_probability_of_each_side_of_a_coin():
    logits = np.full((2, 1, 1, 1), np.log(3), "float32")
    sides = np.float32([1, 0])[:, None, None, None]
    log_prob = Bernoulli().log_prob(logits, sides)
    np.testing.assert_allclose(np.exp(log_prob), [0.75, 0.25], rtol=1e-6)


def test_gaussian_density_integrates_to_one():
    grid = np.linspace(-3, 4, 7_001, dtype="float32")[:, None, None, None]
    parameters = np.full((len(grid), 1, 1, 1), 0.4, "float32")
    density = np.exp(Gaussian(0.2).log_prob(parameters, grid))
    np.testing.assert_allclose(np.sum(density) * 0.001, 1.0, rtol=1e-4)


@pytest.mark.parametrize("likelihood", OBJECTS, ids=repr)
def test_pictures_drawn_have_the_expected_mean(likelihood):
    rng = np.random.default_rng(0)
    parameters = np.full((4_000, 1, 1, likelihood.channels(1)), 0.5, "float32")
    parameters[..., 1:] = -4.0  # a narrow one, whose clipping moves no mean
    uniform = rng.uniform(1e-6, 1 - 1e-6, (4_000, 1, 1, 1)).astype("float32")
    drawn = ops.convert_to_numpy(likelihood.sample(parameters, uniform))
    assert drawn.min() >= 0
    assert drawn.max() <= 1
    expected = np.mean(likelihood.mean(parameters))
    np.testing.assert_allclose(drawn.mean(), expected, atol=0.02)


@pytest.mark.parametrize("likelihood", OBJECTS, ids=repr)
def test_likelihoods_travel_in_configs(likelihood):
    assert registry.from_plain(registry.to_plain(likelihood)) == likelihood


def test_impossible_numbers_are_refused():
    with pytest.raises(ValueError, match="`scale` must be `None` or above 0"):
        Gaussian(0.0)
    with pytest.raises(ValueError, match="`levels` must be an int >= 2"):
        DiscretizedLogistic(1)
