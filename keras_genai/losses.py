"""Losses of text; adversarial losses, and penalties on gradients of their networks.

The adversarial ones are small frozen objects of numbers, and pure functions.
Scores are float32, of any shape with the batch first; losses are float32 scalars.
"""

import dataclasses
import math

import keras
import tensorflow as tf
from keras import ops, random

from keras_genai.checks import check_number, check_size
from keras_genai.registry import register
from keras_genai.xla import in_xla

__all__ = [
    "R1",
    "GradientPenalty",
    "Hinge",
    "LeastSquares",
    "NonSaturating",
    "PathLength",
    "SparseSmoothedCrossentropy",
    "Wasserstein",
]

EPSILON = 1e-12  # under a square root, whose derivative at 0 is infinite
ZEROS = tf.UnconnectedGradients.ZERO


@register
class SparseSmoothedCrossentropy(keras.losses.Loss):
    """Cross-entropy with labels that leave a little for every other token.

    The target is `1 - smoothing` at the label and `smoothing` spread evenly over the
    whole vocabulary, the label included.

    Args:
        smoothing: float in [0, 1).
        reduction: str. The default is the mean over the tokens that have weight.

    Call arguments:
        y_true: int `(B, T)`.
        y_pred: float `(B, T, V)`, logits.

    Returns:
        float32 scalar, in nats; its least value is the entropy of the target.

    Raises:
        ValueError: if `smoothing` is out of range.

    Reference: Szegedy et al. 2016, section 7, https://arxiv.org/abs/1512.00567
    """

    def __init__(
        self,
        smoothing=0.1,
        reduction="mean_with_sample_weight",
        name="smoothed_crossentropy",
        **kwargs,
    ):
        super().__init__(name=name, reduction=reduction, **kwargs)
        if not 0 <= smoothing < 1:
            raise ValueError(
                f"`smoothing` must be a float in [0, 1). Received: {smoothing=}"
            )
        self.smoothing = smoothing

    def call(self, y_true, y_pred):
        logits = ops.cast(y_pred, "float32")
        hard = ops.sparse_categorical_crossentropy(y_true, logits, from_logits=True)
        # The cross-entropy with the uniform distribution.
        even = ops.logsumexp(logits, axis=-1) - ops.mean(logits, axis=-1)
        return (1 - self.smoothing) * hard + self.smoothing * even

    def get_config(self):
        return {**super().get_config(), "smoothing": self.smoothing}


class _Plain:
    """A dataclass of numbers that is its own config."""

    def get_config(self):
        return dataclasses.asdict(self)


@register
@dataclasses.dataclass(frozen=True)
class NonSaturating(_Plain):
    """The original game with the generator's non-saturating loss.

    A score is a logit of "real". Where nothing can be told apart, the discriminator's
    loss is 2 ln 2 and the generator's ln 2.

    Args:
        label_smoothing: float in [0, 0.5). Real pictures count as real by
            `1 - label_smoothing` only.

    Reference: Goodfellow et al. 2014, section 3, https://arxiv.org/abs/1406.2661;
        one-sided smoothing: Salimans et al. 2016, section 3.4.
    """

    label_smoothing: float = 0.0

    def __post_init__(self):
        if not 0 <= self.label_smoothing < 0.5:
            raise ValueError(
                "`label_smoothing` must be a float in [0, 0.5). "
                f"Received: label_smoothing={self.label_smoothing}"
            )

    def discriminator(self, real, fake):
        real_loss = (1 - self.label_smoothing) * ops.softplus(-real)
        real_loss += self.label_smoothing * ops.softplus(real)
        return ops.mean(real_loss) + ops.mean(ops.softplus(fake))

    def generator(self, fake):
        return ops.mean(ops.softplus(-fake))

    def probability(self, score):
        return ops.sigmoid(score)


@register
@dataclasses.dataclass(frozen=True)
class Wasserstein(_Plain):
    """The critic's estimate of the distance between the two distributions, negated.

    It means something only for a critic whose slope is bounded: use a penalty or
    spectral normalisation. `probability` is a sigmoid of the score: it keeps the order
    of pictures but is not calibrated, because a critic's zero is arbitrary.

    Reference: Arjovsky et al. 2017, algorithm 1, https://arxiv.org/abs/1701.07875
    """

    def discriminator(self, real, fake):
        return ops.mean(fake) - ops.mean(real)

    def generator(self, fake):
        return -ops.mean(fake)

    def probability(self, score):
        return ops.sigmoid(score)


@register
@dataclasses.dataclass(frozen=True)
class Hinge(_Plain):
    """Scores beyond the margin of 1 count no more. `probability`: as `Wasserstein`.

    Reference: Miyato et al. 2018, eq. 16 and 17, https://arxiv.org/abs/1802.05957
    """

    def discriminator(self, real, fake):
        return ops.mean(ops.relu(1.0 - real)) + ops.mean(ops.relu(1.0 + fake))

    def generator(self, fake):
        return -ops.mean(fake)

    def probability(self, score):
        return ops.sigmoid(score)


@register
@dataclasses.dataclass(frozen=True)
class LeastSquares(_Plain):
    """Squared distance of scores to 1 for real and 0 for fake.

    The best score is the probability of "real", so that it is one after clipping.

    Reference: Mao et al. 2017, eq. 9, https://arxiv.org/abs/1611.04076
    """

    def discriminator(self, real, fake):
        return 0.5 * (ops.mean(ops.square(real - 1.0)) + ops.mean(ops.square(fake)))

    def generator(self, fake):
        return 0.5 * ops.mean(ops.square(fake - 1.0))

    def probability(self, score):
        return ops.clip(score, 0.0, 1.0)


@register
@dataclasses.dataclass(frozen=True)
class GradientPenalty(_Plain):
    """Pulls the slope of a critic to 1 between real and fake pictures.

    Args:
        weight: float.
        one_sided: bool. If `True`, slopes below 1 are left alone.
        every: int >= 1. The penalty is taken on one step of so many, `every` times.

    Call arguments:
        critic: function from pictures to scores.
        real, fake: float32 `(B, ...)` pictures.
        seed: int or `keras.random.SeedGenerator`, for the places between them.

    Returns:
        float32 scalar.

    Reference: Gulrajani et al. 2017, algorithm 1, https://arxiv.org/abs/1704.00028
    """

    weight: float = 10.0
    one_sided: bool = False
    every: int = 1

    def __post_init__(self):
        _check_penalty(self)

    def __call__(self, critic, real, fake, seed):
        place = random.uniform(_per_row(real), dtype="float32", seed=seed)
        slopes = slope(critic, real + place * (fake - real))
        excess = slopes - 1.0
        if self.one_sided:
            excess = ops.relu(excess)
        return self.weight * ops.mean(ops.square(excess))


@register
@dataclasses.dataclass(frozen=True)
class R1(_Plain):
    """Half the squared slope of a discriminator at real pictures.

    Args:
        weight: float, gamma.
        every: int >= 1. The penalty is taken on one step of so many, `every` times.

    Call arguments:
        critic: function from pictures to scores.
        real: float32 `(B, ...)` pictures.
        fake, seed: not used; all penalties are called alike.

    Returns:
        float32 scalar.

    Reference: Mescheder et al. 2018, eq. 9, https://arxiv.org/abs/1801.04406;
        lazily: Karras et al. 2020, appendix B, https://arxiv.org/abs/1912.04958
    """

    weight: float = 10.0
    every: int = 1

    def __post_init__(self):
        _check_penalty(self)

    def __call__(self, critic, real, fake=None, seed=None):
        return 0.5 * self.weight * ops.mean(squared_slope(critic, real))


@register
@dataclasses.dataclass(frozen=True)
class PathLength(_Plain):
    """Keeps a step in style space the same length in picture space everywhere.

    Args:
        weight: float.
        every: int >= 1. The penalty is taken on one step of so many, `every` times.
        decay: float. How fast the mean length follows.

    Call arguments:
        synthesize: function from styles to pictures `(B, H, W, C)`.
        styles: float32 `(B, L, D)`, one vector for each of L layers.
        noise: float32, standard normal, of the shape of the pictures.
        mean: float32 scalar, the running mean of lengths.

    Returns:
        `(penalty, mean)`: float32 scalars, the second one the new running mean.

    Reference: Karras et al. 2020, section 3.2, https://arxiv.org/abs/1912.04958
    """

    weight: float = 2.0
    every: int = 4
    decay: float = 0.01

    def __post_init__(self):
        _check_penalty(self)
        check_number("decay", self.decay, "a number in [0, 1]", lambda x: 0 <= x <= 1)

    def __call__(self, synthesize, styles, noise, mean):
        height, width = noise.shape[1:3]
        noise = noise / (height * width) ** 0.5
        gradient = _gradient(lambda styles: synthesize(styles) * noise, styles)
        squared = ops.sum(ops.square(gradient), axis=-1)  # (B, L)
        lengths = ops.sqrt(ops.mean(squared, axis=-1) + EPSILON)
        mean = mean + self.decay * (ops.mean(lengths) - mean)
        mean = ops.stop_gradient(mean)
        return self.weight * ops.mean(ops.square(lengths - mean)), mean


def _check_penalty(penalty):
    check_number(
        "weight", penalty.weight, "a number >= 0", lambda value: 0 <= value < math.inf
    )
    check_size("every", penalty.every)


def squared_slope(critic, images):
    """Squared length of a critic's gradient at each picture.

    Args:
        critic: function from pictures to scores, whose rows do not mix.
        images: float32 `(B, ...)`.

    Returns:
        float32 `(B,)`.
    """
    gradient = _gradient(critic, images)
    return ops.sum(ops.square(gradient), axis=tuple(range(1, len(images.shape))))


def slope(critic, images):
    """Length of a critic's gradient at each picture, differentiable at 0, too.

    Args and returns as `squared_slope`.
    """
    return ops.sqrt(squared_slope(critic, images) + EPSILON)


def lazily(step, every, penalty, *states, scale=1.0):
    """`penalty()` on one step of `every`, so many times as large; 0 otherwise.

    Args:
        step: int scalar tensor or variable.
        every: int >= 1.
        penalty: function without arguments that returns a float32 scalar; with states,
            a tuple of that and of the next states.
        states: tensors that stay as they are on the other steps.
        scale: float scalar. What the loss will be multiplied by before gradients are
            taken, to keep them within the range of float16.

    Returns:
        float32 scalar; with states, a tuple of it and of the next states. To assign
        these is left to the caller: replicas cannot meet inside of a condition. In XLA
        it has gradients by trainable variables only.
    """
    if every == 1:
        return penalty()

    def large():
        value, *after = penalty() if states else (penalty(),)
        return every * value, after

    def none():
        return tf.constant(0.0, "float32"), [*states]

    is_due = tf.equal(tf.cast(step, "int32") % every, 0)
    if in_xla():
        value, after = _condition_in_xla(is_due, large, none, scale)
    else:
        value, after = tf.cond(is_due, large, none)
    return (value, *after) if states else value


def _condition_in_xla(is_due, large, none, scale):
    """As `tf.cond(is_due, large, none)`, but gradients are taken inside of it.

    XLA does not compile the gradient of a condition with shapes that are unknown when
    it is traced, such as those of a batch.
    """
    weights = []  # that `large` reads, known when it has been traced

    def with_gradients():
        with tf.GradientTape() as tape:
            value, after = large()
        weights[:] = tape.watched_variables()
        gradients = tape.gradient(value, weights, scale, ZEROS)
        return value, after, [tf.convert_to_tensor(each) for each in gradients]

    def without():
        zeros = [tf.zeros(weight.shape, weight.dtype) for weight in weights]
        return *none(), zeros

    value, after, gradients = tf.cond(is_due, with_gradients, without)
    return _with_gradients(value, gradients, weights, scale), after


def _with_gradients(value, gradients, weights, scale):
    """`value` again, with gradients by `weights` that were taken of `scale * value`."""

    @tf.custom_gradient
    def known(value, gradients, weights):
        def backward(upstream):
            share = upstream / scale
            found = [tf.cast(share, each.dtype) * each for each in gradients]
            return [None] * (1 + len(gradients)) + found

        return tf.identity(value), backward

    return known(value, gradients, [tf.convert_to_tensor(each) for each in weights])


def _gradient(function, inputs):
    """Gradient of the sum of `function(inputs)`; zeros if it does not depend on them.

    An outer tape may differentiate it again.
    """
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        total = tf.reduce_sum(function(inputs))
    return tape.gradient(total, inputs, unconnected_gradients=ZEROS)


def _per_row(images):
    """Shape of one number a picture, that broadcasts against pictures."""
    return (ops.shape(images)[0], *(1 for _ in images.shape[1:]))
