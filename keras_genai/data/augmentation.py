"""Augmentation of training pictures: small objects, stateless in their seed.

Each is called as `augment(images, seed)` with float32 `(B, H, W, C)` in [0, 1] and
int64 `(2,)`, and returns pictures of the same shape. The loader gives it the seed of
the step, so that a resumed run sees the pictures it would have seen.
"""

import dataclasses
import math

import tensorflow as tf

from keras_genai.checks import check_number, check_size
from keras_genai.data.arguments import check_share


@dataclasses.dataclass(frozen=True)
class Flip:
    """Mirrors a picture left to right, half of the time.

    Args:
        probability: float.
    """

    probability: float = 0.5

    def __post_init__(self):
        check_share("probability", self.probability)

    def __call__(self, images, seed):
        draws = _per_picture(images, seed)
        return tf.where(draws < self.probability, images[:, :, ::-1], images)


@dataclasses.dataclass(frozen=True)
class Rotate90:
    """Turns a picture by none to three quarters, each as likely; it must be square."""

    def __call__(self, images, seed):
        if images.shape[1] != images.shape[2]:
            raise ValueError(
                "`Rotate90` must be given square pictures. "
                f"Received: shape {tuple(images.shape)}"
            )
        quarters = tf.floor(4.0 * _per_picture(images, seed))
        turned = images
        for count in (1, 2, 3):
            turned = tf.where(quarters == count, tf.image.rot90(images, count), turned)
        return turned


@dataclasses.dataclass(frozen=True)
class ChannelShuffle:
    """Puts the channels of a picture in another order: red things become blue."""

    def __call__(self, images, seed):
        shape = tf.shape(images)[0], images.shape[-1]
        order = tf.argsort(tf.random.stateless_uniform(shape, seed))
        return tf.gather(images, order, axis=-1, batch_dims=1)


@dataclasses.dataclass(frozen=True)
class Translate:
    """Moves a picture by up to `pixels` in each direction; the rest is black.

    Args:
        pixels: int.
    """

    pixels: int = 2

    def __post_init__(self):
        check_size("pixels", self.pixels, least=0)

    def __call__(self, images, seed):
        shape = tf.shape(images)
        count, height, width = shape[0], shape[1], shape[2]
        moves = tf.random.stateless_uniform(
            (count, 2), seed, -self.pixels, self.pixels + 1, dtype="int32"
        )
        border = [[0, 0], [self.pixels] * 2, [self.pixels] * 2, [0, 0]]
        padded = tf.pad(images, border)
        rows = tf.range(height) + self.pixels + moves[:, :1]  # (B, H)
        columns = tf.range(width) + self.pixels + moves[:, 1:]  # (B, W)
        moved = tf.gather(padded, rows, axis=1, batch_dims=1)
        moved = tf.gather(moved, columns, axis=2, batch_dims=1)
        return tf.ensure_shape(moved, images.shape)


@dataclasses.dataclass(frozen=True)
class Zoom:
    """Shows a part of a picture at its full size, up to `most` times larger.

    What is seen from near is smooth: of one scene it makes others with less texture.
    Every factor from 1 is as likely as another with the same distance of logarithms.

    Args:
        most: float >= 1.
    """

    most: float = 2.0

    def __post_init__(self):
        check_number("most", self.most, "a number >= 1", lambda x: 1 <= x < math.inf)

    def __call__(self, images, seed):
        count = tf.shape(images)[0]
        draws = tf.random.stateless_uniform((count, 3), seed)
        side = self.most ** -draws[:, :1]  # of the part, as a share
        corner = draws[:, 1:] * (1.0 - side)
        boxes = tf.concat([corner, corner + side], axis=1)
        shown = tf.image.crop_and_resize(
            images, boxes, tf.range(count), images.shape[1:3]
        )
        return tf.ensure_shape(shown, images.shape)


@dataclasses.dataclass(frozen=True)
class Brightness:
    """Adds one number to all pixels of a picture, up to `most` either way.

    Args:
        most: float.
    """

    most: float = 0.1

    def __post_init__(self):
        _check_most(self.most)

    def __call__(self, images, seed):
        added = (2.0 * _per_picture(images, seed) - 1.0) * self.most
        return tf.clip_by_value(images + added, 0.0, 1.0)


@dataclasses.dataclass(frozen=True)
class Contrast:
    """Scales a picture's distance from its mean by up to `1 - most` or `1 + most`.

    Args:
        most: float.
    """

    most: float = 0.2

    def __post_init__(self):
        _check_most(self.most)

    def __call__(self, images, seed):
        scale = 1.0 + (2.0 * _per_picture(images, seed) - 1.0) * self.most
        mean = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
        return tf.clip_by_value(mean + scale * (images - mean), 0.0, 1.0)


def apply(augment, images, seed):
    """Applies one object, or several one after the other, each with its own seed.

    Args:
        augment: `None`, an object of this module, or a list of them.
        images: float32 `(B, H, W, C)` in [0, 1].
        seed: int64 `(2,)`.

    Returns:
        float32, the shape of `images`.
    """
    several = augment if isinstance(augment, list | tuple) else [augment]
    for index, each in enumerate(several):
        if each is not None:
            images = each(images, tf.random.fold_in(seed, index))
    return images


def _check_most(most):
    check_number("most", most, "a number >= 0", lambda x: 0 <= x < math.inf)


def _per_picture(images, seed):
    """One uniform number in [0, 1) for each picture, `(B, 1, 1, 1)`."""
    return tf.random.stateless_uniform((tf.shape(images)[0], 1, 1, 1), seed)
