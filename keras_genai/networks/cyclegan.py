"""The generator of CycleGAN: residual blocks between two halvings and two doublings."""

import functools
from typing import Annotated

import keras
from keras import ops

from keras_genai.checks import check_sides, check_size
from keras_genai.declared import LATER, ImageShape, Size
from keras_genai.networks.base import Network
from keras_genai.registry import register

normal = functools.partial(keras.initializers.RandomNormal, stddev=0.02)

Blocks = Annotated[int, functools.partial(check_size, least=0, most=512)]


@register
class CycleGANGenerator(Network):
    """Two halvings, residual blocks, two doublings, from a picture to another.

    It is called as denoisers are, so that they can take its place; what they read
    besides the condition, it does not.

    Args:
        image_shape: `(H, W, C)`, H and W divisible by 4.
        condition_shape: `(H, W, C')`, of the pictures that it reads.
        width: int. Channels at full size.
        num_blocks: int. Residual blocks; 9 for pictures of 256.

    Call arguments:
        noisy: float `(B, *image_shape)`, which is not looked at.
        time: float `(B,)`, which is not looked at.
        condition: dict of `condition`, float `(B, *condition_shape)` in [-1, 1].
        training: bool.

    Returns:
        float32 `(B, *image_shape)`, of which the hyperbolic tangent is the picture.

    Raises:
        ValueError: if the shapes do not fit each other, or an argument is out of range.

    Reference: Zhu et al. 2017, section 4, https://arxiv.org/abs/1703.10593
    """

    image_shape: ImageShape = LATER
    condition_shape: ImageShape = LATER
    width: Size = 64
    num_blocks: Blocks = 9

    def check(self):
        check_sides(self.image_shape, 4)
        if self.condition_shape[:2] != self.image_shape[:2]:
            raise ValueError(
                "`image_shape` and `condition_shape` must have the same height and "
                f"width. Received: image_shape={self.image_shape}, "
                f"condition_shape={self.condition_shape}"
            )

    def make(self):
        width, up = self.width, keras.layers.Conv2DTranspose
        self.convolutions = [
            self._convolution(width, 7, 1, "first"),
            self._convolution(2 * width, 3, 2, "down_0"),
            self._convolution(4 * width, 3, 2, "down_1"),
            *(
                self._convolution(4 * width, 3, 1, f"block_{index}_{half}")
                for index in range(self.num_blocks)
                for half in "ab"
            ),
            self._convolution(2 * width, 3, 2, "up_0", kind=up),
            self._convolution(width, 3, 2, "up_1", kind=up),
        ]
        self.norms = [_norm(f"{each.name}_norm") for each in self.convolutions]
        self.last = self._convolution(self.image_shape[-1], 7, 1, "last", use_bias=True)
        shape = (None, *self.condition_shape)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)
            norm.build(shape)
        self.last.build(shape)

    def _convolution(
        self, filters, size, stride, name, kind=keras.layers.Conv2D, use_bias=False
    ):
        return kind(
            filters,
            size,
            strides=stride,
            padding="same",
            use_bias=use_bias,  # most are followed by a norm
            kernel_initializer=normal(),
            dtype=self.dtype_policy,
            name=name,
        )

    def call(self, noisy, time, condition, training=False):
        steps = list(zip(self.convolutions, self.norms, strict=True))
        x = condition["condition"]
        for convolution, norm in steps[:3]:
            x = ops.relu(norm(convolution(x)))
        blocks = steps[3:-2]
        for (one, norm_one), (two, norm_two) in zip(
            blocks[::2], blocks[1::2], strict=True
        ):
            inner = ops.relu(norm_one(one(x)))
            x = x + norm_two(two(inner))
        for convolution, norm in steps[-2:]:
            x = ops.relu(norm(convolution(x)))
        return ops.cast(self.last(x), "float32")


def _norm(name):
    return keras.layers.GroupNormalization(-1, dtype="float32", name=name)
