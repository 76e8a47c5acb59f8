"""Convolution whose kernel is scaled for every picture by a style of its own."""

import keras
from keras import ops

from keras_genai.checks import check_size
from keras_genai.registry import register


@register
class ModulatedConvolution(keras.layers.Layer):
    """Modulated and demodulated 2-D convolution, stride 1, same padding, no bias.

    The kernel of a picture is `kernel * style` along the input channels, divided by
    its norm for each output channel. Instead of one kernel a picture, the inputs are
    scaled before one shared convolution and its outputs after it, which is the same.

    The kernel is drawn from a standard normal and scaled by `1 / sqrt(fan_in)` at run
    time, so that every layer learns at the same speed under Adam.

    Args:
        filters: int.
        kernel_size: int.
        demodulate: bool. If `False`, the norm of the scaled kernel is left as it is.

    Call arguments:
        images: float `(B, H, W, C)`.
        style: float `(B, C)`, scales of the input channels.

    Returns:
        float `(B, H, W, filters)`.

    Reference: Karras et al. 2020, section 2.2, https://arxiv.org/abs/1912.04958
    """

    def __init__(self, filters, kernel_size=3, demodulate=True, **kwargs):
        # Keras would cast the styles, which may be larger than float16 can hold.
        super().__init__(autocast=False, **kwargs)
        check_size("filters", filters)
        check_size("kernel_size", kernel_size, 1, 64)
        self.filters = filters
        self.kernel_size = kernel_size
        self.demodulate = demodulate

    def build(self, images_shape, style_shape=None):
        channels = images_shape[-1]
        self.gain = (channels * self.kernel_size**2) ** -0.5
        self.kernel = self.add_weight(
            (self.kernel_size, self.kernel_size, channels, self.filters),
            keras.initializers.RandomNormal(stddev=1.0),
            name="kernel",
        )

    def call(self, images, style):
        kernel = ops.convert_to_tensor(self.kernel, dtype="float32") * self.gain
        style = ops.cast(style, "float32")
        if self.demodulate:
            # It cancels out; float16 would overflow without it.
            style = style / (ops.max(ops.abs(style), axis=1, keepdims=True) + 1e-8)
        x = ops.cast(images, self.compute_dtype)
        x = x * ops.cast(style, x.dtype)[:, None, None, :]
        x = ops.conv(x, ops.cast(kernel, x.dtype), padding="same")
        if self.demodulate:
            power = ops.sum(ops.square(kernel), axis=(0, 1))  # (C, filters)
            squared = ops.matmul(ops.square(style), power)  # (B, filters)
            scale = ops.rsqrt(squared + 1e-8)
            x = x * ops.cast(scale, x.dtype)[:, None, None, :]
        return x

    def compute_output_shape(self, images_shape, style_shape=None):
        return (*images_shape[:-1], self.filters)

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "demodulate": self.demodulate,
        }
