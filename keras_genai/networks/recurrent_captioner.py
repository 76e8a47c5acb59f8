"""RecurrentCaptioner: Show, Attend and Tell, what a picture shows, word by word."""

from keras import ops

from keras_genai.declared import LATER, ImageShape, Size, Sizes
from keras_genai.layers.picture_encoder import PictureEncoder
from keras_genai.networks.recurrent_encoder_decoder import RecurrentEncoderDecoder
from keras_genai.registry import register


@register
class RecurrentCaptioner(RecurrentEncoderDecoder):
    """A convolutional encoder of pictures, and a recurrent decoder that looks at it.

    A picture becomes a grid of vectors, and in every step the decoder looks at some of
    them. It begins with a layer's worth of their mean. The gate of the paper and its
    penalty on uneven attention are left out.

    Args:
        image_shape: `(H, W, C)`. A task fills it in from its pictures.
        widths: tuple of int, channels of each stage of the encoder.
        blocks: int. Residual blocks of each stage.
        stride: int, of the first convolution, in pixels.
        vocabulary_size, embedding_dim, units, num_layers, cell, attention, dropout,
            tie_embeddings: see `RecurrentEncoderDecoder`; with `"dot"`, `units` is
            `widths[-1]`.

    Call arguments and returns: see `SequencePairNetwork`; the inputs are float
        `(B, H, W, C)`, centred at 0, and their mask is not looked at, as a picture is
        all real.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range, if `cell` or `attention` is unknown, or
            if `units` is not that of the pictures' vectors with `"dot"`.

    Reference: Xu et al. 2015, section 3.1, https://arxiv.org/abs/1502.03044
    """

    jit_generate = False  # XLA's convolutions are slow on CPUs
    casts_inputs = False  # pictures stay float32

    image_shape: ImageShape = LATER
    widths: Sizes = (64, 128)
    blocks: Size = 2
    stride: Size = 2

    def check(self):
        if self.attention == "dot" and self.units != self.widths[-1]:
            raise ValueError(
                f"`units` must be {self.widths[-1]}, those of `widths`, with "
                f"attention='dot'. Received: units={self.units}"
            )

    @property
    def grid(self):
        """`(rows, columns)` of what the decoder looks at."""
        return self.encoder.grid(self.image_shape)

    def make_encoder(self):
        encoder = PictureEncoder(
            self.widths,
            self.blocks,
            self.stride,
            self.dropout,
            dtype=self.dtype_policy,
            name="encoder",
        )
        encoder.build((None, *self.image_shape))
        return encoder, encoder.width

    def look(self, inputs, inputs_mask):
        encoded = self.encoder(inputs)
        valid = ops.ones_like(encoded[:, :, 0], dtype="bool")
        return encoded, valid, [ops.mean(encoded, axis=1)] * len(self.bridges)
