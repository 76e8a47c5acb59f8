"""How a diffusion model is run: its denoiser, and what is compiled around it."""

import math
from typing import NamedTuple

import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai.progress import bar, is_watched
from keras_genai.samplers import diffusion
from keras_genai.samplers.diffusion import Level, Walk
from keras_genai.samplers.session import compiled
from keras_genai.tasks import pictures
from keras_genai.tasks.hiding import nothing

PIECES = 20  # of a walk that is shown
GREYS = 256


class Wish(NamedTuple):
    """What a user asked for, checked.

    Attributes:
        condition: dict of arrays by key, each with a row a picture; pictures in [0, 1].
        guidance: float.
        free: dict as `condition`, what guidance leads away from, or `None`: anything.
        steps: int.
        sampler: `Sampler`.
        seed: int.
        progress: bool or `None`: if a person watches.
        start: float32 `(N, H, W, C)` in [0, 1], pictures to start from, or `None`.
        strength: float in (0, 1]. The first time.
        known: float32 `(N, H, W, C)` in [0, 1], pictures known in part, or `None`.
        mask: bool of the pictures' shape, where they are not known.
        resample: int. Times that each step is made.
        noise: float32 `(N, *sample_shape)` to begin with, or `None`: drawn.
    """

    condition: dict
    guidance: float
    steps: int
    sampler: object
    seed: int
    progress: object
    start: object = None
    strength: float = 1.0
    known: object = None
    mask: object = None
    resample: int = 1
    noise: object = None
    free: dict | None = None


def walk(model, wish, count):
    """Pictures, as wished.

    Args:
        model: `Diffusion`.
        wish: `Wish`.
        count: int, N.

    Returns:
        float32 array `(N, H, W, C)` in [0, 1].
    """
    for state in _states(model, wish, count, _pieces(wish)):
        noisy = state.noisy
    return _to_images(model, noisy, count)


def path(model, wish, count):
    """Pictures, as wished, and the way that each came.

    Args:
        model, wish, count: see `walk`.

    Returns:
        `(noisy, images)`: float32 arrays `(N, steps + 1, *sample_shape)`, from noise
        to the picture, and `(N, H, W, C)` in [0, 1].
    """
    each = [(step, step + 1) for step in range(wish.steps)]
    noisy = [state.noisy for state in _states(model, wish, count, each)]
    images = _to_images(model, noisy[-1], count)
    return np.stack([part.numpy()[:count] for part in noisy], axis=1), images


def _states(model, wish, count, pieces):
    """Yields the `Walk` where it begins, and at the end of each of its pieces."""
    levels = wish.sampler.grid(model.schedule, wish.steps, wish.strength)
    times = padded(levels)
    noisy = wish.noise
    if noisy is None:
        shape = (count, *model.sample_shape)
        noisy = diffusion.first_noise(shape, levels, wish.seed)
    if wish.start is not None:
        to_latents = compiled(model, ("to_latents",), lambda: model.to_latents)
        start = pictures.padded_rows(wish.start, pictures.few_sizes(count))
        noisy = noisy + levels[1][0] * to_latents(tf.constant(start))[:count]
    wish = padded_wish(wish, count)
    noisy = tf.constant(
        pictures.padded_rows(np.asarray(noisy), pictures.few_sizes(count))
    )

    numbers = _numbers(wish)
    advance = _walker(model, wish)
    state = Walk(noisy, tf.zeros_like(noisy))
    yield state
    for begin, end in pieces:
        state = advance(state, times, tf.constant(begin), tf.constant(end), numbers)
        yield state


def _to_images(model, noisy, count):
    to_images = compiled(model, ("to_images",), lambda: model.to_images)
    return to_images(noisy).numpy()[:count]


def padded_wish(wish, count):
    """A wish for a few pictures more, so that not every count compiles anew.

    Pictures do not look at each other: the first ones stay what they are.
    """
    size = pictures.few_sizes(count)

    def padded(value):
        return None if value is None else pictures.padded_rows(value, size)

    rows = {name: padded(getattr(wish, name)) for name in ("start", "known", "mask")}
    for name in ("condition", "free"):
        given = getattr(wish, name)
        if given is not None:
            rows[name] = {key: padded(value) for key, value in given.items()}
    return wish._replace(**rows)


def search_noise(model, wish, refinements):
    """The noise from which `DDIM()` makes `wish.start`.

    Args:
        model: `Diffusion`.
        wish: `Wish`.
        refinements: int. Denoisings a step.

    Returns:
        float32 array `(N, *sample_shape)`.
    """

    def build():
        def search(images, times, steps, numbers):
            denoise = denoiser(model, numbers)
            latents = model.to_latents(images)
            return diffusion.invert(denoise, latents, times, steps, refinements)

        return search

    count = len(wish.start)
    wish = padded_wish(wish, count)
    search = compiled(model, ("invert", refinements), build)
    times = padded(model.schedule.grid(wish.steps))
    images, steps = tf.constant(wish.start), tf.constant(wish.steps)
    return search(images, times, steps, _numbers(wish)).numpy()[:count]


def bits_per_dimension(model, wish, draws):
    """See `Diffusion.variational_bound`.

    Args:
        model: `Diffusion` without a codec.
        wish: `Wish` with `start`.
        draws: int or `None`. How many of the steps are looked at.

    Returns:
        float64 array `(N,)`.
    """
    time = np.arange(1, wish.steps + 1, dtype="float32") / wish.steps
    levels = [time, *(f(time) for f in (model.schedule.alpha, model.schedule.sigma))]
    levels = [tf.convert_to_tensor(level) for level in levels]
    later = np.arange(1, wish.steps)  # all but the first, which gives the greys
    chosen = later
    if draws is not None and draws < len(later):
        chosen = np.random.default_rng(wish.seed).choice(later, draws, replace=False)

    count = len(wish.start)
    wish = padded_wish(wish, count)
    compute = compiled(model, ("bound",), lambda: _bound_of(model))
    parts = compute(
        tf.constant(wish.start),
        levels,
        tf.constant(chosen.astype("int32")),
        _numbers(wish),
    )
    first, sums, last = (part.numpy()[:count].astype("float64") for part in parts)
    nats = first + sums * (len(later) / max(1, len(chosen))) + last
    return nats / (math.log(2) * math.prod(model.image_shape))


def _bound_of(model):
    def compute(images, levels, chosen, numbers):
        clean = model.to_latents(images)
        denoise = denoiser(model, numbers)
        ratio = (levels[1] / levels[2]) ** 2  # signal to noise

        def error(index, at):
            noise = diffusion.normal(tf.shape(clean), numbers["seed"], index)
            seen = denoise(at.alpha * clean + at.sigma * noise, at)
            return seen, ops.sum(ops.square(seen - clean), (1, 2, 3))

        def add(place, total):
            index = chosen[place]
            _, squares = error(index, diffusion.level(levels, index))
            drop = tf.gather(ratio, index - 1) - tf.gather(ratio, index)
            return place + 1, total + 0.5 * drop * squares

        _, sums = tf.while_loop(
            lambda place, _: place < tf.size(chosen),
            add,
            (0, tf.zeros(tf.shape(clean)[0])),
            parallel_iterations=1,
        )
        at = diffusion.level(levels, 0)
        seen, _ = error(0, at)
        first = -grey_log_prob(clean, seen, at.sigma / at.alpha)
        end = Level(*(level[-1] for level in levels))
        last = 0.5 * ops.sum(ops.square(end.alpha * clean / end.sigma), (1, 2, 3))
        return first, sums, last

    return compute


def grey_log_prob(images, mean, deviation):
    """Log probability of pictures of 256 greys under rounded Gaussians.

    Args:
        images: float32 `(B, H, W, C)` in [-1, 1].
        mean: float32 `(B, H, W, C)`.
        deviation: float32 scalar.

    Returns:
        float32 `(B,)`.

    Reference: Ho et al. 2020, eq. 13, https://arxiv.org/abs/2006.11239
    """
    half = 1 / (GREYS - 1)  # half the distance of two greys
    greys = ops.round((images + 1) / (2 * half)) * 2 * half - 1

    def below(x):
        return 0.5 * (1 + ops.erf((x - mean) / (deviation * 2**0.5)))

    above = ops.where(greys > 1 - half, 1.0, below(greys + half))
    under = ops.where(greys < half - 1, 0.0, below(greys - half))
    return ops.sum(ops.log(ops.maximum(above - under, 1e-12)), (1, 2, 3))


def denoiser(model, numbers):
    """The function of pictures and a `Level` that samplers call, guided and clipped.

    Numbers of a level may be scalars, or of shape `(B, 1, 1, 1)`.

    Args:
        model: `Diffusion`.
        numbers: dict of `condition`, a dict of tensors; `guidance`, a tensor or
            `None`; and, if it is not anything that guidance leads away from, `free`, a
            dict as `condition`.
    """
    batch, guidance = numbers["condition"], numbers["guidance"]
    told = model.told(batch)
    if guidance is not None:
        free = numbers.get("free")
        free = model.told(nothing(batch, model.given) if free is None else free)
        told = {key: ops.concatenate([told[key], free[key]]) for key in told}

    def see(noisy, level):
        time = ops.reshape(level.time, (-1,))
        time = ops.ones((ops.shape(noisy)[0],), dtype="float32") * time
        return model.denoise(noisy, time, (level.alpha, level.sigma), told)

    def denoise(noisy, level):
        if guidance is None:
            seen = see(noisy, level)
        else:
            # Mixing what is seen is mixing the noise: both belong to one picture.
            asked, free = ops.split(see(_twice(noisy), Level(*map(_twice, level))), 2)
            seen = free + guidance * (asked - free)
        return ops.clip(seen, -1, 1) if model.codec is None else seen

    return denoise


def _twice(part):
    """A batch behind itself; a scalar as it is."""
    return ops.concatenate([part, part]) if len(part.shape) else part


def padded(levels):
    """Levels at the next power of two, at least 64, so that steps do not retrace."""
    length = max(64, 1 << (len(levels[0]) - 1).bit_length())
    return [
        tf.constant(np.pad(part, (0, length - len(part)), mode="edge"))
        for part in levels
    ]


def _walker(model, wish):
    sampler, resample = wish.sampler, wish.resample

    def build():
        def advance(state, times, begin, end, numbers):
            known, mask = numbers["known"], numbers["mask"]
            return diffusion.sample(
                sampler,
                denoiser(model, numbers),
                Walk(*state),
                times,
                begin,
                end,
                numbers["seed"],
                None if known is None else model.to_latents(known),
                None if mask is None else model.target.to_grid(mask),
                resample,
            )

        return advance

    return compiled(model, ("walk", sampler, resample), build)


def _numbers(wish):
    """What may change from call to call without a new compilation."""
    mask = None if wish.mask is None else (~wish.mask).astype("float32")
    numbers = {
        "condition": wish.condition,
        "free": wish.free,
        "guidance": None if wish.guidance == 1 else np.float32(wish.guidance),
        "known": wish.known,
        "mask": mask,
        "seed": np.int64(wish.seed),
    }
    return tf.nest.map_structure(
        lambda value: None if value is None else tf.constant(value), numbers
    )


def _pieces(wish):
    """Yields begin and end of the pieces of a walk, one unless somebody watches."""
    rounds = wish.steps * wish.resample
    if not is_watched(wish.progress):
        yield 0, rounds
        return
    update = bar(rounds, "step")
    bounds = np.linspace(0, rounds, min(PIECES, rounds) + 1).round().astype(int)
    for begin, end in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        yield begin, end
        update(end)
