"""VisionEncoderDecoder: what a picture shows, by a transformer, token by token."""

import functools
from typing import Annotated

import keras
from keras import ops

from keras_genai.checks import check_heads, check_size
from keras_genai.declared import LATER, Count, ImageShape, Rate, Size, Sizes
from keras_genai.layers.embedding import token_logits, token_table
from keras_genai.layers.feedforward import ACTIVATIONS
from keras_genai.layers.picture_encoder import PictureEncoder
from keras_genai.layers.positions import LearnedPositions
from keras_genai.layers.stacks import DecoderStack, EncoderStack
from keras_genai.networks.sequence_pair import TwoStacks
from keras_genai.registry import register

Depth = Annotated[int, functools.partial(check_size, least=0)]


@register
class VisionEncoderDecoder(TwoStacks):
    """Convolutions, transformer blocks over their grid, and others that write.

    Args:
        image_shape: `(H, W, C)`. A task fills it in from its pictures.
        vocabulary_size: int. A task fills it in from its tokenizer.
        context: int, in tokens, of what is written.
        widths: tuple of int, channels of each stage of the convolutions.
        blocks: int. Residual blocks of each stage.
        stride: int, of the first convolution, in pixels.
        encoder_depth: int. Blocks in which all places of a picture see each other; 0
            leaves it to the convolutions.
        decoder_depth: int. Number of blocks.
        width: int. Length of a token's vector.
        num_heads: int.
        dropout: float. Rate of both sides.

    Call arguments and returns: see `SequencePairNetwork`; the inputs are float
        `(B, H, W, C)`, centred at 0, and their mask is not looked at, as a picture is
        all real.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range, or if `width` is not a multiple of
            `num_heads`.

    Reference: Dosovitskiy et al. 2021, section 3.1, hybrid architecture,
        https://arxiv.org/abs/2010.11929; Li et al. 2021, section 3.1,
        https://arxiv.org/abs/2109.10282 (a transformer that writes what it sees)
    """

    jit_generate = False  # XLA's convolutions are slow on CPUs
    casts_inputs = False  # pictures stay float32

    image_shape: ImageShape = LATER
    vocabulary_size: Count = LATER
    context: Count = 32
    widths: Sizes = (64, 128)
    blocks: Size = 2
    stride: Size = 2
    encoder_depth: Depth = 0
    decoder_depth: Size = 2
    width: Size = 128
    num_heads: Size = 4
    dropout: Rate = 0.1

    def check(self):
        check_heads(self.width, self.num_heads)

    def make(self):
        policy = self.dtype_policy
        self.pictures = PictureEncoder(
            self.widths,
            self.blocks,
            self.stride,
            self.dropout,
            dtype=policy,
            name="pictures",
        )
        self.pictures.build((None, *self.image_shape))
        self.bridge = keras.layers.Dense(self.width, dtype=policy, name="bridge")
        self.bridge.build((None, None, self.pictures.width))
        start = functools.partial(
            keras.initializers.RandomNormal, stddev=self.width**-0.5
        )
        self.embedding = token_table(self.vocabulary_size, self.width, start(), policy)
        self.positions = LearnedPositions(
            self.context, self.width, start(), dtype=policy, name="positions"
        )
        self.positions.build()
        self.drop = keras.layers.Dropout(self.dropout, dtype=policy, name="dropout")
        stack = functools.partial(
            self.make_stack,
            num_heads=self.num_heads,
            activation=ACTIVATIONS["gelu"],
            initializer=keras.initializers.GlorotUniform,
            pre_norm=True,
        )
        self.encoder = None
        if self.encoder_depth:
            self.encoder = stack(EncoderStack, self.encoder_depth)
        self.decoder = stack(DecoderStack, self.decoder_depth)

    def encode(self, inputs, inputs_mask):
        x = self.drop(self.bridge(self.pictures(inputs)))
        if self.encoder is not None:
            x = self.encoder(x)
        mask = ops.ones_like(x[:, :, 0], dtype="bool")
        return self.decoder.project_memory(x, mask)

    def embed_targets(self, tokens, positions):
        x = self.embedding(tokens) * self.width**0.5
        return self.drop(x + self.positions(positions))

    def logits(self, hidden):
        return token_logits(hidden, self.embedding)
