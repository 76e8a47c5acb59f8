"""Convolution over a grid that is read row by row: no pixel sees what follows it."""

import keras
import numpy as np
from keras import ops

from keras_genai.registry import register


@register
class MaskedConvolution(keras.layers.Layer):
    """2-D convolution that sees the rows above and the row's own past.

    Only the upper half of the kernel exists; of its last row, the part right of the
    centre is zero.

    Args:
        filters: int.
        kernel_size: odd int.
        see_centre: bool. If `False`, a pixel does not see itself: the first layer.
        initializer: of the kernel.

    Call arguments:
        inputs: float `(B, H, W, C)`.

    Returns:
        float `(B, H, W, filters)`.

    Raises:
        ValueError: if `kernel_size` is even.

    Reference: van den Oord et al. 2016, section 3.4, https://arxiv.org/abs/1601.06759
    """

    def __init__(
        self,
        filters,
        kernel_size,
        see_centre=True,
        initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        if kernel_size < 1 or kernel_size % 2 == 0:
            raise ValueError(
                f"`kernel_size` must be an odd int >= 1. Received: {kernel_size=}"
            )
        self.filters = filters
        self.kernel_size = kernel_size
        self.see_centre = see_centre
        self.initializer = keras.initializers.get(initializer)

    def build(self, input_shape):
        half = self.kernel_size // 2
        shape = (half + 1, self.kernel_size, input_shape[-1], self.filters)
        self.kernel = self.add_weight(shape, self.initializer.clone(), name="kernel")
        self.bias = self.add_weight((self.filters,), "zeros", name="bias")
        mask = np.ones((*shape[:2], 1, 1), "float32")
        mask[-1, half + self.see_centre :] = 0.0
        self.mask = mask

    def call(self, inputs):
        half = self.kernel_size // 2
        kernel = ops.cast(self.kernel, self.compute_dtype)
        kernel = kernel * ops.cast(self.mask, self.compute_dtype)
        padded = ops.pad(inputs, ((0, 0), (half, 0), (half, half), (0, 0)))
        return ops.conv(padded, kernel, padding="valid") + self.bias

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "see_centre": self.see_centre,
            "initializer": keras.initializers.serialize(self.initializer),
        }
