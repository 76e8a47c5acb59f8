"""A discriminator of patches: a score for each, instead of one for the picture."""

import functools

import keras
from keras import ops

from keras_genai.checks import check_size
from keras_genai.registry import register

KERNEL = 4
SLOPE = 0.2

normal = functools.partial(keras.initializers.RandomNormal, stddev=0.02)


@register
class PatchesToScores(keras.layers.Layer):
    """Strided convolutions, then a map of scores, one for each overlapping patch.

    A patch is 70 x 70 for pictures with sides from 64 on, 34 x 34 from 24 on, and
    16 x 16 below.

    Args:
        image_shape: `(H, W, C)`.
        width: int. Channels after the first convolution; they double with every
            halving.

    Call arguments:
        images: float `(B, H, W, C)` in [-1, 1].

    Returns:
        float32 `(B, h, w, 1)`, higher for real.

    Reference: Isola et al. 2017, sections 3.2 and 6.1.2,
        https://arxiv.org/abs/1611.07004
    """

    def __init__(self, image_shape, width, **kwargs):
        super().__init__(**kwargs)
        check_size("width", width)
        self.image_shape = tuple(image_shape)
        self.width = width
        side = min(self.image_shape[:2])
        halvings = 3 if side >= 64 else 2 if side >= 24 else 1
        self.convolutions = [
            self._make(
                width * 2**level,
                2 if level < halvings else 1,
                f"convolution_{level}",
                has_bias=level == 0,  # the others are followed by a norm
            )
            for level in range(halvings + 1)
        ]
        self.norms = [
            keras.layers.GroupNormalization(-1, dtype="float32", name=f"norm_{level}")
            for level in range(1, halvings + 1)
        ]
        self.head = self._make(1, 1, "head")

    def _make(self, filters, stride, name, has_bias=True):
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

    def build(self, images_shape=None):
        shape = (None, *self.image_shape)
        for level, convolution in enumerate(self.convolutions):
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)
            if level:
                self.norms[level - 1].build(shape)
        self.head.build(shape)

    def call(self, images):
        x = ops.leaky_relu(self.convolutions[0](images), SLOPE)
        for convolution, norm in zip(self.convolutions[1:], self.norms, strict=True):
            x = ops.leaky_relu(norm(convolution(x)), SLOPE)
        return ops.cast(self.head(x), "float32")

    def get_config(self):
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "width": self.width,
        }
