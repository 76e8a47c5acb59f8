"""Trajectories: pictures with the way that each came, and how probable its steps were.

A diffusion model that draws its steps is a policy: what is noisy is where it is, and
what a step draws is what it does. A step is to a picture what a token is to a text.
"""

import dataclasses

import numpy as np
from keras import ops

from keras_genai import compat
from keras_genai.samplers.diffusion import Ancestral, Level, log_probability
from keras_genai.tasks.denoising import denoiser

__all__ = ["Trajectories", "step_log_probabilities"]


@dataclasses.dataclass(frozen=True, eq=False)
class Trajectories:
    """Pictures, those of one prompt next to each other, and how each was denoised.

    Attributes:
        images: float32 `(N, H, W, C)` in [0, 1].
        noisy: float32 `(N, T + 1, *sample_shape)`, from noise to the picture, or to a
            codec's latents of it.
        condition: dict of arrays with a row a picture: what it was made from, as a
            batch has it.
    """

    images: np.ndarray
    noisy: np.ndarray
    condition: dict

    def __len__(self):
        return len(self.images)


def step_log_probabilities(model, noisy, levels, condition, sampler=None, guidance=1.0):
    """The log-probability of every step of trajectories.

    Dropout is off, also in training: a policy is compared with what it was, or with
    another, and chance would be a difference. A batch is denoised B * L times at once.

    Args:
        model: `Diffusion`.
        noisy: float32 `(B, L + 1, *sample_shape)`, from the noisiest on.
        levels: `(time, alpha, sigma)`, float32 arrays `(L + 1,)`, of those; none is of
            the picture itself, to which no step draws.
        condition: dict of tensors `(B, ...)`, as a batch of the model has them.
        sampler: `Sampler` that draws, or `None` (`Ancestral()`).
        guidance: float, as where they were drawn.

    Returns:
        float32 `(B, L)`, in nats: sums over all numbers of what is noisy.

    Raises:
        ValueError: if the sampler does not draw.

    Reference: Black et al. 2023, section 4.3, https://arxiv.org/abs/2305.13301
    """
    steps, count = noisy.shape[1] - 1, ops.shape(noisy)[0]
    shape = (-1, *noisy.shape[2:])
    before, drawn = (ops.reshape(x, shape) for x in (noisy[:, :-1], noisy[:, 1:]))
    now, after = (_rows(levels, each, count) for each in (slice(-1), slice(1, None)))
    numbers = {
        "condition": {
            key: ops.repeat(part, steps, axis=0) for key, part in condition.items()
        },
        "guidance": None if guidance == 1 else guidance,
    }
    with compat.not_training():
        clean = denoiser(model, numbers)(before, now)
    sampler = Ancestral() if sampler is None else sampler
    nats = log_probability(sampler, before, clean, drawn, now, after)
    return ops.reshape(nats, (-1, steps))


def _rows(levels, some, count):
    """`Level` of float32 `(B * L, 1, 1, 1)`: some of the levels, for every picture."""
    parts = [ops.convert_to_tensor(part[some], "float32") for part in levels]
    return Level(*(ops.reshape(ops.tile(x, [count]), (-1, 1, 1, 1)) for x in parts))
