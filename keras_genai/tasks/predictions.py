"""What a denoising network is asked to say, and what its errors weigh.

With `noisy = alpha * clean + sigma * noise`, a network may predict any mixture of
`clean` and `noise`: the other one follows. In all functions below `alpha` and `sigma`
are float32 and broadcast against the pictures.
"""

import dataclasses

from keras import ops

from keras_genai.registry import register

SMALLEST = 1e-10  # stands for 0 in divisors


class Prediction:
    """What all kinds of output share; a subclass says the three formulas below."""

    def scale(self, alpha, sigma):
        """Factor of `noisy` before the network sees it: 1 / its largest deviation."""
        return 1 / ops.sqrt(alpha**2 + sigma**2)

    def target(self, clean, noise, alpha, sigma):
        """What the network's output should be."""
        raise NotImplementedError

    def clean(self, output, noisy, alpha, sigma):
        """The clean picture, given the network's output."""
        raise NotImplementedError

    def clean_factor(self, alpha, sigma):
        """Squared error of `clean` per squared error of the output."""
        raise NotImplementedError

    def get_config(self):
        return dataclasses.asdict(self)


def noise_of(noisy, clean, alpha, sigma):
    """The noise that makes `noisy` of `clean`."""
    return (noisy - alpha * clean) / ops.maximum(sigma, SMALLEST)


@register
@dataclasses.dataclass(frozen=True)
class Epsilon(Prediction):
    """The noise. Ho et al. 2020, eq. 12, https://arxiv.org/abs/2006.11239."""

    def target(self, clean, noise, alpha, sigma):
        return noise

    def clean(self, output, noisy, alpha, sigma):
        return (noisy - sigma * output) / ops.maximum(alpha, SMALLEST)

    def clean_factor(self, alpha, sigma):
        return (sigma / ops.maximum(alpha, SMALLEST)) ** 2


@register
@dataclasses.dataclass(frozen=True)
class Clean(Prediction):
    """The clean picture, x0."""

    def target(self, clean, noise, alpha, sigma):
        return clean

    def clean(self, output, noisy, alpha, sigma):
        return output

    def clean_factor(self, alpha, sigma):
        return ops.ones_like(alpha)


@register
@dataclasses.dataclass(frozen=True)
class Velocity(Prediction):
    """`alpha * noise - sigma * clean`: useful at little and at much noise alike.

    Reference: Salimans & Ho 2022, section 4, https://arxiv.org/abs/2202.00512
    """

    def target(self, clean, noise, alpha, sigma):
        return alpha * noise - sigma * clean

    def clean(self, output, noisy, alpha, sigma):
        return (alpha * noisy - sigma * output) / (alpha**2 + sigma**2)

    def clean_factor(self, alpha, sigma):
        return (sigma / (alpha**2 + sigma**2)) ** 2


@register
@dataclasses.dataclass(frozen=True)
class Flow(Prediction):
    """`noise - clean`, the speed along a straight path.

    Reference: Lipman et al. 2023, eq. 23, https://arxiv.org/abs/2210.02747
    """

    def scale(self, alpha, sigma):
        return ops.ones_like(alpha)

    def target(self, clean, noise, alpha, sigma):
        return noise - clean

    def clean(self, output, noisy, alpha, sigma):
        return (noisy - sigma * output) / (alpha + sigma)

    def clean_factor(self, alpha, sigma):
        return (sigma / (alpha + sigma)) ** 2


@register
@dataclasses.dataclass(frozen=True)
class Preconditioned(Prediction):
    """EDM's mixture, whose input and target have variance 1 at every level.

    Args:
        deviation: float. Standard deviation of the pictures, sigma_data.

    Reference: Karras et al. 2022, table 1, https://arxiv.org/abs/2206.00364
    """

    deviation: float = 0.5

    def scale(self, alpha, sigma):
        return 1 / ops.sqrt((alpha * self.deviation) ** 2 + sigma**2)

    def target(self, clean, noise, alpha, sigma):
        skip, out = self._factors(alpha, sigma)
        return (clean - skip * (clean + sigma / alpha * noise)) / out

    def clean(self, output, noisy, alpha, sigma):
        skip, out = self._factors(alpha, sigma)
        return skip * noisy / alpha + out * output

    def clean_factor(self, alpha, sigma):
        return self._factors(alpha, sigma)[1] ** 2

    def _factors(self, alpha, sigma):
        """c_skip and c_out of a picture whose own factor is 1."""
        ratio, deviation = sigma / alpha, self.deviation
        total = ratio**2 + deviation**2
        return deviation**2 / total, ratio * deviation / ops.sqrt(total)


@register
@dataclasses.dataclass(frozen=True)
class Uniform:
    """Every squared error of the network's output weighs the same.

    With `Preconditioned` this is EDM's weighting, Karras et al. 2022, section 5.

    Call arguments:
        alpha, sigma: float `(B,)`, the levels.
        clean_factor: float `(B,)`, of the prediction.

    Returns:
        float32 `(B,)`, factors of the squared error of the network's output.
    """

    def __call__(self, alpha, sigma, clean_factor):
        return ops.ones_like(alpha)

    def get_config(self):
        return {}


@register
@dataclasses.dataclass(frozen=True)
class MinSNR:
    """Squared errors of the clean picture times `min(signal-to-noise ratio, gamma)`.

    Call arguments and returns: see `Uniform`.

    Args:
        gamma: float.

    Reference: Hang et al. 2023, eq. 9, https://arxiv.org/abs/2303.09556
    """

    gamma: float = 5.0

    def __call__(self, alpha, sigma, clean_factor):
        ratio = (alpha / ops.maximum(sigma, SMALLEST)) ** 2
        return ops.minimum(ratio, self.gamma) * clean_factor

    def get_config(self):
        return dataclasses.asdict(self)


@register
@dataclasses.dataclass(frozen=True)
class EDMWeight:
    """EDM's weight of the clean picture's error, whatever the network predicts.

    Call arguments and returns: see `Uniform`.

    Args:
        deviation: float. Standard deviation of the pictures, sigma_data.

    Reference: Karras et al. 2022, table 1, https://arxiv.org/abs/2206.00364
    """

    deviation: float = 0.5

    def __call__(self, alpha, sigma, clean_factor):
        ratio = ops.maximum(sigma / ops.maximum(alpha, SMALLEST), SMALLEST)
        total = ratio**2 + self.deviation**2
        return total / (ratio * self.deviation) ** 2 * clean_factor

    def get_config(self):
        return dataclasses.asdict(self)
