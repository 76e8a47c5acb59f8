"""SpeechEncoderDecoder: what is said in a sound, token by token."""

import functools

import keras

from keras_genai.checks import check_heads
from keras_genai.declared import LATER, Count, Rate, Size, Sizes
from keras_genai.layers.embedding import token_logits, token_table
from keras_genai.layers.feedforward import ACTIVATIONS
from keras_genai.layers.positions import LearnedPositions
from keras_genai.layers.spec_augment import SpecAugment
from keras_genai.layers.speech import SpeechEncoder
from keras_genai.layers.stacks import DecoderStack
from keras_genai.networks.sequence_pair import TwoStacks
from keras_genai.registry import register


@register
class SpeechEncoderDecoder(TwoStacks):
    """A recurrent listener, and transformer blocks that write while they look at it.

    Args:
        bands: int, of the spectrograms. A task fills it in from its `Mel`.
        vocabulary_size: int. A task fills it in from its tokenizer.
        context: int, in tokens, of what is written. Sounds may be of any length.
        decoder_depth: int. Number of blocks.
        width: int. Length of a token's vector, and both directions of the listener.
        num_heads: int.
        strides: tuple of int, one for each convolution of the listener.
        num_layers: int, recurrent ones.
        dropout: float. Rate of both sides.
        augmentation: `SpecAugment`, what is left out in training, or `None`.

    Call arguments and returns: see `SequencePairNetwork`; the inputs are float
        `(B, S, bands)`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range, or if `width` is not a multiple of twice
            `num_heads`.

    Reference: Chan et al. 2016, Listen, Attend and Spell,
        https://arxiv.org/abs/1508.01211, whose speller is recurrent
    """

    bands: Size = LATER
    vocabulary_size: Count = LATER
    context: Count = 64
    decoder_depth: Size = 2
    width: Size = 256
    num_heads: Size = 4
    strides: Sizes = (1, 2)
    num_layers: Size = 2
    dropout: Rate = 0.2
    augmentation: SpecAugment | None = None

    def check(self):
        check_heads(self.width, self.num_heads)
        if self.width % 2:
            raise ValueError(
                "`width` must be even, half for each direction. "
                f"Received: width={self.width}"
            )

    def make(self):
        policy = self.dtype_policy
        deviation = self.width**-0.5
        self.encoder = SpeechEncoder(
            filters=self.width // 2,
            strides=self.strides,
            units=self.width // 2,
            num_layers=self.num_layers,
            dropout=self.dropout,
            augmentation=self.augmentation,
            dtype=policy,
            name="encoder",
        )
        self.encoder.build((None, None, self.bands))
        start = functools.partial(keras.initializers.RandomNormal, stddev=deviation)
        self.embedding = token_table(self.vocabulary_size, self.width, start(), policy)
        self.positions = LearnedPositions(
            self.context, self.width, start(), dtype=policy, name="positions"
        )
        self.positions.build()
        self.drop = keras.layers.Dropout(self.dropout, dtype=policy, name="dropout")
        self.decoder = self.make_stack(
            DecoderStack,
            self.decoder_depth,
            self.num_heads,
            activation=ACTIVATIONS["gelu"],
            initializer=keras.initializers.GlorotUniform,
            pre_norm=True,
        )

    def encode(self, inputs, inputs_mask):
        encoded, mask = self.encoder(inputs, inputs_mask)
        return self.decoder.project_memory(encoded, mask)

    def embed_targets(self, tokens, positions):
        x = self.embedding(tokens) * self.width**0.5
        return self.drop(x + self.positions(positions))

    def logits(self, hidden):
        return token_logits(hidden, self.embedding)

    def frame_count(self, frames):
        """How many vectors the decoder sees of so many frames."""
        return self.encoder.frame_count(frames)
