"""Likelihoods are distributions, and the divergence is what sampling says it is."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_genai import registry
from keras_genai.likelihoods import (
    Bernoulli,
    DiscretizedLogistic,
    Gaussian,
    MixtureOfLogistics,
    MuLaw,
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


# Logits, middles and raw scales of two components; the last is narrower than a level.
MIXTURES = [
    [0.5, -1.0, 0.1, -0.4, -2.0, -1.0],
    [0.0, 0.0, -1.5, 1.2, -1.0, 3.0],
    [0.0, 0.0, 0.3, -0.7, -30.0, -4.0],
]


@pytest.mark.parametrize("levels", [16, 65_536])
@pytest.mark.parametrize("parameters", MIXTURES)
def test_a_mixture_of_logistics_sums_to_one_and_is_its_closed_form(parameters, levels):
    likelihood = MixtureOfLogistics(2, levels)
    codes = np.arange(levels)
    found = np.asarray(likelihood.log_prob(np.float32([parameters]), codes))
    np.testing.assert_allclose(np.exp(found.astype("float64")).sum(), 1.0, atol=1e-4)

    parameters = np.float32(parameters).astype("float64")
    logits, middles, raw = np.reshape(parameters, (3, 2, 1))
    weights = np.exp(logits) / np.exp(logits).sum()
    least = np.log(2 / levels) - 3
    scales = np.exp(least + np.logaddexp(0, raw - least))
    edges = (np.arange(1, levels) - 0.5) * 2 / levels - 1
    below = 0.5 + 0.5 * np.tanh((edges - middles) / scales / 2)
    below = (weights * np.pad(below, ((0, 0), (1, 1)), constant_values=(0, 1))).sum(0)
    below[-1] = 1
    np.testing.assert_allclose(np.exp(found), np.diff(below), rtol=2e-3, atol=1e-7)


@pytest.mark.parametrize("parameters", MIXTURES)
@pytest.mark.parametrize("likelihood", [MixtureOfLogistics(2, 64), MuLaw(6)], ids=repr)
def test_codes_are_drawn_as_often_as_they_are_probable(likelihood, parameters):
    uniform = (np.arange(40_000, dtype="float32") + 0.5) / 40_000
    rows = np.tile(np.float32(parameters), (len(uniform), 1))
    drawn = np.asarray(likelihood.sample(rows, uniform))
    assert (np.diff(drawn) >= 0).all()
    levels = likelihood.levels
    share = np.bincount(drawn, minlength=levels) / len(drawn)
    log_prob = likelihood.log_prob(rows[:levels], np.arange(levels))
    np.testing.assert_allclose(share, np.exp(log_prob), atol=1e-4)


def test_cold_draws_are_near_the_likeliest_code():
    uniform = np.float32([0.02, 0.5, 0.98])
    rows = np.tile(np.float32(MIXTURES[0]), (3, 1))
    cold = MuLaw(6).sample(rows, uniform, temperature=0.02)
    assert np.asarray(cold).tolist() == [0] * 3
    likelihood = MixtureOfLogistics(2, 64)
    warm, cold = (
        likelihood.waves(likelihood.sample(rows, uniform, temperature))
        for temperature in (1.0, 0.02)
    )
    np.testing.assert_allclose(cold, 0.1, atol=0.03)
    assert np.ptp(warm) > 0.5


def test_gradients_of_a_mixture_are_finite_wherever_a_sample_is():
    values = [-90.0, -12.0, 0.0, 5.0, 90.0]
    rows = np.array(list(itertools.product([0.0, 90.0], [-3.0, 0.1, 3.0], values)))
    codes = np.repeat([[0, 1, 32_768, 65_534, 65_535]], len(rows), axis=0)
    parameters = tf.constant(np.repeat(rows, 2, axis=1)[:, None], tf.float32)
    with tf.GradientTape() as tape:
        tape.watch(parameters)
        nats = MixtureOfLogistics(2).log_prob(parameters, codes)
    assert np.isfinite(nats).all()
    assert np.isfinite(tape.gradient(nats, parameters)).all()


def test_codes_of_a_mixture_are_the_integers_of_sixteen_bits():
    integers = np.arange(-(2**15), 2**15)
    likelihood = MixtureOfLogistics()
    codes = np.asarray(likelihood.codes((integers / 2**15).astype("float32")))
    np.testing.assert_array_equal(codes, integers + likelihood.silence)
    np.testing.assert_array_equal(likelihood.waves(codes), integers / 2**15)
    assert np.asarray(likelihood.codes([-1.0, 0.0, 1.0])).tolist() == [
        *(0, 32_768, 65_535)
    ]


@pytest.mark.parametrize(
    "likelihood", [*OBJECTS, MuLaw(), MixtureOfLogistics(3, 64)], ids=repr
)
def test_likelihoods_travel_in_configs(likelihood):
    assert registry.from_plain(registry.to_plain(likelihood)) == likelihood


def test_impossible_numbers_are_refused():
    with pytest.raises(ValueError, match="`scale` must be `None` or above 0"):
        Gaussian(0.0)
    with pytest.raises(ValueError, match="`levels` must be an int >= 2"):
        DiscretizedLogistic(1)
    with pytest.raises(ValueError, match="`levels` must be an int >= 2, at most 65536"):
        MixtureOfLogistics(levels=2**17)
    with pytest.raises(ValueError, match="`levels` must be even"):
        MixtureOfLogistics(levels=9)
    with pytest.raises(ValueError, match="`components` must be an int >= 1"):
        MixtureOfLogistics(0)
