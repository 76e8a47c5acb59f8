"""A small residual convolutional network that makes one vector of a picture."""

from keras import ops

from keras_genai.declared import LATER, ImageShape, Rate, Size, Sizes
from keras_genai.layers.convolution import GroupNorm, convolution
from keras_genai.layers.picture_encoder import residual_stages
from keras_genai.networks.base import Network
from keras_genai.registry import register


@register
class ResidualEncoder(Network):
    """Residual blocks, each stage of half the side and more channels, then the mean.

    Groups are normalised instead of batches, so that a picture's vector does not
    depend on the others of its batch.

    Args:
        image_shape: `(H, W, C)`. A task fills it in from its pictures.
        widths: tuple of int, channels of each stage.
        blocks: int. Residual blocks of each stage.
        stride: int, of the first convolution, in pixels.
        dropout: float. Rate in the blocks.

    Attributes:
        pooled_width: int, of the vector of a picture.

    Call arguments:
        images: float `(B, H, W, C)`, centred at 0.
        training: bool.

    Returns:
        float32 `(B, widths[-1])`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range.

    Reference: He et al. 2016, section 3, https://arxiv.org/abs/1603.05027
    """

    jit_generate = False  # XLA's convolutions are slow on CPUs
    casts_inputs = False  # pictures stay float32

    image_shape: ImageShape = LATER
    widths: Sizes = (64, 128, 256)
    blocks: Size = 1
    stride: Size = 1
    dropout: Rate = 0.0

    @property
    def pooled_width(self):
        return self.widths[-1]

    def make(self):
        policy = self.dtype_policy
        self.stem = convolution(self.widths[0], "stem", policy, strides=self.stride)
        self.stem.build((None, *self.image_shape))
        self.parts = residual_stages(self.widths, self.blocks, self.dropout, policy)
        self.norm = GroupNorm(dtype=policy, name="norm")
        self.norm.build((None, None, None, self.widths[-1]))

    def call(self, images, training=False):
        x = self.stem(ops.cast(images, self.compute_dtype))
        for part in self.parts:
            x = part(x)
        x = ops.silu(self.norm(x))
        return ops.mean(ops.cast(x, "float32"), axis=(1, 2))
