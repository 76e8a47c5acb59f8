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


@register
class MaskedBlock(keras.layers.Layer):
    """Residual block: narrow, look at the past, widen.

    Args:
        width: int. Channels of inputs and outputs; inside are half as many.
        dropout: float.
        num_classes: int or `None`.

    Call arguments:
        inputs: float `(B, H, W, width)`.
        labels: int `(B,)`, or `None` without classes.
        training: bool.

    Returns:
        float `(B, H, W, width)`.

    Reference: van den Oord et al. 2016, figure 5, https://arxiv.org/abs/1601.06759
    """

    def __init__(self, width, dropout=0.0, num_classes=None, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.dropout_rate = dropout
        self.num_classes = num_classes
        policy, half = self.dtype_policy, max(1, width // 2)
        self.narrow = keras.layers.Dense(half, "relu", dtype=policy, name="narrow")
        self.look = MaskedConvolution(half, 3, dtype=policy, name="look")
        self.dropout = keras.layers.Dropout(dropout, dtype=policy, name="dropout")
        self.widen = keras.layers.Dense(width, dtype=policy, name="widen")
        if num_classes:
            self.classes = keras.layers.Embedding(
                num_classes, half, dtype=policy, name="classes"
            )

    def build(self, inputs_shape, labels_shape=None):
        half = max(1, self.width // 2)
        self.narrow.build(inputs_shape)
        self.look.build((*inputs_shape[:-1], half))
        self.dropout.build((*inputs_shape[:-1], half))
        self.widen.build((*inputs_shape[:-1], half))
        if self.num_classes:
            self.classes.build((None,))

    def call(self, inputs, labels=None, training=False):
        x = self.look(self.narrow(ops.relu(inputs)))
        if self.num_classes:
            x = x + self.classes(labels)[:, None, None]
        x = self.dropout(ops.relu(x), training=training)
        return inputs + self.widen(x)

    def get_config(self):
        return {
            **super().get_config(),
            "width": self.width,
            "dropout": self.dropout_rate,
            "num_classes": self.num_classes,
        }
