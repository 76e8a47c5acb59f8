"""DiT: a transformer over patches as the network of a diffusion model."""

import keras
from keras import ops

from keras_genai.checks import check_size
from keras_genai.layers.attention import Attention
from keras_genai.layers.conditioning import (
    Conditioning,
    Modulation,
    grid_waves,
)
from keras_genai.layers.feedforward import FeedForward, gelu_tanh
from keras_genai.registry import register
from keras_genai.tasks import pictures
from keras_genai.tasks.diffusion import Diffusion


@register
class DiTBlock(keras.layers.Layer):
    """Attention and feed-forward network, steered by a vector (adaLN-Zero).

    Args:
        num_heads: int. Divides the width.
        hidden: int. Width inside the feed-forward network.
        dropout: float. Rate after both parts.

    Call arguments:
        inputs: float `(B, T, width)`.
        embedding: float `(B, E)`.
        training: bool.

    Returns:
        float `(B, T, width)`. In the beginning, the inputs.

    Reference: Peebles & Xie 2023, figure 3, https://arxiv.org/abs/2212.09748
    """

    def __init__(self, num_heads, hidden, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        self.num_heads = num_heads
        self.hidden = hidden
        self.dropout_rate = dropout
        self.attention_norm = bare_norm("attention_norm")
        self.feedforward_norm = bare_norm("feedforward_norm")
        self.dropout = keras.layers.Dropout(
            dropout, dtype=self.dtype_policy, name="dropout"
        )

    def build(self, inputs_shape, embedding_shape):
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

    def call(self, inputs, embedding, training=False):
        parts = self.modulation(embedding)
        scale, shift, gate = parts[:3]
        x = modulated(self.attention_norm(inputs), scale, shift)
        x = self.attention(x, self.attention.project_memory(x))
        x = inputs + gate[:, None] * self.dropout(x, training=training)
        scale, shift, gate = parts[3:]
        y = self.feedforward(modulated(self.feedforward_norm(x), scale, shift))
        return x + gate[:, None] * self.dropout(y, training=training)

    def get_config(self):
        return {
            **super().get_config(),
            "num_heads": self.num_heads,
            "hidden": self.hidden,
            "dropout": self.dropout_rate,
        }


@register
class DiT(Diffusion):
    """Diffusion model whose network is a transformer over patches.

    Args:
        image_shape: `(H, W, C)`.
        patch: int, in pixels; divides both sides.
        depth: int. Number of blocks.
        width: int, a multiple of 4 and of `num_heads`. Length of a patch's vector.
        num_heads: int.
        hidden: int or `None` (`4 * width`). Width inside feed-forward networks.
        dropout: float.
        num_classes, condition_shape, schedule, prediction, weighting: see `Diffusion`.
        **kwargs: of `Diffusion`: `label_dropout`, `vocabulary_size`, `text_length`,
            `codec`, `latent_scale`.

    Call arguments, returns: see `Diffusion`.

    Raises:
        ValueError: if `patch` does not divide the sides, or `width` is not a multiple
            of 4 and of `num_heads`.

    Reference: Peebles & Xie 2023, section 3, https://arxiv.org/abs/2212.09748
    """

    def __init__(
        self,
        image_shape,
        patch=2,
        depth=6,
        width=128,
        num_heads=2,
        hidden=None,
        dropout=0.0,
        num_classes=None,
        condition_shape=None,
        schedule=None,
        prediction=None,
        weighting=None,
        **kwargs,
    ):
        super().__init__(
            image_shape,
            num_classes,
            condition_shape,
            schedule,
            prediction,
            weighting,
            **kwargs,
        )
        for name, value in (
            ("patch", patch),
            ("depth", depth),
            ("width", width),
            ("num_heads", num_heads),
        ):
            check_size(name, value)
        if hidden is not None:
            check_size("hidden", hidden)
        pictures.check_rate("dropout", dropout)
        self.patch = patch
        self.depth = depth
        self.width = width
        self.num_heads = num_heads
        self.hidden = 4 * width if hidden is None else hidden
        self.dropout_rate = dropout
        rows, columns, _ = self.sample_shape
        if rows % patch or columns % patch:
            raise ValueError(
                f"`patch` must divide the sides, {rows} and {columns}. "
                f"Received: {patch=}"
            )
        if width % 4 or width % num_heads:
            raise ValueError(
                "`width` must be a multiple of 4 and of `num_heads`. "
                f"Received: {width=}, {num_heads=}"
            )
        self.grid = (rows // patch, columns // patch)
        self.positions = grid_waves(*self.grid, width)
        self._make_layers()
        self.built = True

    def _make_layers(self):
        self.conditioning = Conditioning(
            self.width,
            self.width,
            self.num_classes,
            self.vocabulary_size,
            self.text_length,
            dtype=self.dtype_policy,
            name="conditioning",
        )
        self.conditioning.build()
        policy, area = self.dtype_policy, self.patch**2
        channels = self.sample_shape[-1]
        inputs = channels + (self.condition_shape[-1] if self.condition_shape else 0)
        self.embedding = keras.layers.Dense(self.width, dtype=policy, name="embedding")
        self.embedding.build((None, None, area * inputs))
        sequence = (None, self.grid[0] * self.grid[1], self.width)
        self.blocks = [
            DiTBlock(
                self.num_heads,
                self.hidden,
                self.dropout_rate,
                dtype=policy,
                name=f"block_{index}",
            )
            for index in range(self.depth)
        ]
        for block in self.blocks:
            block.build(sequence, (None, self.width))
        self.norm = bare_norm("norm")
        self.norm.build(sequence)
        self.modulation = Modulation(2, self.width, dtype=policy, name="modulation")
        self.modulation.build((None, self.width))
        self.last = keras.layers.Dense(
            area * channels, kernel_initializer="zeros", dtype=policy, name="last"
        )
        self.last.build(sequence)

    def forward(self, noisy, noise_level, labels, condition, training=False):
        """The network's output. See `Diffusion`."""
        vector = self.conditioning(noise_level, labels)
        parts = [noisy] if condition is None else [noisy, condition]
        x = to_patches(ops.concatenate(parts, -1), self.patch)
        x = self.embedding(ops.cast(x, self.compute_dtype))
        x = x + ops.cast(self.positions, x.dtype)
        for block in self.blocks:
            x = block(x, vector, training=training)
        x = self.last(modulated(self.norm(x), *self.modulation(vector)))
        return ops.cast(from_patches(x, self.patch, self.sample_shape), "float32")

    def get_config(self):
        return {
            **super().get_config(),
            "patch": self.patch,
            "depth": self.depth,
            "width": self.width,
            "num_heads": self.num_heads,
            "hidden": self.hidden,
            "dropout": self.dropout_rate,
        }


def bare_norm(name):
    """LayerNorm in float32 without weights; the modulation has them."""
    return keras.layers.LayerNormalization(
        epsilon=1e-6, center=False, scale=False, dtype="float32", name=name
    )


def modulated(x, scale, shift):
    """`x * (1 + scale) + shift` for float `(B, T, D)` and `(B, D)`."""
    return ops.cast(x, scale.dtype) * (1 + scale[:, None]) + shift[:, None]


def to_patches(images, patch):
    """`(B, H, W, C)` as `(B, H / patch * W / patch, patch * patch * C)`."""
    _, rows, columns, channels = images.shape
    down, right = rows // patch, columns // patch
    x = ops.reshape(images, (-1, down, patch, right, patch, channels))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, down * right, patch * patch * channels))


def from_patches(x, patch, shape):
    """The inverse of `to_patches`; `shape` is `(H, W, C)`."""
    rows, columns, channels = shape
    down, right = rows // patch, columns // patch
    x = ops.reshape(x, (-1, down, right, patch, patch, channels))
    x = ops.transpose(x, (0, 1, 3, 2, 4, 5))
    return ops.reshape(x, (-1, rows, columns, channels))
