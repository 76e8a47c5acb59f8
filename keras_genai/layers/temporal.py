"""Blocks of temporal convolutional networks: causal, dilated, normalised weights."""

import keras
from keras import ops

from keras_genai.checks import check_rates, check_sizes
from keras_genai.registry import register


@register
class WeightNormalizedConv1D(keras.layers.Layer):
    """A causal, dilated convolution over time whose filters have a length of their own.

    Its output at a time depends on inputs up to it; before the first there is zero.

    Args:
        filters: int.
        kernel_size: int.
        dilation: int. Steps between the inputs that a filter sees.
        initializer: of the directions of the filters.

    Call arguments:
        inputs: float `(B, T, C)`.

    Returns:
        float `(B, T, filters)`.

    Reference: Salimans & Kingma 2016, eq. 2, https://arxiv.org/abs/1602.07868
    """

    def __init__(
        self, filters, kernel_size, dilation=1, initializer="glorot_uniform", **kwargs
    ):
        super().__init__(**kwargs)
        check_sizes(filters=filters, kernel_size=kernel_size, dilation=dilation)
        self.filters = filters
        self.kernel_size = kernel_size
        self.dilation = dilation
        self.initializer = keras.initializers.get(initializer)

    def build(self, inputs_shape):
        shape = (self.kernel_size, inputs_shape[-1], self.filters)
        self.direction = self.add_weight(
            shape, initializer=self.initializer, name="direction"
        )
        self.gain = self.add_weight((self.filters,), initializer="ones", name="gain")
        self.bias = self.add_weight((self.filters,), initializer="zeros", name="bias")

    @property
    def reach(self):
        """int: how many steps back the first input lies that a filter sees."""
        return (self.kernel_size - 1) * self.dilation

    def kernel(self):
        """float `(kernel_size, C, filters)` of the compute dtype."""
        direction = ops.cast(self.direction, "float32")
        squares = ops.sum(ops.square(direction), axis=(0, 1))
        kernel = direction * (ops.cast(self.gain, "float32") * ops.rsqrt(squares))
        return ops.cast(kernel, self.compute_dtype)

    def call(self, inputs):
        padded = ops.pad(inputs, [[0, 0], [self.reach, 0], [0, 0]])
        found = ops.conv(padded, self.kernel(), dilation_rate=self.dilation)
        return found + ops.cast(self.bias, found.dtype)

    def initial_cache(self, batch_size, channels):
        """What was before the first step: float `(batch_size, reach, channels)`."""
        return ops.zeros((batch_size, self.reach, channels), self.compute_dtype)

    def step(self, inputs, cache):
        """One step of time.

        Args:
            inputs: float `(B, C)`.
            cache: float `(B, reach, C)`, the inputs of the steps before.

        Returns:
            float `(B, filters)`, and the cache of the next step.
        """
        inputs = ops.cast(inputs, self.compute_dtype)
        seen = ops.concatenate([cache, inputs[:, None]], axis=1)
        taps = seen[:, :: self.dilation]  # (B, kernel_size, C)
        found = ops.einsum("bkc,kcf->bf", taps, self.kernel())
        return found + ops.cast(self.bias, found.dtype), seen[:, 1:]

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "dilation": self.dilation,
            "initializer": keras.initializers.serialize(self.initializer),
        }


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

    def initial_cache(self, batch_size, channels):
        """What was before the first step: a pair of tensors."""
        sizes = channels, self.width
        return tuple(
            convolution.initial_cache(batch_size, size)
            for convolution, size in zip(self.convolutions, sizes, strict=True)
        )

    def step(self, inputs, cache):
        """One step of time; see `WeightNormalizedConv1D.step`."""
        x, kept = inputs, []
        for convolution, seen in zip(self.convolutions, cache, strict=True):
            x, seen = convolution.step(x, seen)
            x = ops.relu(x)
            kept.append(seen)
        return self._around(inputs, x), tuple(kept)

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
