"""Noise schedules: how much of a picture is left at which time."""

import numpy as np
import pytest
from keras import ops

from keras_genai import registry
from keras_genai.schedules import (
    CosineNoise,
    KarrasNoise,
    LinearNoise,
    SigmoidNoise,
    StraightPath,
    warmup_cosine,
)

PRESERVING = [LinearNoise(), CosineNoise(), SigmoidNoise()]
SCHEDULES = [*PRESERVING, KarrasNoise(), StraightPath(), StraightPath(shift=3.0)]
TIMES = np.linspace(0, 1, 2001, dtype="float32")


def rates(**changes):
    return warmup_cosine(**{"peak": 1e-3, "warmup": 10, "steps": 100, **changes})


def values(tensor):
    return ops.convert_to_numpy(tensor)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_there_is_less_picture_and_more_noise_at_every_later_time(schedule):
    log_snr = values(schedule.log_snr(TIMES))
    assert log_snr.dtype == np.float32
    assert np.isfinite(log_snr).all()
    assert (np.diff(log_snr) <= 0).all()
    assert (np.diff(log_snr)[100:-100] < 0).all()
    assert (np.diff(values(schedule.sigma(TIMES))) >= 0).all()
    assert (np.diff(values(schedule.alpha(TIMES))) <= 0).all()


@pytest.mark.parametrize("schedule", PRESERVING, ids=str)
def test_variance_is_preserved_and_ends_as_standard_normal_noise(schedule):
    alpha, sigma = values(schedule.alpha(TIMES)), values(schedule.sigma(TIMES))
    np.testing.assert_allclose(alpha**2 + sigma**2, 1, rtol=1e-6)
    # Of a picture in [-1, 1] no more than this is left in the mean.
    assert alpha[-1] < 7e-3
    assert sigma[-1] > 0.9999
    assert sigma[0] < 5e-5


def test_linear_noise_is_the_product_of_ddpm_variances():
    schedule = LinearNoise()
    beta = np.linspace(1e-4, 0.02, 1000)
    expected = np.sqrt(np.cumprod(1 - beta))
    steps = (np.arange(1, 1001) / 1000).astype("float32")
    np.testing.assert_allclose(values(schedule.alpha(steps)), expected, rtol=2e-4)
    small = np.sqrt(1 - np.cumprod(1 - beta)[:3])
    np.testing.assert_allclose(values(schedule.sigma(steps[:3])), small, rtol=1e-4)


def test_cosine_noise_is_the_cosine_of_the_paper():
    times = TIMES[::2]  # a thousand steps
    angle = (times + 0.008) / 1.008 * np.pi / 2
    expected = np.cos(angle) / np.cos(angle[0])
    alpha = values(CosineNoise().alpha(times))
    np.testing.assert_allclose(alpha, expected, atol=1e-4)


def test_karras_levels_are_those_of_edm():
    _, alpha, sigma = KarrasNoise().grid(18)
    assert len(sigma) == 19
    np.testing.assert_allclose(sigma[[0, 17, 18]], [80, 0.002, 0], rtol=1e-4)
    rho = np.linspace(80 ** (1 / 7), 0.002 ** (1 / 7), 18) ** 7
    np.testing.assert_allclose(sigma[:-1], rho, rtol=1e-4)
    np.testing.assert_array_equal(alpha, 1)


def test_karras_trains_at_log_normal_levels():
    schedule = KarrasNoise()
    uniform = (np.arange(10_000, dtype="float32") + 0.5) / 10_000
    log_sigma = np.log(values(schedule.sigma(schedule.times(uniform))))
    np.testing.assert_allclose(log_sigma.mean(), -1.2, atol=0.01)
    np.testing.assert_allclose(log_sigma.std(), 1.2, atol=0.01)


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_the_straight_path_is_straight_and_shifted_towards_noise(shift):
    schedule = StraightPath(shift)
    alpha, sigma = values(schedule.alpha(TIMES)), values(schedule.sigma(TIMES))
    np.testing.assert_allclose(alpha + sigma, 1, rtol=1e-6)
    np.testing.assert_allclose(sigma[1000], shift / (1 + shift), rtol=1e-6)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_a_grid_leads_from_the_start_to_the_picture_itself(schedule):
    time, alpha, sigma = schedule.grid(10, start=0.5)
    assert all(part.dtype == np.float32 for part in (time, alpha, sigma))
    assert time[0] == 0.5
    assert (np.diff(sigma) < 0).all()
    assert (time[-1], alpha[-1], sigma[-1]) == (0, 1, 0)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_times_are_found_again_from_their_noise(schedule):
    times = np.array([0.1, 0.5, 0.9], "float32")
    ratios = values(schedule.sigma(times)) / values(schedule.alpha(times))
    np.testing.assert_allclose(schedule.times_at(ratios), times, atol=1e-3)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=str)
def test_a_schedule_survives_json(schedule):
    assert registry.from_plain(registry.to_plain(schedule)) == schedule


WRONG = (-1.0, "x", None, float("nan"), float("inf"))
ARGUMENTS = [
    (LinearNoise, "steps", (0, 2.5, True, 10**12, *WRONG)),
    (LinearNoise, "first", (0, 1, *WRONG)),
    (LinearNoise, "last", (0, 1, *WRONG)),
    (CosineNoise, "offset", WRONG),
    (SigmoidNoise, "start", WRONG[1:]),
    (SigmoidNoise, "end", (-3, *WRONG[1:])),
    (SigmoidNoise, "temperature", (0, *WRONG)),
    (KarrasNoise, "smallest", (0, *WRONG)),
    (KarrasNoise, "largest", (0, 0.001, *WRONG)),
    (KarrasNoise, "rho", (0, *WRONG)),
    (KarrasNoise, "mean", WRONG[1:]),
    (KarrasNoise, "deviation", (0, *WRONG)),
    (StraightPath, "shift", (0, *WRONG)),
    (rates, "peak", (0, *WRONG)),
    (rates, "warmup", (2.5, *WRONG)),
    (rates, "steps", (0, 2.5, *WRONG)),
    (rates, "final", (1.1, *WRONG)),
]


@pytest.mark.parametrize(("make", "name", "values"), ARGUMENTS)
def test_an_argument_that_cannot_be_is_named(make, name, values):
    for value in values:
        with pytest.raises((TypeError, ValueError), match=f"`{name}` must be") as error:
            make(**{name: value})
        assert "\n" not in str(error.value)
        assert repr(value) in str(error.value)
