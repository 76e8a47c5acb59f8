"""What a network may predict, and what its errors weigh."""

import numpy as np
import pytest
from keras import ops

from keras_genai import registry
from keras_genai.schedules import CosineNoise, KarrasNoise, StraightPath
from keras_genai.tasks.predictions import (
    Clean,
    EDMWeight,
    Epsilon,
    Flow,
    MinSNR,
    Preconditioned,
    Uniform,
    Velocity,
    noise_of,
)

PREDICTIONS = [Epsilon(), Clean(), Velocity(), Flow(), Preconditioned()]
SCHEDULES = [CosineNoise(), KarrasNoise(), StraightPath()]
RANDOM = np.random.default_rng(0)
CLEAN = RANDOM.uniform(-1, 1, (5, 4, 4, 2)).astype("float32")
NOISE = RANDOM.normal(size=CLEAN.shape).astype("float32")


def levels(schedule):
    times = np.array([0.05, 0.25, 0.5, 0.75, 0.95], "float32")
    parts = (schedule.alpha(times), schedule.sigma(times))
    return [ops.convert_to_numpy(part)[:, None, None, None] for part in parts]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
@pytest.mark.parametrize("prediction", PREDICTIONS, ids=str)
def test_picture_and_noise_come_back_from_what_is_predicted(prediction, schedule):
    alpha, sigma = levels(schedule)
    noisy = alpha * CLEAN + sigma * NOISE
    target = prediction.target(CLEAN, NOISE, alpha, sigma)
    clean = prediction.clean(target, noisy, alpha, sigma)
    np.testing.assert_allclose(clean, CLEAN, atol=2e-5)
    np.testing.assert_allclose(noise_of(noisy, CLEAN, alpha, sigma), NOISE, atol=2e-5)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
@pytest.mark.parametrize("prediction", PREDICTIONS, ids=str)
def test_errors_of_the_output_become_errors_of_the_picture(prediction, schedule):
    alpha, sigma = levels(schedule)
    noisy = alpha * CLEAN + sigma * NOISE
    target = ops.convert_to_numpy(prediction.target(CLEAN, NOISE, alpha, sigma))
    moved = prediction.clean(target + 1, noisy, alpha, sigma) - CLEAN
    factor = prediction.clean_factor(alpha, sigma)
    np.testing.assert_allclose(moved**2, factor + 0 * CLEAN, rtol=1e-2, atol=1e-5)


@pytest.mark.parametrize("weighting", [MinSNR(), EDMWeight()], ids=str)
def test_a_weighting_asks_the_same_of_the_picture_whatever_is_predicted(weighting):
    alpha, sigma = (part[:, 0, 0, 0] for part in levels(CosineNoise()))
    weights = [
        weighting(alpha, sigma, each.clean_factor(alpha, sigma))
        / each.clean_factor(alpha, sigma)
        for each in PREDICTIONS
    ]
    for weight in weights[1:]:
        np.testing.assert_allclose(weight, weights[0], rtol=1e-4)


def test_min_snr_is_clipped_at_gamma():
    alpha, sigma = (part[:, 0, 0, 0] for part in levels(CosineNoise()))
    weight = MinSNR(gamma=5.0)(alpha, sigma, Epsilon().clean_factor(alpha, sigma))
    ratio = (alpha / sigma) ** 2
    np.testing.assert_allclose(weight, np.minimum(ratio, 5) / ratio, rtol=1e-5)


def test_edm_weight_of_edm_output_is_uniform():
    alpha, sigma = (part[:, 0, 0, 0] for part in levels(KarrasNoise()))
    factor = Preconditioned().clean_factor(alpha, sigma)
    np.testing.assert_allclose(EDMWeight()(alpha, sigma, factor), 1, rtol=1e-5)
    np.testing.assert_array_equal(Uniform()(alpha, sigma, factor), 1)


def test_preconditioned_input_and_target_have_variance_one():
    prediction, schedule = Preconditioned(0.5), KarrasNoise()
    alpha, sigma = (
        ops.convert_to_numpy(part).reshape(-1, 1)
        for part in (schedule.alpha(TIMES), schedule.sigma(TIMES))
    )
    clean = 0.5 * RANDOM.normal(size=(len(TIMES), 100_000))
    noise = RANDOM.normal(size=clean.shape)
    noisy = prediction.scale(alpha, sigma) * (clean + sigma * noise)
    target = prediction.target(clean, noise, alpha, sigma)
    np.testing.assert_allclose(np.std(noisy, axis=1), 1, atol=0.01)
    np.testing.assert_allclose(np.std(target, axis=1), 1, atol=0.01)


TIMES = np.array([0.1, 0.5, 0.9], "float32")


@pytest.mark.parametrize("part", [*PREDICTIONS, Uniform(), MinSNR(), EDMWeight()])
def test_it_survives_json(part):
    assert registry.from_plain(registry.to_plain(part)) == part
