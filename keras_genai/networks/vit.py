"""ViT: a transformer over the patches of a picture, which makes one vector of it."""

import functools

import keras
from keras import ops

from keras_genai.checks import check_heads, check_sides
from keras_genai.declared import LATER, ImageShape, Rate, Size
from keras_genai.layers.feedforward import ACTIVATIONS, check_activation
from keras_genai.layers.patches import to_patches
from keras_genai.layers.positions import LearnedPositions
from keras_genai.layers.stacks import EncoderStack, layer_norm, make_stack
from keras_genai.networks.base import Network
from keras_genai.registry import register

# One object a weight: an initializer draws the same numbers every time.
_start = functools.partial(keras.initializers.TruncatedNormal, stddev=0.02)


@register
class ViT(Network):
    """Patches and a class token, all of which see each other, as in CLIP.

    Args:
        image_shape: `(H, W, C)`. A task fills it in from its pictures.
        patch: int, in pixels; divides both sides.
        depth: int. Number of blocks.
        width: int, a multiple of `num_heads`. Length of a patch's vector.
        num_heads: int.
        inner_width: int or `None` (`4 * width`). Width inside feed-forward networks.
        dropout: float. Rate after the embedding and after every part of a block.
        activation: `"gelu"` (exact), `"gelu_tanh"`, `"quick_gelu"`, `"relu"` or
            `"silu"`.

    Attributes:
        pooled_width: int, of the vector of a picture.

    Call arguments:
        images: float `(B, H, W, C)`, centred at 0.
        training: bool.

    Returns:
        float32 `(B, width)`: what the class token became.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range, if `patch` does not divide the sides, or
            if `width` is not a multiple of `num_heads`.

    Reference: Dosovitskiy et al. 2021, section 3.1, https://arxiv.org/abs/2010.11929;
        with a norm before the first block, Radford et al. 2021, section 2.4,
        https://arxiv.org/abs/2103.00020
    """

    casts_inputs = False  # pictures stay float32

    image_shape: ImageShape = LATER
    patch: Size = 4
    depth: Size = 4
    width: Size = 128
    num_heads: Size = 4
    inner_width: Size | None = None
    dropout: Rate = 0.0
    activation: str = "gelu"

    def check(self):
        check_activation(self.activation)
        check_heads(self.width, self.num_heads)
        check_sides(self.image_shape, self.patch)

    @property
    def pooled_width(self):
        return self.width

    @property
    def grid(self):
        """`(rows, columns)` of patches."""
        rows, columns, _ = self.image_shape
        return rows // self.patch, columns // self.patch

    def make(self):
        policy, (rows, columns) = self.dtype_policy, self.grid
        self.patches = keras.layers.Dense(
            self.width,
            use_bias=False,
            kernel_initializer=_start(),
            dtype=policy,
            name="patches",
        )
        self.patches.build((None, None, self.patch**2 * self.image_shape[-1]))
        self.class_token = self.add_weight(
            (self.width,), initializer=_start(), name="class_token"
        )
        self.positions = LearnedPositions(
            rows * columns + 1, self.width, _start(), dtype=policy, name="positions"
        )
        self.positions.build()
        self.embedding_norm = layer_norm("embedding_norm")
        self.drop = keras.layers.Dropout(self.dropout, dtype=policy, name="dropout")
        self.encoder = make_stack(
            EncoderStack,
            self.depth,
            self.width,
            "encoder",
            pre_norm=True,
            dtype=policy,
            num_heads=self.num_heads,
            hidden=self.inner_width or 4 * self.width,
            activation=ACTIVATIONS[self.activation],
            initializer=_start,
            dropout=self.dropout,
        )
        for layer in (self.embedding_norm, self.encoder):
            layer.build((None, None, self.width))

    def call(self, images, training=False):
        return ops.cast(self.hidden(images)[:, 0], "float32")

    def hidden(self, images):
        """The vectors of all places.

        Args:
            images: see the call arguments.

        Returns:
            float `(B, 1 + rows * columns, width)` of the compute dtype: that of the
            class token, then those of the patches, row by row.
        """
        x = to_patches(ops.cast(images, self.compute_dtype), self.patch)
        x = self.patches(x)
        first = ops.cast(self.class_token, x.dtype) + ops.zeros_like(x[:, :1])
        x = ops.concatenate([first, x], axis=1)
        x = x + self.positions(ops.arange(x.shape[1])[None])
        x = self.drop(ops.cast(self.embedding_norm(x), self.compute_dtype))
        return self.encoder(x)
