"""Samplers against Gaussian data, for which everything is a closed form."""

import numpy as np
import pytest
import tensorflow as tf
from marks import slow_but

from keras_genai import registry
from keras_genai.samplers.diffusion import (
    DDIM,
    Ancestral,
    DPMSolver,
    Euler,
    Heun,
    Walk,
    first_noise,
    invert,
    sample,
)
from keras_genai.schedules import CosineNoise, KarrasNoise, LinearNoise, StraightPath

MEAN, DEVIATION = 0.3, 0.4
SCHEDULES = [LinearNoise(), CosineNoise(), KarrasNoise(), StraightPath()]
DETERMINISTIC = [DDIM(), Euler(), DPMSolver(), Heun()]


def denoise(noisy, level):
    """The best possible denoiser of pictures from N(MEAN, DEVIATION^2)."""
    variance = level.alpha**2 * DEVIATION**2 + level.sigma**2
    gain = level.alpha * DEVIATION**2 / variance
    return MEAN + gain * (noisy - level.alpha * MEAN)


@tf.function(autograph=False)
def _walk(sampler, noise, times, seed, rounds, resample):
    walk = Walk(noise, tf.zeros_like(noise))
    return sample(sampler, denoise, walk, times, 0, rounds, seed, resample=resample)


def run(sampler, schedule, steps, count=64, seed=0, resample=1):
    levels = sampler.grid(schedule, steps)
    noise = first_noise((count, 1, 1, 1), levels, seed)
    times = [tf.constant(part) for part in levels]
    seed = tf.constant(seed, tf.int64)
    rounds = tf.constant(steps * resample)
    walk = _walk(sampler, noise, times, seed, rounds, resample)
    return noise.numpy().ravel(), walk.noisy.numpy().ravel(), levels


def exact(noise, levels):
    """Where the probability flow leads, from the first level to the picture."""
    _, alpha, sigma = (part[0].astype("float64") for part in levels)
    deviation = np.sqrt((alpha * DEVIATION) ** 2 + sigma**2)
    return MEAN + DEVIATION * (noise - alpha * MEAN) / deviation


@pytest.mark.slow
@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
@pytest.mark.parametrize("sampler", DETERMINISTIC, ids=str)
def test_it_follows_the_probability_flow(sampler, schedule):
    errors = []
    for steps in (25, 100, 400):
        noise, pictures, levels = run(sampler, schedule, steps)
        errors.append(np.abs(pictures - exact(noise, levels)).max())
    # On a straight path a single step is exact; there is nothing left to shrink.
    assert errors[-1] < max(0.5 * errors[0], 1e-3)
    assert errors[-1] < 0.02


@pytest.mark.parametrize("sampler", [DPMSolver(), Heun()], ids=str)
def test_second_order_samplers_beat_first_order_by_far(sampler):
    # On equal levels, so that only the order differs.
    schedule = KarrasNoise()
    noise, pictures, levels = run(sampler, schedule, 40)
    error = np.abs(pictures - exact(noise, levels)).max()
    noise, pictures, levels = run(DDIM(), schedule, 40)
    assert error < 0.25 * np.abs(pictures - exact(noise, levels)).max()


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_ddim_is_the_product_of_its_closed_form_steps(schedule):
    noise, pictures, levels = run(DDIM(), schedule, 20)
    _, alpha, sigma = (part.astype("float64") for part in levels)
    gap = noise - alpha[0] * MEAN  # noisy = alpha * MEAN + gap all the way
    for now in range(20):
        after = now + 1
        variance = (alpha[now] * DEVIATION) ** 2 + sigma[now] ** 2
        signal = alpha[after] * alpha[now] * DEVIATION**2
        gap = gap * (signal + sigma[after] * sigma[now]) / variance
    np.testing.assert_allclose(pictures, MEAN + gap, atol=2e-5)


def test_euler_on_the_straight_path_is_ddim():
    _, other, _ = run(Euler(), StraightPath(), 10)
    _, pictures, _ = run(DDIM(), StraightPath(), 10)
    np.testing.assert_allclose(pictures, other, atol=1e-5)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_ddim_with_eta_1_is_ancestral_in_distribution_and_to_the_draw(schedule):
    moments = []
    for sampler in (Ancestral(), DDIM(eta=1.0)):
        _, pictures, levels = run(sampler, schedule, 50, count=20_000)
        moments.append((pictures.mean(), pictures.std()))
        expected = ancestral_moments(levels)
        np.testing.assert_allclose(moments[-1], expected, atol=0.01)
    np.testing.assert_allclose(*moments, atol=1e-3)


def ancestral_moments(levels):
    """Mean and deviation of what ancestral sampling of Gaussian data makes."""
    _, alpha, sigma = (part.astype("float64") for part in levels)
    mean, variance = 0.0, sigma[0] ** 2
    for now in range(len(alpha) - 1):
        after = now + 1
        factor = alpha[now] / alpha[after]
        added = sigma[now] ** 2 - (factor * sigma[after]) ** 2
        share = sigma[after] ** 2 / sigma[now] ** 2
        total = (alpha[now] * DEVIATION) ** 2 + sigma[now] ** 2
        gain = alpha[now] * DEVIATION**2 / total
        weight = alpha[after] * added / sigma[now] ** 2
        slope = factor * share + weight * gain
        mean = slope * mean + weight * MEAN * (1 - gain * alpha[now])
        variance = slope**2 * variance + added * share
    return mean, np.sqrt(variance)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_many_ancestral_steps_reach_the_distribution_of_the_data(schedule):
    _, pictures, _ = run(Ancestral(), schedule, 400, count=20_000)
    np.testing.assert_allclose(pictures.mean(), MEAN, atol=0.02)
    np.testing.assert_allclose(pictures.std(), DEVIATION, atol=0.02)


@pytest.mark.parametrize(
    "sampler", slow_but([Ancestral()], [Ancestral(), DDIM()]), ids=str
)
def test_repeated_steps_keep_the_distribution(sampler):
    _, pictures, _ = run(sampler, CosineNoise(), 400, count=20_000, resample=3)
    np.testing.assert_allclose(pictures.mean(), MEAN, atol=0.02)
    np.testing.assert_allclose(pictures.std(), DEVIATION, atol=0.02)


@pytest.mark.parametrize(
    "schedule",
    [LinearNoise(), pytest.param(CosineNoise(), marks=pytest.mark.slow)],
    ids=str,
)
def test_ddim_undoes_its_inversion(schedule):
    pictures = np.random.default_rng(0).normal(MEAN, DEVIATION, (16, 1, 1, 1))
    pictures = tf.constant(pictures, tf.float32)
    times = [tf.constant(part) for part in schedule.grid(50)]
    noise = invert(denoise, pictures, times, 50, refinements=8)
    walk = Walk(noise, tf.zeros_like(noise))
    again = sample(DDIM(), denoise, walk, times, 0, 50, 0).noisy
    np.testing.assert_allclose(again, pictures, atol=5e-4)


def test_a_walk_in_pieces_is_the_walk():
    sampler = Ancestral()
    levels = sampler.grid(CosineNoise(), 12)
    times = [tf.constant(part) for part in levels]
    walk = whole = Walk(first_noise((3, 2, 2, 1), levels, 5), tf.zeros((3, 2, 2, 1)))
    for begin, end in ((0, 5), (5, 6), (6, 12)):
        walk = sample(sampler, denoise, walk, times, begin, end, 5)
    whole = sample(sampler, denoise, whole, times, 0, 12, 5)
    np.testing.assert_array_equal(walk.noisy, whole.noisy)


def test_known_pixels_stay_known():
    known = tf.constant(
        np.random.default_rng(0).uniform(-1, 1, (2, 4, 4, 1)), "float32"
    )
    mask = tf.constant(np.eye(4)[None, :, :, None].repeat(2, 0), "float32")
    levels = Ancestral().grid(CosineNoise(), 10)
    times = [tf.constant(part) for part in levels]
    walk = Walk(first_noise((2, 4, 4, 1), levels, 0), tf.zeros((2, 4, 4, 1)))
    painted = sample(
        Ancestral(), denoise, walk, times, 0, 20, 0, known, mask, resample=2
    ).noisy
    is_known = mask.numpy() == 1
    np.testing.assert_array_equal(painted.numpy()[is_known], known.numpy()[is_known])
    assert not np.isclose(painted.numpy(), known.numpy())[~is_known].any()


@pytest.mark.parametrize("sampler", [*DETERMINISTIC, Ancestral()], ids=str)
def test_a_sampler_survives_json(sampler):
    assert registry.from_plain(registry.to_plain(sampler)) == sampler


def test_eta_out_of_range_is_refused():
    with pytest.raises(ValueError, match="`eta` must be in"):
        DDIM(eta=1.5)
