"""PictureEncoder: a small residual network that keeps a vector of each place."""

import keras
from keras import ops

from keras_genai.checks import check_layer_sizes, check_rates, check_sizes
from keras_genai.layers.convolution import (
    Downsample,
    GroupNorm,
    ResidualBlock,
    convolution,
)
from keras_genai.layers.positions import LearnedPositions
from keras_genai.registry import register


def residual_stages(widths, blocks, dropout, dtype):
    """Residual blocks in stages, each of half the side, built.

    Args:
        widths: tuple of int, channels of each stage; what is read has the first ones.
        blocks: int, of each stage.
        dropout: float. Rate in the blocks.
        dtype: dtype policy.

    Returns:
        list of layers, to be called one after the other.
    """
    parts, width = [], widths[0]
    for stage, size in enumerate(widths):
        own = []
        if stage:
            own = [Downsample(size, name=f"down_{stage}", dtype=dtype)]
        own += [
            ResidualBlock(
                size, dropout, dtype=dtype, name=f"stage_{stage}_block_{index}"
            )
            for index in range(blocks)
        ]
        for part in own:
            part.build((None, None, None, width))
            width = size
        parts += own
    return parts


@register
class PictureEncoder(keras.layers.Layer):
    """Residual blocks over a picture, and a vector of each place that is left.

    Groups are normalised instead of batches, so that the vectors of a picture do not
    depend on the others of its batch. A learned vector of its place is added to each.

    Args:
        widths: tuple of int, channels of each stage; all but the first halve the side.
        blocks: int. Residual blocks of each stage.
        stride: int, of the first convolution, in pixels.
        dropout: float. Rate in the blocks.

    Call arguments:
        images: float `(B, H, W, C)`, centred at 0.
        training: bool.

    Returns:
        float `(B, S, widths[-1])`, the places row by row.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range.

    Reference: He et al. 2016, section 3, https://arxiv.org/abs/1603.05027;
        Xu et al. 2015, section 3.1.1, https://arxiv.org/abs/1502.03044 (a vector a
        place)
    """

    def __init__(self, widths=(64, 128), blocks=2, stride=2, dropout=0.0, **kwargs):
        super().__init__(**kwargs)
        check_layer_sizes("widths", tuple(widths))
        check_sizes(blocks=blocks, stride=stride)
        check_rates(dropout=dropout)
        self.widths = tuple(widths)
        self.blocks = blocks
        self.stride = stride
        self.dropout_rate = dropout
        policy = self.dtype_policy
        self.stem = convolution(self.widths[0], "stem", policy, strides=stride)
        self.norm = GroupNorm(dtype=policy, name="norm")

    @property
    def width(self):
        """int: length of a vector."""
        return self.widths[-1]

    def grid(self, image_shape):
        """`(rows, columns)` of the places of pictures `(H, W, C)`."""
        shrinks = self.stride, *[2] * (len(self.widths) - 1)
        sides = list(image_shape[:2])
        for shrink in shrinks:
            sides = [-(-side // shrink) for side in sides]
        return tuple(sides)

    def build(self, images_shape):
        self.stem.build(images_shape)
        self.parts = residual_stages(
            self.widths, self.blocks, self.dropout_rate, self.dtype_policy
        )
        self.norm.build((None, None, None, self.width))
        rows, columns = self.grid(images_shape[1:])
        self.positions = LearnedPositions(
            rows * columns,
            self.width,
            keras.initializers.RandomNormal(stddev=0.02),
            dtype=self.dtype_policy,
            name="positions",
        )
        self.positions.build()

    def call(self, images, training=False):
        x = self.stem(ops.cast(images, self.compute_dtype))
        for part in self.parts:
            if isinstance(part, ResidualBlock):
                x = part(x, training=training)
            else:
                x = part(x)
        x = ops.silu(self.norm(x))
        places = self.positions.context
        x = ops.reshape(x, (-1, places, self.width))
        return x + self.positions(ops.arange(places)[None])

    def get_config(self):
        return {
            **super().get_config(),
            "widths": self.widths,
            "blocks": self.blocks,
            "stride": self.stride,
            "dropout": self.dropout_rate,
        }
