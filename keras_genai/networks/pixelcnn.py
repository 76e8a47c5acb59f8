"""PixelCNN: a grid of pixels or codes, each predicted from those before it."""

import keras
from keras import ops

from keras_genai.declared import LATER, Rate, Size
from keras_genai.layers.masked import MaskedBlock, MaskedConvolution
from keras_genai.networks.base import Network
from keras_genai.registry import register


@register
class PixelCNN(Network):
    """Masked convolutions in residual blocks over a grid of codes.

    Args:
        num_codes: int.
        num_classes: int or `None`. If given, everything is conditioned on labels.
        width: int. Channels between the blocks.
        depth: int. Residual blocks.
        dropout: float. Rate inside the blocks.

    Call arguments:
        codes: int32 `(B, h, w)`.
        labels: int `(B,)`, or `None` without classes.
        training: bool.

    Returns:
        float32 logits `(B, h, w, num_codes)` of every code, from those above it and to
        its left.

    Raises:
        ValueError: if an argument is out of range.

    Reference: van den Oord et al. 2016, sections 3.3-3.4,
        https://arxiv.org/abs/1601.06759; sizes as in
        https://keras.io/examples/generative/pixelcnn
    """

    jit_generate = False  # XLA's convolutions are slow on CPUs
    channels = 1  # of the pictures that a model of pixels draws

    num_codes: Size = LATER
    num_classes: Size | None = None
    width: Size = 128
    depth: Size = 5
    dropout: Rate = 0.0

    def make(self):
        policy = self.dtype_policy
        self.first = MaskedConvolution(
            self.width, 7, see_centre=False, dtype=policy, name="first"
        )
        self.first.build((None, None, None, self.num_codes))
        self.blocks = [
            MaskedBlock(
                self.width,
                self.dropout,
                self.num_classes,
                dtype=policy,
                name=f"block_{index}",
            )
            for index in range(self.depth)
        ]
        shape = (None, None, None, self.width)
        for block in self.blocks:
            block.build(shape)
        self.hidden = keras.layers.Dense(
            self.width, "relu", dtype=policy, name="hidden"
        )
        self.head = keras.layers.Dense(self.num_codes, dtype=policy, name="head")
        self.hidden.build(shape)
        self.head.build(shape)

    def call(self, codes, labels=None, training=False):
        x = ops.one_hot(codes, self.num_codes, dtype=self.compute_dtype)
        x = self.first(x)
        for block in self.blocks:
            x = block(x, labels, training=training)
        return ops.cast(self.head(self.hidden(ops.relu(x))), "float32")
