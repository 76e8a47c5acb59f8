"""DVAE: a codec whose codes are drawn softly while it learns."""

import dataclasses
import math

import keras
from keras import ops

from keras_genai import replicas
from keras_genai.checks import check_integer, check_number
from keras_genai.declared import Positive
from keras_genai.layers.latent import code_perplexity
from keras_genai.modalities.image import Image
from keras_genai.networks.dvae import DiscreteAutoencoder, likeliest
from keras_genai.registry import register
from keras_genai.tasks.codec import PictureCodec


@register
@dataclasses.dataclass(frozen=True)
class CosineAnnealing:
    """A number that goes from one to another along half a cosine, and then stays.

    Args:
        first: float >= 0. In the beginning.
        last: float >= 0. In the end.
        steps: int >= 1. Optimizer steps from the one to the other.

    Call arguments:
        step: int scalar tensor, finished steps.

    Returns:
        float32 scalar.

    Raises:
        TypeError: if `steps` is not an int.
        ValueError: if an argument is out of its range.

    Reference: Ramesh et al. 2021, appendix A.2, https://arxiv.org/abs/2102.12092
    """

    first: float
    last: float
    steps: int = 1_000

    def __post_init__(self):
        for name in ("first", "last"):
            check_number(
                name, getattr(self, name), "at least 0", lambda x: 0 <= x < math.inf
            )
        check_integer("steps", self.steps, 1)

    def __call__(self, step):
        done = ops.minimum(ops.cast(step, "float32") / self.steps, 1.0)
        left = 0.5 * (1.0 + ops.cos(math.pi * done))
        return self.last + (self.first - self.last) * left

    def get_config(self):
        return dataclasses.asdict(self)


@register
class DVAE(PictureCodec):
    """Trains an autoencoder whose latents are codes, drawn by the Gumbel-softmax trick.

    While it learns, the decoder sees mixtures of codes, which become single ones as the
    temperature falls; outside of training each code is the likeliest. The loss is the
    squared error over the variance of the data, and the weighted divergence of the
    codes' distributions from the uniform one.

    Args:
        network: `DiscreteAutoencoder`.
        target: `Image`.
        temperature: `CosineAnnealing`, of the draws.
        kl_weight: `CosineAnnealing`. Weight of the divergence, nats a code, without
            which few codes are used. Held-out losses have the last one.
        data_variance: float. Variance of all pixels of the data, in [0, 1]: the
            squared error is divided by it, so that 1 is what the mean grey would cost.

    Call arguments:
        inputs: dict of `images`, float `(B, H, W, C)` in [0, 1]. Other keys are
            ignored.
        training: bool. Whether codes are drawn.

    Returns:
        dict, see `DiscreteAutoencoder`.

    Raises:
        ValueError: if a batch is of another shape.

    Reference: Ramesh et al. 2021, section 2.1, https://arxiv.org/abs/2102.12092; Jang
        et al. 2017, https://arxiv.org/abs/1611.01144
    """

    network: DiscreteAutoencoder
    target: Image
    temperature: CosineAnnealing = CosineAnnealing(1.0, 0.0625)
    kl_weight: CosineAnnealing = CosineAnnealing(0.02, 0.02)
    data_variance: Positive = 1.0

    def check(self):
        super().check()
        if not (self.temperature.first and self.temperature.last):
            raise ValueError(
                f"`temperature` must be above 0. Received: {self.temperature}"
            )

    def make(self):
        names = ("reconstruction", "kl", "perplexity")
        self.trackers = [keras.metrics.Mean(name=name) for name in names]

    def call(self, inputs, training=False):
        images = self.read(inputs)["images"]
        temperature = self.temperature(self._steps(training))
        return self.network(images, temperature=temperature, training=training)

    def _steps(self, training):
        """int scalar: steps that were made, as far as annealing is concerned."""
        optimizer = getattr(self, "optimizer", None)
        if not training or optimizer is None:
            return max(self.temperature.steps, self.kl_weight.steps)
        return optimizer.iterations

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        images = self.read(x)["images"]
        squares = ops.square(y_pred["reconstruction"] - images)
        error = replicas.weighted_mean(squares, sample_weight)
        reconstruction = error / self.data_variance
        kl = replicas.weighted_mean(uniform_kl(y_pred["logits"]), sample_weight)
        perplexity = code_perplexity(replicas.gather(y_pred["codes"]), self.num_codes)
        for tracker, value in zip(
            self.trackers, (reconstruction, kl, perplexity), strict=True
        ):
            tracker.update_state(value, sample_weight=ops.shape(images)[0])
        weight = self.kl_weight(self._steps(training))
        return replicas.share(reconstruction + weight * kl)

    def tokens_of(self, images):
        return likeliest(self.network.encode(images))

    def pictures_of(self, codes):
        return ops.clip(self.network.decode_codes(codes), 0.0, 1.0)


def uniform_kl(logits):
    """How far distributions are from the uniform one.

    Args:
        logits: float32 `(..., K)`.

    Returns:
        float32 `(...)`, nats, from 0 to `log(K)`.
    """
    log_shares = ops.log_softmax(logits, axis=-1)
    entropy = -ops.sum(ops.exp(log_shares) * log_shares, axis=-1)
    return math.log(logits.shape[-1]) - entropy
