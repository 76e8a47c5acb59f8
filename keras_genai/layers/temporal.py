"""Blocks of temporal convolutional networks: causal, dilated, normalised weights."""

import keras
from keras import ops

from keras_genai.checks import check_rates, check_sizes
from keras_genai.layers.dilated import CausalConv1D
from keras_genai.registry import register


@register
class WeightNormalizedConv1D(CausalConv1D):
    """A `CausalConv1D` whose filters have a length of their own.

    Args:
        filters, kernel_size, dilation: see `CausalConv1D`.

    Call arguments, returns: see there.

    Reference: Salimans & Kingma 2016, eq. 2, https://arxiv.org/abs/1602.07868
    """

    def make_kernel(self, shape):
        self.direction = self.add_weight(shape, "glorot_uniform", name="direction")
        self.gain = self.add_weight((self.filters,), initializer="ones", name="gain")

    def filter_bank(self):
        direction = ops.cast(self.direction, "float32")
        squares = ops.sum(ops.square(direction), axis=(0, 1))
        return direction * (ops.cast(self.gain, "float32") * ops.rsqrt(squares))


@register
class TemporalBlock(keras.layers.Layer):
    """Two dilated convolutions with ReLU and dropout, around which the input goes, too.

    Args:
        width: int. Channels of the output; where the input has others, it is projected.
        kernel_size: int.
        dilation: int.
        dropout: float. Of single numbers, as in the authors' program.

    Call arguments:
        inputs: float `(B, T, C)`.
        training: bool.

    Returns:
        float `(B, T, width)`.

    Reference: Bai et al. 2018, section 3.3, https://arxiv.org/abs/1803.01271
    """

    def __init__(self, width, kernel_size, dilation=1, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        check_sizes(width=width)
        check_rates(dropout=dropout)
        self.width = width
        self.convolutions = [
            WeightNormalizedConv1D(
                width,
                kernel_size,
                dilation,
                dtype=self.dtype_policy,
                name=f"convolution_{number}",
            )
            for number in range(2)
        ]
        self.dropout = keras.layers.Dropout(
            dropout, dtype=self.dtype_policy, name="dropout"
        )
        self.shortcut = None

    def build(self, inputs_shape):
        channels = inputs_shape[-1]
        for convolution, size in zip(
            self.convolutions, (channels, self.width), strict=True
        ):
            convolution.build((None, None, size))
        if channels != self.width:
            self.shortcut = keras.layers.Dense(
                self.width, dtype=self.dtype_policy, name="shortcut"
            )
            self.shortcut.build((None, None, channels))

    def call(self, inputs, training=None):
        x = inputs
        for convolution in self.convolutions:
            x = self.dropout(ops.relu(convolution(x)), training=training)
        return self._around(inputs, x)

    def empty_rings(self, batch_size):
        """Those of both convolutions, see `CausalConv1D.empty_ring`."""
        return tuple(each.empty_ring(batch_size) for each in self.convolutions)

    def step(self, inputs, rings, time):
        """What comes of one step; see `CausalConv1D.step`."""
        x, later = inputs, []
        for convolution, ring in zip(self.convolutions, rings, strict=True):
            x, ring = convolution.step(x, ring, time)
            x = ops.relu(x)
            later.append(ring)
        return self._around(inputs, x), tuple(later)

    def _around(self, inputs, x):
        inputs = ops.cast(inputs, x.dtype)
        return ops.relu(
            x + (inputs if self.shortcut is None else self.shortcut(inputs))
        )

    def get_config(self):
        first = self.convolutions[0]
        return {
            **super().get_config(),
            "width": self.width,
            "kernel_size": first.kernel_size,
            "dilation": first.dilation,
            "dropout": self.dropout.rate,
        }
