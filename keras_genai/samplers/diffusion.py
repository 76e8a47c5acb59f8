"""From noise to a picture: samplers of diffusion models, and the loop they share.

A sampler is a pure function of a denoiser. `denoise(noisy, level)` returns the clean
picture it sees in `noisy`; `level` says how noisy that is,
`noisy = alpha * clean + sigma * noise`. `times` are the levels to visit, three float
arrays `(steps + 1,)` as `NoiseSchedule.grid` makes them: time, alpha and sigma, from
noise to the picture. The whole way is one compiled loop, and may be walked in pieces:
the numbers drawn in a step depend on the seed and the step alone.
"""

import dataclasses
import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai.registry import register

SMALLEST = 1e-10  # stands for 0 in divisors and logarithms
DRAWS = 3  # kinds of numbers that one round of the loop may draw


class Level(NamedTuple):
    """One level of noise: float32 scalars."""

    time: object
    alpha: object
    sigma: object


class Walk(NamedTuple):
    """What the loop carries.

    Attributes:
        noisy: float32 `(B, H, W, C)`.
        clean: float32 `(B, H, W, C)`, what the last step took for the clean picture.
    """

    noisy: object
    clean: object


class Posterior(NamedTuple):
    """The Gaussian that a step draws from.

    Attributes:
        mean: float32 `(B, H, W, C)`.
        deviation: float32, that of every number; broadcasts against `mean`.
    """

    mean: object
    deviation: object


class Sampler:
    """What all samplers share; a subclass says how one step goes.

    Attributes:
        multistep: bool. Whether a step looks at the one before it.
        draws: bool. Whether a step draws, from the Gaussian of `posterior`. A step to
            the picture itself never does.
    """

    multistep = False

    @property
    def draws(self):
        return False

    def grid(self, schedule, steps, start=1.0):
        """The levels to visit. See `NoiseSchedule.grid`."""
        return schedule.grid(steps, start)

    def step(self, denoise, walk, levels, draw):
        """One step.

        Args:
            denoise: function of pictures and a `Level`.
            walk: `Walk` at the current level.
            levels: the `Level`s before (equal to the current one in the first step),
                now and after.
            draw: function without arguments: standard normal numbers of the
                pictures' shape, the same at every call.

        Returns:
            `Walk` at the next level.
        """
        raise NotImplementedError

    def posterior(self, noisy, clean, now, after):
        """What a step is drawn from, of samplers that draw.

        Args:
            noisy: float32 `(B, H, W, C)`.
            clean: likewise, what the denoiser sees in them.
            now, after: `Level`s, whose numbers broadcast against the pictures.

        Returns:
            `Posterior`.
        """
        raise NotImplementedError

    def get_config(self):
        return dataclasses.asdict(self)


@register
@dataclasses.dataclass(frozen=True)
class Ancestral(Sampler):
    """DDPM: draws from the posterior of the next level, given the clean picture.

    Reference: Ho et al. 2020, eq. 6-7 and algorithm 2, https://arxiv.org/abs/2006.11239
    """

    @property
    def draws(self):
        return True

    def step(self, denoise, walk, levels, draw):
        _, now, after = levels
        clean = denoise(walk.noisy, now)
        mean, deviation = self.posterior(walk.noisy, clean, now, after)
        return Walk(mean + deviation * draw(), clean)

    def posterior(self, noisy, clean, now, after):
        factor, added = transition(after, now)
        share = after.sigma**2 / now.sigma**2
        mean = factor * share * noisy + after.alpha * added / now.sigma**2 * clean
        return Posterior(mean, ops.sqrt(added * share))


@register
@dataclasses.dataclass(frozen=True)
class DDIM(Sampler):
    """Goes on with the noise it finds in the picture; `eta=0` draws nothing at all.

    Args:
        eta: float in [0, 1]. Share of fresh noise; 1 is `Ancestral`.

    Reference: Song et al. 2021, eq. 12 and 16, https://arxiv.org/abs/2010.02502
    """

    eta: float = 0.0

    def __post_init__(self):
        if not 0 <= self.eta <= 1:
            raise ValueError(f"`eta` must be in [0, 1]. Received: eta={self.eta}")

    @property
    def draws(self):
        return self.eta > 0

    def step(self, denoise, walk, levels, draw):
        _, now, after = levels
        clean = denoise(walk.noisy, now)
        mean, deviation = self.posterior(walk.noisy, clean, now, after)
        return Walk(mean + deviation * draw() if self.draws else mean, clean)

    def posterior(self, noisy, clean, now, after):
        noise = noise_in(noisy, clean, now)
        factor, added = transition(after, now)
        share, fresh = after.sigma / now.sigma, self.eta**2
        # The difference of after.sigma**2 and the variance, without a cancellation.
        kept = after.sigma * ops.sqrt(1 - fresh + fresh * (factor * share) ** 2)
        mean = after.alpha * clean + kept * noise
        return Posterior(mean, self.eta * share * ops.sqrt(added))


@register
@dataclasses.dataclass(frozen=True)
class Euler(Sampler):
    """Follows the path's derivative; meant for the straight path of flow matching.

    There it moves by `(sigma_next - sigma) * (noise - clean)`.

    Reference: Liu et al. 2023, section 2.1, https://arxiv.org/abs/2209.03003
    """

    def step(self, denoise, walk, levels, draw):
        _, now, after = levels
        clean = denoise(walk.noisy, now)
        noise = noise_in(walk.noisy, clean, now)
        move = (after.alpha - now.alpha) * clean + (after.sigma - now.sigma) * noise
        return Walk(walk.noisy + move, clean)


@register
@dataclasses.dataclass(frozen=True)
class DPMSolver(Sampler):
    """DPM-Solver++ 2M: second order from one denoising a step, good in 15 to 30 steps.

    Reference: Lu et al. 2022, algorithm 2, https://arxiv.org/abs/2211.01095
    """

    multistep = True

    def step(self, denoise, walk, levels, draw):
        before, now, after = levels
        clean = denoise(walk.noisy, now)
        gained = _half_log_snr(after) - _half_log_snr(now)
        gained_before = _half_log_snr(now) - _half_log_snr(before)
        # The first step has no step before it; the last ends at no noise at all.
        second = (gained_before > 0) & (after.sigma > 0)
        share = gained / (2 * ops.maximum(gained_before, SMALLEST))
        ahead = clean + ops.where(second, share, 0.0) * (clean - walk.clean)
        kept = after.sigma / now.sigma
        # alpha_after * (1 - exp(-gained)), without a logarithm of 0
        noisy = kept * walk.noisy + (after.alpha - kept * now.alpha) * ahead
        return Walk(noisy, clean)


@register
@dataclasses.dataclass(frozen=True)
class Heun(Sampler):
    """EDM's deterministic sampler: second order, two denoisings a step.

    It walks in `noisy / alpha`, whose level is `sigma / alpha`.

    Args:
        smallest: float. The last `sigma / alpha` before the picture.
        largest: float. The first one.
        rho: float. The higher, the more of the steps are at little noise.

    Reference: Karras et al. 2022, algorithm 1 and eq. 5,
        https://arxiv.org/abs/2206.00364
    """

    smallest: float = 0.002
    largest: float = 80.0
    rho: float = 7.0

    def grid(self, schedule, steps, start=1.0):
        largest = _ratio(schedule, start)
        low, high = (
            np.clip(value, 1e-4, largest) ** (1 / self.rho)
            for value in (self.smallest, self.largest)
        )
        ratios = np.linspace(high, low, steps) ** self.rho
        times = schedule.times_at(ratios)
        alpha = schedule.alpha(times.astype("float32"))
        parts = (times, alpha, schedule.sigma(times.astype("float32")))
        ends = (0.0, 1.0, 0.0)
        return tuple(
            np.append(ops.convert_to_numpy(part), end).astype("float32")
            for part, end in zip(parts, ends, strict=True)
        )

    def step(self, denoise, walk, levels, draw):
        _, now, after = levels
        clean = denoise(walk.noisy, now)
        ratio, next_ratio = now.sigma / now.alpha, after.sigma / after.alpha
        start = walk.noisy / now.alpha
        slope = (start - clean) / ratio
        first = start + (next_ratio - ratio) * slope

        def correct():
            again = denoise(after.alpha * first, after)
            other = (first - again) / next_ratio
            return start + (next_ratio - ratio) * (slope + other) / 2

        end = tf.cond(after.sigma > 0, correct, lambda: first)
        return Walk(after.alpha * end, clean)


def log_probability(sampler, noisy, clean, drawn, now, after):
    """How probable what a step drew is: the log density of its Gaussian.

    Args:
        sampler: `Sampler` that draws.
        noisy: float32 `(B, H, W, C)`, where the step began.
        clean: likewise, what the denoiser sees in them.
        drawn: likewise, where it ended.
        now, after: `Level`s whose numbers broadcast against the pictures; `after` is
            not the picture itself, to which no step draws.

    Returns:
        float32 `(B,)`, in nats: the sum over all numbers of a picture.

    Raises:
        ValueError: if the sampler does not draw.

    Reference: Black et al. 2023, section 4.3, https://arxiv.org/abs/2305.13301
    """
    if not sampler.draws:
        raise ValueError(
            "`sampler` must draw its steps, as Ancestral and DDIM(eta) do, or they "
            f"have no density. Received: {sampler!r}"
        )
    mean, deviation = sampler.posterior(noisy, clean, now, after)
    squares = ops.square((drawn - mean) / deviation)
    each = -0.5 * (squares + math.log(2 * math.pi)) - ops.log(deviation)
    return ops.sum(each, axis=tuple(range(1, len(noisy.shape))))


def transition(less, more):
    """How a noisier level follows from a less noisy one.

    Args:
        less, more: `Level`s.

    Returns:
        `(factor, variance)`: `noisy_more = factor * noisy_less + sqrt(variance) * new`.
    """
    factor = more.alpha / less.alpha
    return factor, ops.maximum(more.sigma**2 - factor**2 * less.sigma**2, 0)


def noise_in(noisy, clean, level):
    """The noise that makes `noisy` of `clean` at a `Level`."""
    return (noisy - level.alpha * clean) / ops.maximum(level.sigma, SMALLEST)


def normal(shape, seed, place):
    """Standard normal float32 numbers that depend on the seed and the place alone.

    Args:
        shape: ints.
        seed: int64 scalar.
        place: int scalar; 0 is the noise a walk begins with.
    """
    place = tf.cast(place, "int64")
    return tf.random.stateless_normal(shape, tf.stack([tf.cast(seed, "int64"), place]))


def first_noise(shape, times, seed):
    """Where a walk begins: noise of the first level's size."""
    return normal(shape, seed, 0) * times[2][0]


def sample(
    sampler,
    denoise,
    walk,
    times,
    begin,
    end,
    seed,
    known=None,
    mask=None,
    resample=1,
):
    """Walks from noise towards a picture.

    Args:
        sampler: `Sampler`.
        denoise: function of pictures and a `Level`, which returns clean pictures.
        walk: `Walk`; `clean` is anything of the right shape in the beginning.
        times: three float32 `(steps + 1,)`: time, alpha, sigma. May be longer.
        begin: int scalar. The first round; a whole walk has `steps * resample`.
        end: int scalar. The round to stop before.
        seed: int64 scalar.
        known: float32 `(B, H, W, C)`, clean pictures of which a part is known, or
            `None`.
        mask: float32 `(B, H, W, 1)`: 1 where `known` holds.
        resample: int. Times that each step is made; in between, the noise it took is
            put back, so that new and known parts agree.

    Returns:
        `Walk`. After the last round, `noisy` is the picture.

    Reference: Lugmayr et al. 2022, algorithm 1 (`known`, `resample`),
        https://arxiv.org/abs/2201.09865
    """

    def round_(index, noisy, clean):
        step = index // resample
        levels = [level(times, place) for place in (step - 1, step, step + 1)]

        def draw(kind=0):
            return normal(tf.shape(noisy), seed, DRAWS * index + kind + 1)

        after = sampler.step(denoise, Walk(noisy, clean), levels, draw)
        if known is not None:
            kept = levels[2].alpha * known + levels[2].sigma * draw(1)
            moved = mask * kept + (1 - mask) * after.noisy
            after = after._replace(noisy=moved)
        if resample > 1:
            factor, added = transition(levels[2], levels[1])
            back = factor * after.noisy + ops.sqrt(added) * draw(2)
            last = (index + 1) % resample == 0
            after = after._replace(noisy=ops.where(last, after.noisy, back))
        return index + 1, *after

    _, noisy, clean = tf.while_loop(
        lambda index, *_: index < end,
        round_,
        (tf.convert_to_tensor(begin), *walk),
        parallel_iterations=1,
    )
    return Walk(noisy, clean)


def invert(denoise, picture, times, steps, refinements):
    """The noise from which `DDIM(eta=0)` makes a picture.

    A DDIM step from `noisy` at the noisier level is undone by searching the `noisy`
    from which it ends where we are, by fixed-point iteration.

    Args:
        denoise: function of pictures and a `Level`.
        picture: float32 `(B, H, W, C)`.
        times: as in `sample`.
        steps: int scalar.
        refinements: int. Iterations a step; 1 takes the noise found at the
            less noisy picture for that of the noisier one, as is usual.

    Returns:
        float32 `(B, H, W, C)`.

    Reference: Dhariwal & Nichol 2021, appendix F, https://arxiv.org/abs/2105.05233;
        Pan et al. 2023 (fixed point), https://arxiv.org/abs/2309.04907
    """

    def back(index, less_noisy, noise):
        now, less = level(times, index), level(times, index + 1)
        start = now.alpha / less.alpha * less_noisy
        slope = now.sigma - now.alpha / less.alpha * less.sigma
        for _ in range(refinements):
            noisy = start + slope * noise
            noise = noise_in(noisy, denoise(noisy, now), now)
        return index - 1, start + slope * noise, noise

    _, noise, _ = tf.while_loop(
        lambda index, *_: index >= 0,
        back,
        (tf.convert_to_tensor(steps) - 1, picture, tf.zeros_like(picture)),
        parallel_iterations=1,
    )
    return noise


def level(times, index):
    """The `Level` at an index, the first one at -1."""
    return Level(*(tf.gather(part, tf.maximum(index, 0)) for part in times))


def _half_log_snr(at):
    alpha, sigma = ops.maximum(at.alpha, SMALLEST), ops.maximum(at.sigma, SMALLEST)
    return ops.log(alpha) - ops.log(sigma)


def _ratio(schedule, time):
    """sigma / alpha at a time, as a number."""
    log_snr = schedule.log_snr(np.float32(time))
    return float(np.exp(-ops.convert_to_numpy(log_snr) / 2))
