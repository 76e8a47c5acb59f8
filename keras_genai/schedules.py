"""Schedules: how a learning rate falls, and how a picture turns into noise.

A noise schedule mixes a picture and standard normal noise,
`noisy = alpha(t) * clean + sigma(t) * noise`, for a time `t` from 0 (the picture)
to 1 (noise). Its log signal-to-noise ratio `2 log(alpha / sigma)` falls with `t`.
"""

import dataclasses
import functools
import math

import keras
import numpy as np
from keras import ops

from keras_genai.checks import check_integer, check_number, check_size
from keras_genai.registry import register

__all__ = [
    "CosineNoise",
    "KarrasNoise",
    "LinearNoise",
    "NoiseSchedule",
    "SigmoidNoise",
    "StraightPath",
    "VariancePreserving",
    "spread_evenly",
    "warmup_cosine",
]

LARGEST_LOG_SNR = 20.0  # sigma, or alpha, is then 4.5e-5: below a grey level of 16 bits
FIRST_TIME = 1e-3  # training never asks for less noise than the first of 1000 steps
SMALLEST = 1e-10  # stands for 0 in logarithms


def warmup_cosine(peak, warmup, steps, final=0.1):
    """Learning rate that rises linearly, then falls along half a cosine.

    Args:
        peak: float. The highest rate.
        warmup: int. Steps of the rise; at most half of `steps` are used.
        steps: int. Length of the whole run.
        final: float. Rate at the end, as a fraction of `peak`.

    Returns:
        `keras.optimizers.schedules.CosineDecay`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range.

    Reference: Loshchilov & Hutter 2017, eq. 5, https://arxiv.org/abs/1608.03983
    """
    check_integer("warmup", warmup, 0)
    check_integer("steps", steps, 1)
    _check_positive("peak", peak)
    check_number("final", final, "a number from 0 to 1", lambda x: 0 <= x <= 1)
    warmup = min(warmup, steps // 2)
    return keras.optimizers.schedules.CosineDecay(
        0.0 if warmup else peak,
        decay_steps=steps - warmup,
        alpha=final,
        warmup_target=peak if warmup else None,
        warmup_steps=warmup,
    )


def spread_evenly(count, seed):
    """Uniform numbers whose places in [0, 1) share it out: times for a batch.

    Args:
        count: int or scalar tensor, B.
        seed: int or `keras.random.SeedGenerator`.

    Returns:
        float32 `(B,)`.

    Reference: Kingma et al. 2021, appendix I.1, https://arxiv.org/abs/2107.00630
    """
    start = keras.random.uniform((), dtype="float32", seed=seed)
    return (ops.arange(count, dtype="float32") + start) / ops.cast(count, "float32")


def _check_positive(name, value):
    check_number(name, value, "a finite number > 0", lambda x: 0 < x < math.inf)


def _check_finite(name, value):
    check_number(name, value, "a finite number", math.isfinite)


def _check_order(name, value, other_name, other):
    if value <= other:
        raise ValueError(
            f"`{name}` must be above `{other_name}`. "
            f"Received: {name}={value!r}, {other_name}={other!r}"
        )


class NoiseSchedule:
    """What all noise schedules share; a subclass says `alpha` and `sigma`.

    Times are float tensors or arrays of any shape in [0, 1]; results have that shape,
    in float32.
    """

    def alpha(self, time):
        """Factor of the picture."""
        raise NotImplementedError

    def sigma(self, time):
        """Factor of the noise."""
        raise NotImplementedError

    def log_snr(self, time):
        """`2 log(alpha / sigma)`, finite even where one of them is 0."""
        alpha = ops.maximum(self.alpha(time), SMALLEST)
        return 2 * (ops.log(alpha) - ops.log(ops.maximum(self.sigma(time), SMALLEST)))

    def times(self, uniform):
        """The times to train at, from numbers that are uniform in [0, 1)."""
        return FIRST_TIME + (1 - FIRST_TIME) * uniform

    def grid(self, steps, start=1.0):
        """The levels that a sampler visits, from noise to the picture.

        Args:
            steps: int.
            start: float in (0, 1]. The first time.

        Returns:
            `(time, alpha, sigma)`, float32 arrays `(steps + 1,)`; the last level is
            the picture itself, alpha 1 and sigma 0.
        """
        return self._levels(np.linspace(start, 0, steps + 1)[:-1])

    def times_at(self, ratios):
        """The times at which sigma / alpha is what is asked for, clipped to [0, 1].

        Args:
            ratios: float array, all above 0.

        Returns:
            float64 array.
        """
        # Most of the change is at both ends of the path.
        times = (1 - np.cos(np.linspace(0, np.pi, 20_001))) / 2
        log_snr = ops.convert_to_numpy(self.log_snr(times.astype("float32")))
        return np.interp(2 * np.log(ratios), -log_snr, times)

    def _levels(self, times):
        """Levels at `times`, and the picture after them."""
        times = np.asarray(times, "float32")
        parts = (times, self.alpha(times), self.sigma(times))
        ends = (0.0, 1.0, 0.0)
        return tuple(
            np.append(ops.convert_to_numpy(part), np.float32(end))
            for part, end in zip(parts, ends, strict=True)
        )

    def get_config(self):
        return dataclasses.asdict(self)


class VariancePreserving(NoiseSchedule):
    """`alpha**2 + sigma**2 = 1`; a subclass says `alpha**2` at 1001 times.

    Between them the log signal-to-noise ratio is linear. It is clipped to +-20, so that
    nothing is lost to rounding: both factors come from the ratio, never from `1 - x`.
    """

    steps = 1000

    def alpha(self, time):
        return ops.sqrt(ops.sigmoid(self.log_snr(time)))

    def sigma(self, time):
        return ops.sqrt(ops.sigmoid(-self.log_snr(time)))

    def log_snr(self, time):
        place = ops.cast(time, "float32") * self.steps
        left = ops.clip(ops.floor(place), 0, self.steps - 1)
        index = ops.cast(left, "int32")
        table = ops.convert_to_tensor(self._table)
        low, high = ops.take(table, index), ops.take(table, index + 1)
        return low + (high - low) * (place - left)

    @functools.cached_property
    def _table(self):
        """float32 `(steps + 1,)`, log signal-to-noise ratios."""
        signal = self._signal(np.arange(self.steps + 1) / self.steps)
        with np.errstate(divide="ignore"):
            ratio = np.log(signal) - np.log1p(-signal)
        return np.clip(ratio, -LARGEST_LOG_SNR, LARGEST_LOG_SNR).astype("float32")

    def _signal(self, times):
        """`alpha**2`, float64, at `steps + 1` equal distances."""
        raise NotImplementedError


@register
@dataclasses.dataclass(frozen=True)
class LinearNoise(VariancePreserving):
    """DDPM's schedule: the variance added in a step grows linearly.

    Args:
        steps: int. Steps of the diffusion, T.
        first: float. Variance of the first step, beta_1.
        last: float. Variance of the last step, beta_T.

    Reference: Ho et al. 2020, section 4, https://arxiv.org/abs/2006.11239
    """

    steps: int = 1000
    first: float = 1e-4
    last: float = 0.02

    def __post_init__(self):
        check_size("steps", self.steps)
        for name in ("first", "last"):
            check_number(
                name,
                getattr(self, name),
                "a number above 0 and below 1",
                lambda beta: 0 < beta < 1,
            )

    def _signal(self, times):
        beta = np.linspace(self.first, self.last, self.steps)
        return np.append(1.0, np.cumprod(1 - beta))


@register
@dataclasses.dataclass(frozen=True)
class CosineNoise(VariancePreserving):
    """A schedule that spends more of its time on half-noisy pictures.

    Args:
        offset: float. Keeps the first steps from being too small.

    Reference: Nichol & Dhariwal 2021, eq. 17, https://arxiv.org/abs/2102.09672
    """

    offset: float = 0.008

    def __post_init__(self):
        check_number(
            "offset", self.offset, "a finite number >= 0", lambda x: 0 <= x < math.inf
        )

    def _signal(self, times):
        angle = (times + self.offset) / (1 + self.offset) * np.pi / 2
        return (np.cos(angle) / np.cos(angle[0])) ** 2


@register
@dataclasses.dataclass(frozen=True)
class SigmoidNoise(VariancePreserving):
    """`alpha**2` falls along a sigmoid; suits larger pictures.

    Args:
        start: float. Where on the sigmoid time 0 lies.
        end: float. Where time 1 lies.
        temperature: float. Larger is closer to a straight line.

    Reference: Jabri et al. 2022, appendix B, https://arxiv.org/abs/2212.11972
    """

    start: float = -3.0
    end: float = 3.0
    temperature: float = 1.0

    def __post_init__(self):
        _check_finite("start", self.start)
        _check_finite("end", self.end)
        _check_order("end", self.end, "start", self.start)
        _check_positive("temperature", self.temperature)

    def _signal(self, times):
        place = (self.start + times * (self.end - self.start)) / self.temperature
        value = 1 / (1 + np.exp(place))
        return (value - value[-1]) / (value[0] - value[-1])


@register
@dataclasses.dataclass(frozen=True)
class KarrasNoise(NoiseSchedule):
    """EDM's levels: alpha is 1 and sigma runs from almost nothing to far above it.

    Args:
        smallest: float. sigma at time 0.
        largest: float. sigma at time 1.
        rho: float. The higher, the more of the steps are at little noise.
        mean: float. Mean of log sigma in training.
        deviation: float. Its standard deviation.

    Reference: Karras et al. 2022, table 1 and eq. 5, https://arxiv.org/abs/2206.00364
    """

    smallest: float = 0.002
    largest: float = 80.0
    rho: float = 7.0
    mean: float = -1.2
    deviation: float = 1.2

    def __post_init__(self):
        for name in ("smallest", "largest", "rho", "deviation"):
            _check_positive(name, getattr(self, name))
        _check_finite("mean", self.mean)
        _check_order("largest", self.largest, "smallest", self.smallest)

    def alpha(self, time):
        return ops.ones_like(ops.cast(time, "float32"))

    def sigma(self, time):
        low, high = self._roots
        return (low + ops.cast(time, "float32") * (high - low)) ** self.rho

    def times(self, uniform):
        normal = 2**0.5 * ops.erfinv(2 * uniform - 1)
        sigma = ops.exp(self.mean + self.deviation * normal)
        root = ops.clip(sigma, self.smallest, self.largest) ** (1 / self.rho)
        low, high = self._roots
        return (root - low) / (high - low)

    def grid(self, steps, start=1.0):
        """See `NoiseSchedule`; the level before the picture is the smallest sigma."""
        return self._levels(np.linspace(start, 0, steps))

    @property
    def _roots(self):
        return self.smallest ** (1 / self.rho), self.largest ** (1 / self.rho)


@register
@dataclasses.dataclass(frozen=True)
class StraightPath(NoiseSchedule):
    """Flow matching: `alpha = 1 - sigma`, a straight line from picture to noise.

    Args:
        shift: float > 0. Above 1, more of the time is spent at much noise, which larger
            pictures need; sigma is `shift * t / (1 + (shift - 1) * t)`.

    Reference: Lipman et al. 2023, eq. 20 and 22, https://arxiv.org/abs/2210.02747;
        Esser et al. 2024, section 5.3.2 (shift), https://arxiv.org/abs/2403.03206
    """

    shift: float = 1.0

    def __post_init__(self):
        _check_positive("shift", self.shift)

    def alpha(self, time):
        return 1 - self.sigma(time)

    def sigma(self, time):
        time = ops.cast(time, "float32")
        return self.shift * time / (1 + (self.shift - 1) * time)
