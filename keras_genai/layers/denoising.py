"""Blocks of networks that remove noise: of a U-Net, of a DiT, and how both read."""

import math

import keras
from keras import ops

from keras_genai.layers.attention import Attention
from keras_genai.layers.conditioning import Modulation, grid_waves
from keras_genai.layers.convolution import PictureAttention, ResidualBlock
from keras_genai.layers.feedforward import FeedForward, gelu_tanh
from keras_genai.registry import register


@register
class CrossAttention(keras.layers.Layer):
    """Every place looks at the states of a text, beside a short cut.

    A place of a picture asks with its row and column, or "left of" would have to be
    found by way of the borders, which are all that a convolution knows of places.

    Args:
        num_heads: int. Divides the channels.

    Call arguments:
        inputs: float `(B, ..., C)`: a picture, or a sequence that tells its places.
        states: float `(B, L, W)`.
        real: bool `(B, L)`, `False` at states that mean nothing.

    Returns:
        float `(B, ..., C)`. In the beginning, the inputs.

    Raises:
        ValueError: if `num_heads` does not divide the channels.

    Reference: Rombach et al. 2022, section 3.3, https://arxiv.org/abs/2112.10752
    """

    def __init__(self, num_heads, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.norm = keras.layers.LayerNormalization(
            epsilon=1e-6, dtype="float32", name="norm"
        )

    def build(self, inputs_shape, states_shape, real_shape=None):
        channels = inputs_shape[-1]
        if channels % self.num_heads:
            raise ValueError(
                f"`num_heads` must divide the {channels} channels. "
                f"Received: num_heads={self.num_heads}"
            )
        self.norm.build((None, None, channels))
        self.attention = Attention(
            self.num_heads,
            channels // self.num_heads,
            output_initializer="zeros",
            dtype=self.dtype_policy,
            name="attention",
        )
        self.attention.build((None, None, channels), states_shape)

    def call(self, inputs, states, real):
        *places, channels = inputs.shape[1:]
        x = self.norm(ops.reshape(inputs, (-1, math.prod(places), channels)))
        if len(places) == 2:
            x = x + grid_waves(*places, channels)
        x = self.attention(
            ops.cast(x, self.compute_dtype),
            self.attention.project_memory(states),
            attention_mask=real[:, None, None, :],
        )
        return inputs + ops.reshape(x, (-1, *places, channels))

    def get_config(self):
        return {**super().get_config(), "num_heads": self.num_heads}


@register
class UNetBlock(keras.layers.Layer):
    """A residual block; then, where asked for, attention in the picture and to a text.

    Args:
        channels: int. Of the output.
        dropout: float. Rate in the residual block.
        num_heads: int. Of both kinds of attention; divides the channels.
        looks: bool. Whether every place looks at every other.
        reads: bool. Whether every place looks at a text.

    Call arguments:
        inputs: float `(B, H, W, C)`.
        embedding: float `(B, E)`. See `ResidualBlock`.
        states, real: see `CrossAttention`; `None` unless it reads.

    Returns:
        float `(B, H, W, channels)`. In the beginning, just the short cut.

    Reference: Dhariwal & Nichol 2021, section 3, https://arxiv.org/abs/2105.05233
    """

    def __init__(
        self, channels, dropout=0.0, num_heads=1, looks=False, reads=False, **kwargs
    ):
        super().__init__(**kwargs)
        self.channels = channels
        self.dropout = dropout
        self.num_heads = num_heads
        self.looks = looks
        self.reads = reads
        policy = self.dtype_policy
        self.residual = ResidualBlock(channels, dropout, dtype=policy, name="residual")
        self.attention = self.reading = None
        if looks:
            self.attention = PictureAttention(num_heads, dtype=policy, name="attention")
        if reads:
            self.reading = CrossAttention(num_heads, dtype=policy, name="reading")

    def build(self, inputs_shape, embedding_shape, states_shape=None, real_shape=None):
        self.residual.build(inputs_shape, embedding_shape)
        inner = (*inputs_shape[:-1], self.channels)
        if self.looks:
            self.attention.build(inner)
        if self.reads:
            self.reading.build(inner, states_shape)

    def call(self, inputs, embedding, states=None, real=None):
        x = self.residual(inputs, embedding)
        if self.looks:
            x = self.attention(x)
        return self.reading(x, states, real) if self.reads else x

    def get_config(self):
        return {
            **super().get_config(),
            "channels": self.channels,
            "dropout": self.dropout,
            "num_heads": self.num_heads,
            "looks": self.looks,
            "reads": self.reads,
        }


@register
class DiTBlock(keras.layers.Layer):
    """Attention and feed-forward network, steered by a vector (adaLN-Zero).

    Args:
        num_heads: int. Divides the width.
        hidden: int. Width inside the feed-forward network.
        dropout: float. Rate after both parts.
        reads: bool. Whether every place looks at a text, between the two.

    Call arguments:
        inputs: float `(B, T, width)`.
        embedding: float `(B, E)`.
        states, real: see `CrossAttention`; `None` unless it reads.
        training: bool.

    Returns:
        float `(B, T, width)`. In the beginning, the inputs.

    Reference: Peebles & Xie 2023, figure 3, https://arxiv.org/abs/2212.09748; Chen et
        al. 2023, section 2.3 (texts), https://arxiv.org/abs/2310.00426
    """

    def __init__(self, num_heads, hidden, dropout=0.0, reads=False, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.hidden = hidden
        self.dropout_rate = dropout
        self.reads = reads
        self.attention_norm = bare_norm("attention_norm")
        self.feedforward_norm = bare_norm("feedforward_norm")
        self.dropout = keras.layers.Dropout(
            dropout, dtype=self.dtype_policy, name="dropout"
        )

    def build(self, inputs_shape, embedding_shape, states_shape=None, real_shape=None):
        width, policy = inputs_shape[-1], self.dtype_policy
        self.modulation = Modulation(6, width, dtype=policy, name="modulation")
        self.modulation.build(embedding_shape)
        self.attention = Attention(
            self.num_heads, width // self.num_heads, dtype=policy, name="attention"
        )
        self.feedforward = FeedForward(
            self.hidden,
            gelu_tanh,
            dtype=policy,
            name="feedforward",
        )
        for layer in (self.attention_norm, self.feedforward_norm):
            layer.build(inputs_shape)
        self.attention.build(inputs_shape)
        self.feedforward.build(inputs_shape)
        if self.reads:
            self.reading = CrossAttention(self.num_heads, dtype=policy, name="reading")
            self.reading.build(inputs_shape, states_shape)

    def call(self, inputs, embedding, states=None, real=None, training=False):
        parts = self.modulation(embedding)
        scale, shift, gate = parts[:3]
        x = modulated(self.attention_norm(inputs), scale, shift)
        x = self.attention(x, self.attention.project_memory(x))
        x = inputs + gate[:, None] * self.dropout(x, training=training)
        if self.reads:
            x = self.reading(x, states, real)
        scale, shift, gate = parts[3:]
        y = self.feedforward(modulated(self.feedforward_norm(x), scale, shift))
        return x + gate[:, None] * self.dropout(y, training=training)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "hidden": self.hidden,
            "dropout": self.dropout_rate,
            "reads": self.reads,
        }


def bare_norm(name):
    """LayerNorm in float32 without weights; the modulation has them."""
    return keras.layers.LayerNormalization(
        epsilon=1e-6, center=False, scale=False, dtype="float32", name=name
    )


def modulated(x, scale, shift):
    """`x * (1 + scale) + shift` for float `(B, T, D)` and `(B, D)`."""
    return ops.cast(x, scale.dtype) * (1 + scale[:, None]) + shift[:, None]
