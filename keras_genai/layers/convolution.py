"""Parts of convolutional networks over pictures: norm, residual block, resizing."""

import math

import keras
from keras import ops

from keras_genai.layers.attention import Attention
from keras_genai.layers.conditioning import Modulation
from keras_genai.registry import register


def convolution(filters, name, dtype, size=3, zero=False, **kwargs):
    """`Conv2D` that keeps the size, its weights drawn for what follows a SiLU.

    Args:
        filters: int.
        name: str.
        dtype: dtype policy.
        size: int. Rows and columns of the kernel.
        zero: bool. Whether the kernel starts at 0, so that what it adds to a residual
            stream starts as nothing.
        **kwargs: of `keras.layers.Conv2D`.
    """
    start = "zeros" if zero else keras.initializers.GlorotUniform()
    return keras.layers.Conv2D(
        filters,
        size,
        padding="same",
        kernel_initializer=start,
        dtype=dtype,
        name=name,
        **kwargs,
    )


@register
class GroupNorm(keras.layers.Layer):
    """Group normalisation whose scale and shift may depend on the picture.

    Statistics are float32; they, the trained vectors and the modulation make one factor
    and one offset a channel, so that the picture itself is touched once, in the compute
    dtype.

    Args:
        groups: int or `None`: the most that divide the channels, up to 32, of at
            least 4 channels each.
        epsilon: float, added to the variance.

    Call arguments:
        inputs: float `(B, H, W, C)`.
        scale: float `(B, C)` or `None`. The result is multiplied by `1 + scale`.
        shift: float `(B, C)` or `None`. Added afterwards.

    Returns:
        float `(B, H, W, C)`.

    Raises:
        ValueError: if `groups` does not divide the channels.

    Reference: Wu & He 2018, eq. 1-2, https://arxiv.org/abs/1803.08494
    """

    def __init__(self, groups=None, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.groups = groups
        self.epsilon = epsilon

    def build(self, inputs_shape, *_):
        channels = inputs_shape[-1]
        if self.groups is None:
            self.groups = math.gcd(32, max(1, channels // 4))
            if channels % self.groups:
                self.groups = math.gcd(self.groups, channels)
        if channels % self.groups:
            raise ValueError(
                f"`groups` must divide the {channels} channels. "
                f"Received: groups={self.groups}"
            )
        self.gamma = self.add_weight((channels,), initializer="ones", name="gamma")
        self.beta = self.add_weight((channels,), initializer="zeros", name="beta")

    def call(self, inputs, scale=None, shift=None):
        x = ops.cast(inputs, "float32")
        mean = self._by_group(ops.mean(x, axis=(1, 2)))
        square = self._by_group(ops.mean(ops.square(x), axis=(1, 2)))
        variance = ops.maximum(square - ops.square(mean), 0)  # (B, C)
        factor = ops.rsqrt(variance + self.epsilon) * ops.cast(self.gamma, "float32")
        offset = ops.cast(self.beta, "float32") - mean * factor
        if scale is not None:
            more = 1 + ops.cast(scale, "float32")
            factor, offset = factor * more, offset * more
        if shift is not None:
            offset = offset + ops.cast(shift, "float32")
        factor, offset = (
            ops.cast(part, self.compute_dtype)[:, None, None]
            for part in (factor, offset)
        )
        return ops.cast(inputs, self.compute_dtype) * factor + offset

    def _by_group(self, x):
        """Means over each group, repeated for its channels: `(B, C)`."""
        channels = x.shape[-1]
        groups = ops.reshape(x, (-1, self.groups, channels // self.groups))
        mean = ops.mean(groups, axis=-1, keepdims=True)
        return ops.reshape(mean + ops.zeros_like(groups), (-1, channels))

    def get_config(self):
        return {
            **super().get_config(),
            "groups": self.groups,
            "epsilon": self.epsilon,
        }


@register
class ResidualBlock(keras.layers.Layer):
    """Norm, SiLU, convolution, twice, beside a short cut; a vector steers the second.

    Args:
        channels: int. Of the output.
        dropout: float. Rate before the second convolution.

    Call arguments:
        inputs: float `(B, H, W, C)`.
        embedding: float `(B, E)` or `None`. Scales and shifts what the second norm
            returns. `None` if the block was built without one.
        training: bool.

    Returns:
        float `(B, H, W, channels)`. In the beginning, just the short cut.

    Reference: Dhariwal & Nichol 2021, section 3, https://arxiv.org/abs/2105.05233
    """

    def __init__(self, channels, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels
        self.dropout_rate = dropout
        policy = self.dtype_policy
        self.first_norm = GroupNorm(dtype=policy, name="first_norm")
        self.first = convolution(channels, "first", policy)
        self.modulation = Modulation(2, channels, dtype=policy, name="modulation")
        self.second_norm = GroupNorm(dtype=policy, name="second_norm")
        self.dropout = keras.layers.Dropout(dropout, dtype=policy, name="dropout")
        self.second = convolution(channels, "second", policy, zero=True)
        self.shortcut = convolution(channels, "shortcut", policy, size=1)

    def build(self, inputs_shape, embedding_shape=None):
        inner = (*inputs_shape[:-1], self.channels)
        self.first_norm.build(inputs_shape)
        self.first.build(inputs_shape)
        if embedding_shape is not None:
            self.modulation.build(embedding_shape)
        self.second_norm.build(inner)
        self.second.build(inner)
        self.changes = inputs_shape[-1] != self.channels
        if self.changes:
            self.shortcut.build(inputs_shape)

    def call(self, inputs, embedding=None, training=False):
        x = self.first(ops.silu(self.first_norm(inputs)))
        scale, shift = (None, None) if embedding is None else self.modulation(embedding)
        x = ops.silu(self.second_norm(x, scale, shift))
        x = self.second(self.dropout(x, training=training))
        return x + (self.shortcut(inputs) if self.changes else inputs)

    def get_config(self):
        return {
            **super().get_config(),
            "channels": self.channels,
            "dropout": self.dropout_rate,
        }


@register
class PictureAttention(keras.layers.Layer):
    """Every place of a picture looks at every other, beside a short cut.

    Args:
        num_heads: int. Divides the channels; few wide heads write less memory.

    Call arguments:
        inputs: float `(B, H, W, C)`.

    Returns:
        float `(B, H, W, C)`. In the beginning, the inputs.

    Raises:
        ValueError: if `num_heads` does not divide the channels.
    """

    def __init__(self, num_heads=1, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.norm = GroupNorm(dtype=self.dtype_policy, name="norm")

    def build(self, inputs_shape):
        channels = inputs_shape[-1]
        if channels % self.num_heads:
            raise ValueError(
                f"`num_heads` must divide the {channels} channels. "
                f"Received: num_heads={self.num_heads}"
            )
        self.norm.build(inputs_shape)
        self.attention = Attention(
            self.num_heads,
            channels // self.num_heads,
            output_initializer="zeros",
            dtype=self.dtype_policy,
            name="attention",
        )
        self.attention.build((None, None, channels))

    def call(self, inputs):
        _, rows, columns, channels = inputs.shape
        x = ops.reshape(self.norm(inputs), (-1, rows * columns, channels))
        x = self.attention(x, self.attention.project_memory(x))
        return inputs + ops.reshape(x, (-1, rows, columns, channels))

    def get_config(self):
        return {**super().get_config(), "num_heads": self.num_heads}


@register
class Downsample(keras.layers.Layer):
    """Half the rows and columns, by a convolution of stride 2.

    Args:
        channels: int. Of the output.

    Call arguments:
        inputs: float `(B, H, W, C)`.

    Returns:
        float `(B, H / 2, W / 2, channels)`.
    """

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels
        self.convolution = convolution(
            channels, "convolution", self.dtype_policy, strides=2
        )

    def build(self, inputs_shape):
        self.convolution.build(inputs_shape)

    def call(self, inputs):
        return self.convolution(inputs)

    def get_config(self):
        return {**super().get_config(), "channels": self.channels}


@register
class Upsample(keras.layers.Layer):
    """Twice the rows and columns: every pixel repeated, then a convolution.

    Args:
        channels: int. Of the output.

    Call arguments:
        inputs: float `(B, H, W, C)`.

    Returns:
        float `(B, 2 * H, 2 * W, channels)`.

    Reference: Odena et al. 2016, https://distill.pub/2016/deconv-checkerboard
    """

    def __init__(self, channels, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels
        self.convolution = convolution(channels, "convolution", self.dtype_policy)

    def build(self, inputs_shape):
        batch, rows, columns, width = inputs_shape
        self.convolution.build((batch, 2 * rows, 2 * columns, width))

    def call(self, inputs):
        _, rows, columns, width = inputs.shape
        x = inputs[:, :, None, :, None]  # (B, H, 1, W, 1, C)
        x = ops.broadcast_to(x, (ops.shape(x)[0], rows, 2, columns, 2, width))
        x = ops.reshape(x, (-1, 2 * rows, 2 * columns, width))
        return self.convolution(x)

    def get_config(self):
        return {**super().get_config(), "channels": self.channels}
