"""Damages for restoration: small objects, stateless in their seed.

Each is called as `damage(images, seed)` with float32 `(B, H, W, C)` in [0, 1] and
int64 `(2,)`, and returns pictures of the same shape. Values stay in [0, 1] unless the
damage has `bounded = False`. A source takes one as `condition`, and the model learns to
undo it:

    functools.partial(images.photographs, condition=damage.Shrink(4))

Training pictures are damaged anew in every step; held-out ones always the same way.
"""

import dataclasses
import math
import numbers

import tensorflow as tf

from keras_genai.checks import check_flag, check_number, check_size


def bounded(damage):
    """Whether what a damage makes of pictures stays in [0, 1].

    Args:
        damage: function of pictures and a seed.
    """
    return getattr(damage, "bounded", True)


@dataclasses.dataclass(frozen=True)
class Noise:
    """Adds Gaussian noise.

    Args:
        deviation: float, standard deviation of the noise, or a pair of floats
            between which each picture draws its own.
        clip: bool. If `True`, what leaves [0, 1] is clipped, as in a real picture. If
            `False`, the noise is additive, white and Gaussian everywhere, as denoisers
            are compared on: clipped noise has a mean where a picture is black or white,
            which a network learns and a filter does not know.
    """

    deviation: float | tuple = 0.2
    clip: bool = True

    def __post_init__(self):
        _pair(self.deviation)
        check_flag("clip", self.clip)

    @property
    def bounded(self):
        return self.clip

    def __call__(self, images, seed):
        low, high = _pair(self.deviation)
        own = tf.random.split(seed, 2)
        count = tf.shape(images)[0]
        deviation = tf.random.stateless_uniform((count, 1, 1, 1), own[0], low, high)
        noise = tf.random.stateless_normal(tf.shape(images), own[1])
        noisy = images + deviation * noise
        return tf.clip_by_value(noisy, 0.0, 1.0) if self.clip else noisy


@dataclasses.dataclass(frozen=True)
class Blur:
    """Gaussian blur; the border is mirrored.

    Args:
        deviation: float, in pixels.
    """

    deviation: float = 1.5

    def __post_init__(self):
        check_number(
            "deviation", self.deviation, "a number > 0", lambda x: 0 < x < math.inf
        )

    def __call__(self, images, seed=None):
        reach = min(math.ceil(3 * self.deviation), min(images.shape[1:3]) - 1)
        places = tf.range(-reach, reach + 1, dtype="float32")
        weights = tf.exp(-0.5 * tf.square(places / self.deviation))
        weights /= tf.reduce_sum(weights)
        padded = tf.pad(images, [[0, 0], [reach] * 2, [reach] * 2, [0, 0]], "REFLECT")
        # The kernel is a product, so that rows and columns are blurred in turn.
        channels = images.shape[-1]
        column = tf.tile(weights[:, None, None, None], [1, 1, channels, 1])
        row = tf.transpose(column, [1, 0, 2, 3])
        blurred = padded
        for kernel in (column, row):
            blurred = tf.nn.depthwise_conv2d(blurred, kernel, [1] * 4, "VALID")
        return tf.ensure_shape(blurred, images.shape)


@dataclasses.dataclass(frozen=True)
class Shrink:
    """Averages blocks of `factor` x `factor` pixels and shows each as one colour.

    What the model sees has the size of what it shall return: super-resolution.

    Args:
        factor: int. Divides height and width.
    """

    factor: int = 4

    def __post_init__(self):
        check_size("factor", self.factor)

    def __call__(self, images, seed=None):
        height, width = images.shape[1:3]
        if height % self.factor or width % self.factor:
            raise ValueError(
                "`factor` must divide height and width of the pictures. "
                f"Received: factor={self.factor}, {height} x {width}"
            )
        small = tf.nn.avg_pool2d(images, self.factor, self.factor, "VALID")
        return tf.repeat(tf.repeat(small, self.factor, axis=1), self.factor, axis=2)


@dataclasses.dataclass(frozen=True)
class Grey:
    """Takes the colour away: three equal channels, for colourisation."""

    def __call__(self, images, seed=None):
        if images.shape[-1] == 1:
            raise ValueError(
                f"`Grey` must be given colour pictures. Received: shape {images.shape}"
            )
        return tf.image.grayscale_to_rgb(tf.image.rgb_to_grayscale(images))


@dataclasses.dataclass(frozen=True)
class Either:
    """One of several damages, drawn for each picture.

    Args:
        damages: tuple of damages.
    """

    damages: tuple

    def __post_init__(self):
        _check_damages(self.damages)

    @property
    def bounded(self):
        return all(map(bounded, self.damages))

    def __call__(self, images, seed):
        count = tf.shape(images)[0]
        chosen = tf.random.stateless_uniform(
            (count, 1, 1, 1), tf.random.fold_in(seed, 0), 0, len(self.damages), "int32"
        )
        damaged = images
        for index, damage in enumerate(self.damages):
            own = damage(images, tf.random.fold_in(seed, index + 1))
            damaged = tf.where(chosen == index, own, damaged)
        return damaged


@dataclasses.dataclass(frozen=True)
class Each:
    """Several damages, one after the other.

    Args:
        damages: tuple of damages.
    """

    damages: tuple

    def __post_init__(self):
        _check_damages(self.damages)

    @property
    def bounded(self):
        return all(map(bounded, self.damages))

    def __call__(self, images, seed):
        for index, damage in enumerate(self.damages):
            images = damage(images, tf.random.fold_in(seed, index))
        return images


def _pair(deviation):
    pair = deviation if isinstance(deviation, tuple | list) else (deviation,) * 2
    are_numbers = all(
        isinstance(each, numbers.Real) and not isinstance(each, bool) for each in pair
    )
    if not are_numbers or len(pair) != 2 or not 0 <= pair[0] <= pair[1] < math.inf:
        raise ValueError(
            "`deviation` must be a number >= 0, or two, the smaller one first. "
            f"Received: {deviation=}"
        )
    return float(pair[0]), float(pair[1])


def _check_damages(damages):
    if not isinstance(damages, tuple | list) or not damages:
        raise ValueError(f"`damages` must be a tuple of damages. Received: {damages=}")
    for damage in damages:
        if not callable(damage):
            raise ValueError(
                "`damages` must be functions of pictures and a seed. "
                f"Received: {damage!r}"
            )
