"""The generator of pix2pix: a U-Net from a picture to another that shows the same."""

import functools
import math

import keras
from keras import ops

from keras_genai.declared import LATER, ImageShape, Rate, Size
from keras_genai.networks.base import Network
from keras_genai.registry import register

KERNEL = 4
SLOPE = 0.2
WIDEST = 8  # times `width`

normal = functools.partial(keras.initializers.RandomNormal, stddev=0.02)


@register
class Pix2PixGenerator(Network):
    """Halves until a side is odd or 1, then doubles again beside what was seen.

    Its only noise is dropout, in use as in training. It is called as denoisers are, so
    that they can take its place; what they read besides the condition, it does not.

    Args:
        image_shape: `(H, W, C)`, H and W even.
        condition_shape: `(H, W, C')`, of the pictures that it reads.
        width: int. Channels at half the size; they double with every halving, up to 8
            times as many.
        dropout: float. Rate behind the innermost layers.

    Call arguments:
        noisy: float `(B, *image_shape)`, which is not looked at.
        time: float `(B,)`, which is not looked at.
        condition: dict of `condition`, float `(B, *condition_shape)` in [-1, 1].
        training: bool.

    Returns:
        float32 `(B, *image_shape)`, of which the hyperbolic tangent is the picture.

    Raises:
        ValueError: if the shapes do not fit each other, or an argument is out of range.

    Reference: Isola et al. 2017, sections 3.2 and 6.1.1,
        https://arxiv.org/abs/1611.07004
    """

    image_shape: ImageShape = LATER
    condition_shape: ImageShape = LATER
    width: Size = 64
    dropout: Rate = 0.5

    def check(self):
        height, width, _ = self.image_shape
        if self.condition_shape[:2] != (height, width) or height % 2 or width % 2:
            raise ValueError(
                "`image_shape` and `condition_shape` must have the same even height "
                f"and width. Received: image_shape={self.image_shape}, "
                f"condition_shape={self.condition_shape}"
            )

    def make(self):
        side = math.gcd(*self.image_shape[:2])
        depth = (side & -side).bit_length() - 1  # how often it can be halved
        widths = [self.width * min(2**level, WIDEST) for level in range(depth)]
        # No norm next to the picture, nor where there may be one pixel to average.
        inner = range(1, depth - 1)
        self.downs = [
            self._convolution(
                keras.layers.Conv2D, widths[level], f"down_{level}", level not in inner
            )
            for level in range(depth)
        ]
        outputs = [self.image_shape[-1], *widths[:-1]]
        self.ups = [
            self._convolution(
                keras.layers.Conv2DTranspose,
                outputs[level],
                f"up_{level}",
                use_bias=level == 0,
            )
            for level in range(depth)
        ]
        self.down_norms = {str(level): _norm(f"down_norm_{level}") for level in inner}
        self.up_norms = {
            str(level): _norm(f"up_norm_{level}") for level in range(1, depth)
        }
        self.dropouts = {
            str(level): keras.layers.Dropout(
                self.dropout, dtype=self.dtype_policy, name=f"dropout_{level}"
            )
            for level in range(max(depth - 3, 1), depth)
        }
        self._build_up(self._build_down())

    def _convolution(self, kind, filters, name, use_bias):
        return kind(
            filters,
            KERNEL,
            strides=2,
            padding="same",
            use_bias=use_bias,
            kernel_initializer=normal(),
            dtype=self.dtype_policy,
            name=name,
        )

    def _build_down(self):
        """The shapes before each layer on the way down, and behind the last."""
        shapes = [(None, *self.condition_shape)]
        for level, down in enumerate(self.downs):
            down.build(shapes[-1])
            shapes.append(down.compute_output_shape(shapes[-1]))
            if str(level) in self.down_norms:
                self.down_norms[str(level)].build(shapes[-1])
        return shapes

    def _build_up(self, shapes):
        shape = shapes[-1]
        for level in reversed(range(len(self.ups))):
            self.ups[level].build(shape)
            shape = self.ups[level].compute_output_shape(shape)
            if level:
                self.up_norms[str(level)].build(shape)
                shape = (*shape[:-1], shape[-1] + shapes[level][-1])

    def call(self, noisy, time, condition, training=False):
        x, skips = condition["condition"], []
        for level, down in enumerate(self.downs):
            x = down(x)
            if str(level) in self.down_norms:
                x = self.down_norms[str(level)](x)
            x = ops.cast(ops.leaky_relu(x, SLOPE), self.compute_dtype)
            skips.append(x)
        for level in reversed(range(1, len(self.ups))):
            x = self.up_norms[str(level)](self.ups[level](x))
            if str(level) in self.dropouts:
                x = self.dropouts[str(level)](x, training=True)
            x = ops.cast(ops.relu(x), self.compute_dtype)
            x = ops.concatenate([x, skips[level - 1]], axis=-1)
        return ops.cast(self.ups[0](x), "float32")


def _norm(name):
    # Of each picture and channel: the published batches of one are just that.
    return keras.layers.GroupNormalization(-1, dtype="float32", name=name)
