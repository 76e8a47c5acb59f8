"""Blocks of networks over sets: many points that look at each other through a few."""

import keras
import numpy as np
from keras import ops

from keras_genai.layers.attention import Attention
from keras_genai.layers.conditioning import Modulation
from keras_genai.layers.denoising import DiTBlock, bare_norm, modulated
from keras_genai.layers.feedforward import FeedForward, gelu_tanh
from keras_genai.registry import register


def coordinate_waves(points, frequencies):
    """Numbers, and sines and cosines of them, each wave half as long as the one before.

    Args:
        points: float `(..., C)`, of deviation about 1.
        frequencies: int, F. The longest wave is 4.

    Returns:
        float32 `(..., C * (1 + 2 F))`.

    Reference: Mildenhall et al. 2020, eq. 4, https://arxiv.org/abs/2003.08934
    """
    points = ops.cast(points, "float32")
    factors = (np.pi / 2 * 2.0 ** np.arange(frequencies)).astype("float32")
    angles = points[..., None] * factors
    shape = (*ops.shape(points)[:-1], points.shape[-1] * frequencies)
    angles = ops.reshape(angles, shape)
    return ops.concatenate([points, ops.sin(angles), ops.cos(angles)], axis=-1)


@register
class InducedBlock(keras.layers.Layer):
    """A few tokens look at all points and at each other, then all points at the tokens.

    Points do not know their places in the set: in another order, they come out the same
    in that order. The cost is their number times that of the tokens. A vector steers
    all parts (adaLN-Zero).

    Args:
        num_heads: int. Divides both widths.
        hidden: int. Width inside the feed-forward network of the points.
        token_hidden: int. Likewise, of the tokens.
        dropout: float. Rate after all parts.
        reads: bool. Whether the tokens look at a text.

    Call arguments:
        points: float `(B, N, width)`.
        tokens: float `(B, M, width')`: there are fewer of them, so they may be wider.
        embedding: float `(B, E)`.
        states, real: see `CrossAttention`; `None` unless it reads.
        training: bool.

    Returns:
        `(points, tokens)` of the same shapes. In the beginning, the inputs.

    Reference: Lee et al. 2019, section 3.1, https://arxiv.org/abs/1810.00825; Jabri et
        al. 2023 (tokens that stay), https://arxiv.org/abs/2212.11972
    """

    def __init__(
        self, num_heads, hidden, token_hidden, dropout=0.0, reads=False, **kwargs
    ):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.hidden = hidden
        self.token_hidden = token_hidden
        self.dropout_rate = dropout
        self.reads = reads
        policy = self.dtype_policy
        names = ("gather_norm", "token_norm", "spread_norm", "feedforward_norm")
        self.norms = [bare_norm(name) for name in names]
        self.inner = DiTBlock(
            num_heads, token_hidden, dropout, reads, dtype=policy, name="inner"
        )
        self.feedforward = FeedForward(
            hidden, gelu_tanh, dtype=policy, name="feedforward"
        )
        self.dropout = keras.layers.Dropout(dropout, dtype=policy, name="dropout")

    def build(
        self,
        points_shape,
        tokens_shape,
        embedding_shape,
        states_shape=None,
        real_shape=None,
    ):
        width, policy = points_shape[-1], self.dtype_policy
        self.modulation = Modulation(8, width, dtype=policy, name="modulation")
        self.token_gate = Modulation(
            1, tokens_shape[-1], dtype=policy, name="token_gate"
        )
        self.modulation.build(embedding_shape)
        self.token_gate.build(embedding_shape)
        self.gather, self.spread = (
            Attention(self.num_heads, width // self.num_heads, dtype=policy, name=name)
            for name in ("gather", "spread")
        )
        self.gather.build(tokens_shape, points_shape)
        self.spread.build(points_shape, tokens_shape)
        self.inner.build(tokens_shape, embedding_shape, states_shape)
        self.feedforward.build(points_shape)
        shapes = (points_shape, tokens_shape, points_shape, points_shape)
        for norm, shape in zip(self.norms, shapes, strict=True):
            norm.build(shape)

    def call(self, points, tokens, embedding, states=None, real=None, training=False):
        gather_norm, token_norm, spread_norm, feedforward_norm = self.norms
        parts = self.modulation(embedding)

        scale, shift = parts[:2]
        (gate,) = self.token_gate(embedding)
        seen = modulated(gather_norm(points), scale, shift)
        asking = ops.cast(token_norm(tokens), self.compute_dtype)
        x = self.gather(asking, self.gather.project_memory(seen))
        tokens = tokens + gate[:, None] * self.dropout(x, training=training)
        tokens = self.inner(tokens, embedding, states, real, training=training)

        scale, shift, gate = parts[2:5]
        asking = modulated(spread_norm(points), scale, shift)
        seen = ops.cast(token_norm(tokens), self.compute_dtype)
        x = self.spread(asking, self.spread.project_memory(seen))
        points = points + gate[:, None] * self.dropout(x, training=training)

        scale, shift, gate = parts[5:]
        x = self.feedforward(modulated(feedforward_norm(points), scale, shift))
        points = points + gate[:, None] * self.dropout(x, training=training)
        return points, tokens

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "hidden": self.hidden,
            "token_hidden": self.token_hidden,
            "dropout": self.dropout_rate,
            "reads": self.reads,
        }
