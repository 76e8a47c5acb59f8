"""PatchGAN: a score for every patch of a picture, instead of one for the picture."""

import functools

import keras
from keras import ops

from keras_genai.declared import LATER, ImageShape, Size
from keras_genai.networks.base import Network
from keras_genai.registry import register

KERNEL = 4
SLOPE = 0.2

normal = functools.partial(keras.initializers.RandomNormal, stddev=0.02)


@register
class PatchDiscriminator(Network):
    """Strided convolutions, then a map of scores, one for each overlapping patch.

    A patch is 70 x 70 for pictures with sides from 64 on, 34 x 34 from 24 on, and
    16 x 16 below.

    Args:
        image_shape: `(H, W, C)`.
        condition_shape: `(H, W, C')`, or `None`. With it, pictures are judged beside
            what they were made from.
        width: int. Channels after the first convolution; they double with every
            halving.

    Call arguments:
        images: float `(B, *image_shape)` in [-1, 1].
        condition: dict of `condition`, float `(B, *condition_shape)` in [-1, 1]; `None`
            without.
        training: bool.

    Returns:
        float32 `(B, h, w, 1)`, higher for real.

    Raises:
        ValueError: if an argument is out of range.

    Reference: Isola et al. 2017, sections 3.2 and 6.1.2,
        https://arxiv.org/abs/1611.07004
    """

    image_shape: ImageShape = LATER
    condition_shape: ImageShape | None = None
    width: Size = 64

    def make(self):
        side = min(self.image_shape[:2])
        halvings = 3 if side >= 64 else 2 if side >= 24 else 1
        self.convolutions, self.norms = [], []
        beside = 0 if self.condition_shape is None else self.condition_shape[-1]
        shape = (None, *self.image_shape[:2], beside + self.image_shape[-1])
        for level in range(halvings + 1):
            shape = self._add_level(level, 2 if level < halvings else 1, shape)
        self.head = self._convolution(1, 1, "head")
        self.head.build(shape)

    def _add_level(self, level, stride, shape):
        """Appends a convolution and its norm; returns the shape behind them."""
        convolution = self._convolution(
            self.width * 2**level,
            stride,
            f"convolution_{level}",
            has_bias=level == 0,  # the others are followed by a norm
        )
        convolution.build(shape)
        self.convolutions.append(convolution)
        shape = convolution.compute_output_shape(shape)
        if level:
            norm = keras.layers.GroupNormalization(
                -1, dtype="float32", name=f"norm_{level}"
            )
            norm.build(shape)
            self.norms.append(norm)
        return shape

    def _convolution(self, filters, stride, name, has_bias=True):
        return keras.layers.Conv2D(
            filters,
            KERNEL,
            strides=stride,
            padding="same",
            use_bias=has_bias,
            kernel_initializer=normal(),
            dtype=self.dtype_policy,
            name=name,
        )

    def call(self, images, condition=None, training=False):
        x = images
        if self.condition_shape is not None:
            x = ops.concatenate([condition["condition"], images], axis=-1)
        x = ops.leaky_relu(self.convolutions[0](x), SLOPE)
        for convolution, norm in zip(self.convolutions[1:], self.norms, strict=True):
            x = ops.leaky_relu(norm(convolution(x)), SLOPE)
        return ops.cast(self.head(x), "float32")
