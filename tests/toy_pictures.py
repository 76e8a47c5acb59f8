"""Pictures of two pixels from a Gaussian, of which every denoising step is known.

The denoiser is the best one of `N(mean, DEVIATION^2)`, with a mean for each class that
is trained. What is said here in NumPy and float64 is what tasks must find in float32.
"""

import keras
import numpy as np
from keras import ops

from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Label
from keras_genai.networks.denoising import DenoisingNetwork
from keras_genai.registry import register
from keras_genai.schedules import CosineNoise
from keras_genai.tasks.diffusion import Diffusion
from keras_genai.tasks.predictions import Clean

SHAPE, CLASSES = (1, 2, 1), 2
ANY = CLASSES  # the label of any class
DEVIATION, STEPS = 0.2, 5
SCHEDULE = CosineNoise()


@register
class KnownNetwork(DenoisingNetwork):
    """Sees what the best denoiser sees of pictures around a mean."""

    def make(self):
        self.means = self.add_weight(
            (CLASSES + 1, *SHAPE), initializer="zeros", name="means"
        )

    def call(self, noisy, time, condition, training=False):
        alpha, sigma = (
            ops.reshape(part, (-1, 1, 1, 1))
            for part in (SCHEDULE.alpha(time), SCHEDULE.sigma(time))
        )
        gain = alpha * DEVIATION**2 / ((alpha * DEVIATION) ** 2 + sigma**2)
        mean = ops.take(self.means, condition["labels"], axis=0)
        return mean + gain * (noisy - alpha * mean)


def painter(means=None):
    """A policy that paints around means, float `(CLASSES + 1, *SHAPE)`."""
    model = Diffusion(
        KnownNetwork(),
        Image(SHAPE),
        Label(CLASSES),
        schedule=SCHEDULE,
        prediction=Clean(),
    )
    if means is not None:
        model.network.means.assign(means)
    return model


def means_of(model):
    """float64: the means that a policy has learned."""
    return keras.ops.convert_to_numpy(model.network.means).astype("float64")


def brightness(images):
    """A reward: the nearer pixels are to 0.6, the better."""
    return -np.square(images - 0.6).sum(axis=(1, 2, 3))


def levels(steps=STEPS):
    """float64 `(steps,)` alpha and sigma: from noise on, without the picture itself."""
    _, alpha, sigma = (part.astype("float64") for part in SCHEDULE.grid(steps))
    return alpha[:-1], sigma[:-1]


def posterior(noisy, mean, steps=STEPS):
    """What each step but the last one draws from, as Ho et al. have it (eq. 7).

    Args:
        noisy: float `(N, steps - 1, *SHAPE)`, where steps begin.
        mean: float `(N, *SHAPE)`, that of the pictures.

    Returns:
        `(mean, deviation, slope)`: that of each step, `(N, steps - 1, *SHAPE)`, the
        deviation `(steps - 1, 1, 1, 1)`, and how much the former changes with the mean
        of the pictures, likewise.
    """
    alpha, sigma = (part.reshape(-1, 1, 1, 1) for part in levels(steps))
    gain = alpha * DEVIATION**2 / ((alpha * DEVIATION) ** 2 + sigma**2)
    clean = mean[:, None] + gain[:-1] * (noisy - alpha[:-1] * mean[:, None])
    kept = alpha**2  # what Ho et al. call alpha with a bar
    beta = 1 - kept[:-1] / kept[1:]
    of_clean = np.sqrt(kept[1:]) * beta / (1 - kept[:-1])
    of_noisy = np.sqrt(1 - beta) * (1 - kept[1:]) / (1 - kept[:-1])
    variance = (1 - kept[1:]) / (1 - kept[:-1]) * beta
    slope = of_clean * (1 - gain[:-1] * alpha[:-1])
    return of_clean * clean + of_noisy * noisy, np.sqrt(variance), slope
