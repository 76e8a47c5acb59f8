"""Whisper: what is said in a sound, in its own language or in English."""

import keras
import numpy as np
from keras import ops

from keras_genai.checks import check_heads
from keras_genai.declared import LATER, Count, Rate, Size
from keras_genai.layers.embedding import token_logits, token_table
from keras_genai.layers.feedforward import ACTIVATIONS, check_activation
from keras_genai.layers.positions import LearnedPositions
from keras_genai.layers.stacks import DecoderStack, EncoderStack
from keras_genai.networks.sequence_pair import TwoStacks
from keras_genai.registry import register

SLOWEST = 10_000  # radians-per-position ratio of the fastest wave and the slowest


@register
class Whisper(TwoStacks):
    """Encoder-decoder transformer that reads log-mel spectrograms of one length.

    Two convolutions, the second of which leaves out every other frame, stand before
    an encoder with fixed sinusoids as positions. Its blocks, and those of the decoder,
    normalise what enters them. It hears all of the frames: sounds that are shorter are
    followed by silence, as in its training, and `inputs_mask` hides nothing.

    Args:
        bands: int, of the spectrograms. A task fills it in from its `Mel`.
        vocabulary_size: int. A task fills it in from its tokenizer.
        sound_context: int. Positions of the encoder, half as many as frames.
        context: int, in tokens, of what is written.
        encoder_depth: int. Number of blocks.
        decoder_depth: int.
        width: int. Length of a token's vector.
        num_heads: int.
        decoder_num_heads: int or `None`, as many as the encoder's.
        inner_width: int or `None` (`4 * width`). Width inside the feed-forward
            networks.
        decoder_inner_width: int or `None`, as wide as the encoder's.
        activation: `"relu"`, `"gelu"`, `"gelu_tanh"` or `"silu"`, in blocks; that of
            the convolutions is GELU.
        dropout: float. Rate after positions and after every part of a block.

    Call arguments and returns: see `SequencePairNetwork`; the inputs are float
        `(B, 2 * sound_context, bands)`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range, if `width` is odd or not a multiple of a
            number of heads, or if there are not as many frames.

    Reference: Radford et al. 2022, section 2.2, https://arxiv.org/abs/2212.04356
    """

    bands: Size = LATER
    vocabulary_size: Count = LATER
    sound_context: Count = 1500
    context: Count = 448
    encoder_depth: Size
    decoder_depth: Size
    width: Size
    num_heads: Size
    decoder_num_heads: Size | None = None
    inner_width: Size | None = None
    decoder_inner_width: Size | None = None
    activation: str = "gelu"
    dropout: Rate = 0.0

    def check(self):
        check_activation(self.activation)
        for heads in (self.num_heads, self.decoder_num_heads):
            check_heads(self.width, heads or self.num_heads)
        if self.width % 2 or self.width < 4:
            raise ValueError(
                f"`width` must be an even int >= 4. Received: width={self.width}"
            )

    def make(self):
        policy = self.dtype_policy
        self.conv_1 = self._make_convolution("conv_1", self.bands, 1)
        self.conv_2 = self._make_convolution("conv_2", self.width, 2)
        self.encoder_positions = self.add_weight(
            (self.sound_context, self.width),
            initializer=lambda shape, dtype=None: ops.cast(sinusoids(*shape), dtype),
            trainable=False,
            name="encoder_positions",
        )
        self.embedding = token_table(
            self.vocabulary_size, self.width, _normal(), policy
        )
        self.decoder_positions = LearnedPositions(
            self.context, self.width, _normal(), dtype=policy, name="decoder_positions"
        )
        self.decoder_positions.build()
        self.drop = keras.layers.Dropout(self.dropout, dtype=policy, name="dropout")
        block = dict(
            activation=ACTIVATIONS[self.activation], initializer=_normal, pre_norm=True
        )
        self.encoder = self.make_stack(
            EncoderStack, self.encoder_depth, self.num_heads, self.inner_width, **block
        )
        self.decoder = self.make_stack(
            DecoderStack,
            self.decoder_depth,
            self.decoder_num_heads or self.num_heads,
            self.decoder_inner_width or self.inner_width,
            **block,
        )

    def _make_convolution(self, name, channels, stride):
        layer = keras.layers.Conv1D(
            self.width,
            3,
            strides=stride,
            activation=ACTIVATIONS["gelu"],
            kernel_initializer=_normal(),
            dtype=self.dtype_policy,
            name=name,
        )
        layer.build((None, None, channels))
        return layer

    def encode(self, inputs, inputs_mask=None):
        x = self.encoder(self.embed_inputs(inputs))
        return self.decoder.project_memory(x, ops.ones_like(x[:, :, 0], dtype="bool"))

    def embed_inputs(self, inputs, positions=None):
        if inputs.shape[1] not in (None, 2 * self.sound_context):
            raise ValueError(
                f"`inputs` must have {2 * self.sound_context} frames, twice "
                f"`sound_context`. Received: shape {tuple(inputs.shape)}"
            )
        x = ops.cast(inputs, self.compute_dtype)
        for convolution in (self.conv_1, self.conv_2):
            # By hand, because "same" would pad an even number of frames on one side.
            x = convolution(ops.pad(x, ((0, 0), (1, 1), (0, 0))))
        return self.drop(x + ops.cast(self.encoder_positions, x.dtype))

    def embed_targets(self, tokens, positions):
        return self.drop(self.embedding(tokens) + self.decoder_positions(positions))

    def logits(self, hidden):
        return token_logits(hidden, self.embedding)


def sinusoids(length, channels):
    """float32 `(length, channels)`: sines of each position, then its cosines.

    Args:
        length: int.
        channels: even int >= 4. Half as many waves, whose frequencies fall
            geometrically from 1 to `1 / SLOWEST`.
    """
    half = channels // 2
    frequencies = SLOWEST ** (-np.arange(half) / (half - 1))
    angles = np.arange(length)[:, None] * frequencies
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1).astype("float32")


def _normal():
    """A fresh initializer: one object draws the same numbers every time."""
    return keras.initializers.RandomNormal(stddev=0.02)
