"""Likelihoods: how probable a picture or a sound is under what a network says of it."""

import dataclasses
import math

from keras import ops

from keras_genai import draws
from keras_genai.checks import check_size
from keras_genai.registry import register

__all__ = [
    "Bernoulli",
    "DiscretizedLogistic",
    "Gaussian",
    "MixtureOfLogistics",
    "MuLaw",
    "gaussian_kl",
    "gaussian_log_prob",
    "log_weights",
]

SMALLEST_LOG_SCALE = -5.0  # exp(-5) is 1.7 grey levels of 256
_NARROW = 1e-5  # an interval, in scales, within which a density is the same everywhere


@register
@dataclasses.dataclass(frozen=True)
class Bernoulli:
    """Every channel of a pixel is a coin; the decoder gives the logits.

    Of grey targets in [0, 1] it is the cross-entropy, which is no likelihood: its
    best value is the targets' own entropy, not zero.
    """

    def channels(self, image_channels):
        """int: how many numbers the decoder gives for a pixel of so many channels."""
        return image_channels

    def log_prob(self, parameters, images):
        """Log-likelihood of whole pictures.

        Args:
            parameters: float `(..., H, W, channels(C))`, the decoder's output.
            images: float `(..., H, W, C)` in [0, 1]; the axes in front broadcast.

        Returns:
            float32 `(...)`, in nats.
        """
        logits = ops.cast(parameters, "float32")
        images = ops.cast(images, "float32")
        return _per_picture(images * logits - ops.softplus(logits))

    def mean(self, parameters):
        """float32 `(..., H, W, C)` in [0, 1]: the expected picture."""
        return ops.sigmoid(ops.cast(parameters, "float32"))

    def sample(self, parameters, uniform):
        """A picture drawn by inverting the distribution function.

        Args:
            parameters: as in `log_prob`.
            uniform: float32 `(..., H, W, C)`, independent and uniform in (0, 1).

        Returns:
            float32 `(..., H, W, C)` in [0, 1].
        """
        return ops.cast(uniform < self.mean(parameters), "float32")

    def get_config(self):
        return {}


@register
@dataclasses.dataclass(frozen=True)
class Gaussian:
    """Every channel of a pixel is normal; methods as those of `Bernoulli`.

    Args:
        scale: float or `None`. Standard deviation, in units of the whole range of
            grey; `None` lets the decoder say it for every pixel, which doubles the
            channels.

    Raises:
        ValueError: if `scale` is not positive.
    """

    scale: float | None = None

    def __post_init__(self):
        if self.scale is not None and not self.scale > 0:
            raise ValueError(
                f"`scale` must be `None` or above 0. Received: scale={self.scale!r}"
            )

    def channels(self, image_channels):
        """int: see `Bernoulli`."""
        return image_channels if self.scale is not None else 2 * image_channels

    def log_prob(self, parameters, images):
        """float32 `(...)`: log-density of whole pictures. See `Bernoulli`."""
        mean, log_scale = self._split(parameters)
        distance = (ops.cast(images, "float32") - mean) * ops.exp(-log_scale)
        return _per_picture(
            -0.5 * ops.square(distance) - log_scale - 0.5 * math.log(2 * math.pi)
        )

    def mean(self, parameters):
        """float32 `(..., H, W, C)` in [0, 1]. See `Bernoulli`."""
        return ops.clip(self._split(parameters)[0], 0.0, 1.0)

    def sample(self, parameters, uniform):
        """float32 `(..., H, W, C)` in [0, 1]. See `Bernoulli`."""
        mean, log_scale = self._split(parameters)
        normal = math.sqrt(2.0) * ops.erfinv(2.0 * uniform - 1.0)
        return ops.clip(mean + ops.exp(log_scale) * normal, 0.0, 1.0)

    def _split(self, parameters):
        parameters = ops.cast(parameters, "float32")
        if self.scale is not None:
            return parameters, ops.full((), math.log(self.scale))
        return _mean_and_log_scale(parameters)

    def get_config(self):
        return dataclasses.asdict(self)


@register
@dataclasses.dataclass(frozen=True)
class DiscretizedLogistic:
    """A logistic density, integrated over each of the grey levels that exist.

    It is a true likelihood of stored pictures, in bits comparable with lossless
    compression. Methods as those of `Bernoulli`.

    Args:
        levels: int >= 2. Grey levels, evenly spaced from 0 to 1; 256 for 8 bits.

    Raises:
        ValueError: if `levels` is below 2.

    Reference: Kingma et al. 2016, section 6.2, https://arxiv.org/abs/1606.04934
    """

    levels: int = 256

    def __post_init__(self):
        if self.levels < 2:
            raise ValueError(
                f"`levels` must be an int >= 2. Received: levels={self.levels!r}"
            )

    def channels(self, image_channels):
        """int: see `Bernoulli`."""
        return 2 * image_channels

    def log_prob(self, parameters, images):
        """float32 `(...)`: log-likelihood of whole pictures. See `Bernoulli`."""
        mean, log_scale = _mean_and_log_scale(ops.cast(parameters, "float32"))
        most = self.levels - 1
        level = ops.round(ops.cast(images, "float32") * most)
        ends = level == 0, level == most
        return _per_picture(
            _logistic_log_mass(level / most - mean, log_scale, 1 / most, *ends)
        )

    def mean(self, parameters):
        """float32 `(..., H, W, C)` in [0, 1]: the middle. See `Bernoulli`."""
        mean, _ = _mean_and_log_scale(ops.cast(parameters, "float32"))
        return ops.clip(mean, 0.0, 1.0)

    def sample(self, parameters, uniform):
        """float32 `(..., H, W, C)` in [0, 1], on the levels. See `Bernoulli`."""
        mean, log_scale = _mean_and_log_scale(ops.cast(parameters, "float32"))
        logistic = ops.log(uniform) - ops.log1p(-uniform)
        drawn = ops.clip(mean + ops.exp(log_scale) * logistic, 0.0, 1.0)
        return ops.round(drawn * (self.levels - 1)) / (self.levels - 1)

    def get_config(self):
        return dataclasses.asdict(self)


@register
@dataclasses.dataclass(frozen=True)
class MuLaw:
    """Each sample of a wave is one of several loudnesses, finer the softer they are.

    A network gives a logit for each. What is said of it is a likelihood of codes, not
    of the samples that they came from.

    Args:
        levels: int >= 2, even. How many loudnesses; 256 for 8 bits.

    Attributes:
        has_logits: bool. Whether what a network says is one logit a code.

    Raises:
        ValueError: if `levels` is odd or below 2.

    Reference: ITU-T G.711; van den Oord et al. 2016, section 2.2,
    https://arxiv.org/abs/1609.03499
    """

    levels: int = 256

    has_logits = True

    def __post_init__(self):
        if self.levels < 2 or self.levels % 2:
            raise ValueError(
                f"`levels` must be an even int >= 2. Received: levels={self.levels!r}"
            )

    @property
    def silence(self):
        """int: the code of 0."""
        return self.levels // 2

    def codes(self, waves):
        """int32 `(...)` from 0 to `levels - 1`, of float `(...)` in [-1, 1]."""
        most = self.levels - 1
        waves = ops.clip(ops.cast(waves, "float32"), -1.0, 1.0)
        loudness = ops.log1p(most * ops.abs(waves)) / math.log(self.levels)
        place = (ops.sign(waves) * loudness + 1) / 2 * most
        return ops.cast(ops.floor(place + 0.5), "int32")

    def waves(self, codes):
        """float32 `(...)` in [-1, 1], of codes; those between two are taken, too."""
        most = self.levels - 1
        place = 2 * ops.cast(codes, "float32") / most - 1
        loudness = ops.expm1(ops.abs(place) * math.log(self.levels)) / most
        return ops.sign(place) * loudness

    @property
    def network_sizes(self):
        """dict of what fields of a network must be that reads and says such codes."""
        return {"num_codes": self.levels}

    def inputs(self, codes):
        """What a network reads of int codes: themselves."""
        return codes

    def log_prob(self, parameters, codes):
        """Logarithms of the probabilities of codes.

        Args:
            parameters: float `(..., levels)`, logits.
            codes: int `(...)`.

        Returns:
            float32 `(...)`, in nats.
        """
        logits = ops.cast(parameters, "float32")
        return -ops.sparse_categorical_crossentropy(codes, logits, from_logits=True)

    def sample(self, parameters, uniform, temperature=1.0):
        """Codes drawn by inverting their distribution function.

        Args:
            parameters: float32 `(B, levels)`, see `log_prob`.
            uniform: float32 `(B,)`, independent and uniform in [0, 1).
            temperature: float > 0. Below 1, likelier codes are drawn more often.

        Returns:
            int32 `(B,)`.
        """
        return draws.categorical(parameters / temperature, uniform)

    def get_config(self):
        return dataclasses.asdict(self)


@register
@dataclasses.dataclass(frozen=True)
class MixtureOfLogistics:
    """Each sample of a wave is one of many evenly spaced numbers, by several logistics.

    It is for as many bits as sounds are stored with, of which a network could not give
    a logit each: it gives the logit, the middle and the scale of every component. Their
    densities are integrated over the interval of each number; what lies beyond the ends
    belongs to the first and the last. Methods as those of `MuLaw`, but networks read
    the samples themselves.

    Args:
        components: int >= 1.
        levels: even int from 2 to 65,536, how many numbers; 65,536 for 16 bits.

    Raises:
        TypeError: if one is not an int.
        ValueError: if one is out of range.

    Reference: Salimans et al. 2017, section 2.1, https://arxiv.org/abs/1701.05517; van
    den Oord et al. 2017, section 2.1, https://arxiv.org/abs/1711.10433
    """

    components: int = 10
    levels: int = 65_536

    has_logits = False

    def __post_init__(self):
        check_size("components", self.components)
        check_size("levels", self.levels, least=2, most=65_536)
        if self.levels % 2:
            raise ValueError(f"`levels` must be even. Received: levels={self.levels}")

    @property
    def silence(self):
        """int: the code of 0."""
        return self.levels // 2

    @property
    def network_sizes(self):
        """dict: see `MuLaw`."""
        return {"num_codes": None, "num_outputs": 3 * self.components}

    def codes(self, waves):
        """int32 `(...)` from 0 to `levels - 1`, of float `(...)` in [-1, 1]."""
        place = ops.round(ops.cast(waves, "float32") * self.silence) + self.silence
        return ops.cast(ops.clip(place, 0, self.levels - 1), "int32")

    def waves(self, codes):
        """float32 `(...)` in [-1, 1), of codes; those between two are taken, too."""
        return ops.cast(codes, "float32") / self.silence - 1

    def inputs(self, codes):
        """What a network reads of int codes: float32, see `waves`."""
        return self.waves(codes)

    def log_prob(self, parameters, codes):
        """float32 `(...)`, in nats, of float `(..., 3 * components)`. See `MuLaw`."""
        log_weights, middles, log_scales = self._components(parameters)
        distance = self.waves(codes)[..., None] - middles
        ends = (codes[..., None] == end for end in (0, self.levels - 1))
        mass = _logistic_log_mass(distance, log_scales, 1 / self.silence, *ends)
        return ops.logsumexp(log_weights + mass, axis=-1)

    def sample(self, parameters, uniform, temperature=1.0):
        """int32 `(...)`, of uniform numbers `(...)`. See `MuLaw`.

        The temperature divides logits and multiplies scales.
        """
        log_weights, middles, log_scales = self._components(parameters, temperature)
        weights, precisions = ops.exp(log_weights), ops.exp(-log_scales)

        def up_to(codes):
            """float32 `(...)`: how probable a code is that is no higher."""
            upper = self.waves(ops.cast(codes, "float32") + 0.5)[..., None] - middles
            return ops.sum(weights * ops.sigmoid(upper * precisions), axis=-1)

        low = ops.zeros_like(uniform, dtype="int32")
        high = low + self.levels - 1
        for _ in range((self.levels - 1).bit_length()):
            middle = (low + high) // 2
            enough = up_to(middle) > uniform
            low, high = (
                ops.where(enough, low, ops.minimum(middle + 1, high)),
                ops.where(enough, middle, high),
            )
        return high

    def _components(self, parameters, temperature=1.0):
        """Three of float32 `(..., components)`: logarithms of weights; middles; scales.

        A scale is softly kept from a twentieth of an interval, where all is in one.
        """
        logits, middles, raw = ops.split(ops.cast(parameters, "float32"), 3, axis=-1)
        least = math.log(1 / self.silence) - 3.0
        log_scales = least + ops.softplus(raw - least) + ops.log(temperature)
        return ops.log_softmax(logits / temperature), middles, log_scales

    def get_config(self):
        return dataclasses.asdict(self)


def gaussian_kl(mean, log_variance):
    """Divergence of a diagonal Gaussian from the standard normal, by dimension.

    Args:
        mean: float `(..., D)`.
        log_variance: float `(..., D)`.

    Returns:
        float32 `(..., D)`, in nats.

    Reference: Kingma & Welling 2014, appendix B, https://arxiv.org/abs/1312.6114
    """
    mean, log_variance = ops.cast(mean, "float32"), ops.cast(log_variance, "float32")
    return 0.5 * (ops.exp(log_variance) + ops.square(mean) - 1.0 - log_variance)


def gaussian_log_prob(x, mean, log_variance):
    """Log-density of a diagonal Gaussian.

    Args:
        x: float `(..., D)`.
        mean: float, broadcasts to `x`.
        log_variance: float, broadcasts to `x`.

    Returns:
        float32 `(...)`, in nats.
    """
    distance = ops.square(x - mean) * ops.exp(-log_variance)
    return -0.5 * ops.sum(distance + log_variance + math.log(2 * math.pi), axis=-1)


def log_weights(log_likelihood, mean, log_variance, latents):
    """Logarithms of p(image, latent) / q(latent).

    Args:
        log_likelihood: float32 `(B, K)`.
        mean: float32 `(B, D)`.
        log_variance: float32 `(B, D)`.
        latents: float32 `(B, K, D)`.

    Returns:
        float32 `(B, K)`.
    """
    prior = gaussian_log_prob(latents, 0.0, ops.zeros_like(latents))
    posterior = gaussian_log_prob(latents, mean[:, None], log_variance[:, None])
    return log_likelihood + prior - posterior


def _mean_and_log_scale(parameters):
    """Halves of the channels; the scale is softly kept from vanishing."""
    mean, raw = ops.split(parameters, 2, axis=-1)
    return mean, SMALLEST_LOG_SCALE + ops.softplus(raw - SMALLEST_LOG_SCALE)


def _logistic_log_mass(distance, log_scale, width, is_first, is_last):
    """Logarithm of what a logistic density has within an interval.

    Args:
        distance: float32, of the interval's middle from the density's.
        log_scale: float32.
        width: float, of the interval.
        is_first, is_last: bool. Whether all that lies below, or above, belongs to it.

    Returns:
        float32, finite everywhere, as its gradients are.
    """
    precision = ops.exp(-log_scale)
    upper = (distance + 0.5 * width) * precision
    lower = (distance - 0.5 * width) * precision
    below, above = -ops.softplus(-upper), -ops.softplus(lower)
    # sigmoid(u) - sigmoid(l) = sigmoid(u) sigmoid(-l) (1 - exp(l - u)): no difference
    # of two numbers that round to one.
    span = width * precision
    share = ops.where(
        span > _NARROW,
        ops.log(-ops.expm1(-ops.maximum(span, _NARROW))),
        math.log(width) - log_scale,
    )
    return ops.where(is_first, below, ops.where(is_last, above, below + above + share))


def _per_picture(values):
    return ops.sum(values, axis=(-3, -2, -1))
