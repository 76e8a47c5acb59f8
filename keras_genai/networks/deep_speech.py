"""DeepSpeech2: what is said in each frame of a sound, for CTC."""

from typing import Literal

import keras
from keras import ops

from keras_genai.declared import LATER, Count, Rate, Size, Sizes
from keras_genai.layers.recurrent import CELLS
from keras_genai.layers.spec_augment import SpecAugment
from keras_genai.layers.speech import SpeechEncoder
from keras_genai.networks.base import Network
from keras_genai.registry import register


@register
class DeepSpeech2(Network):
    """Convolutions over time, recurrent layers both ways, a score of each symbol.

    It is small beside the paper's, and normalises layers instead of batches, so that
    neither padding nor other sounds change what is heard in one.

    Args:
        bands: int, of the spectrograms. A task fills it in from its `Mel`.
        vocabulary_size: int, V, the blank included. A task fills it in from its
            tokenizer.
        filters: int. Channels of each convolution.
        kernel_size: int, frames.
        strides: tuple of int, one for each convolution.
        units: int. Width of each direction.
        num_layers: int, recurrent ones.
        cell: `"simple"`, `"lstm"` or `"gru"`.
        dropout: float. Rate after the convolutions and after every recurrent layer.
        augmentation: `SpecAugment`, what is left out in training, or `None`.

    Call arguments:
        mels: float `(B, T, bands)`.
        frames: int `(B,)`, how many of each row are real.
        training: bool.

    Returns:
        float32 logits `(B, S, V)` of every token, of which 0 is the blank. S is
        `frame_count(T)`; what stands after `frame_count(frames)` means nothing.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range.

    Reference: Amodei et al. 2016, https://arxiv.org/abs/1512.02595
    """

    bands: Size = LATER
    vocabulary_size: Count = LATER
    filters: Size = 128
    kernel_size: Size = 5
    strides: Sizes = (1, 2)
    units: Size = 128
    num_layers: Size = 2
    cell: Literal[*CELLS] = "gru"
    dropout: Rate = 0.2
    augmentation: SpecAugment | None = None

    def make(self):
        policy = self.dtype_policy
        self.encoder = SpeechEncoder(
            filters=self.filters,
            kernel_size=self.kernel_size,
            strides=self.strides,
            units=self.units,
            num_layers=self.num_layers,
            cell=self.cell,
            dropout=self.dropout,
            augmentation=self.augmentation,
            dtype=policy,
            name="encoder",
        )
        self.encoder.build((None, None, self.bands))
        self.head = keras.layers.Dense(self.vocabulary_size, dtype=policy, name="head")
        self.head.build((None, None, self.encoder.width))

    def frame_count(self, frames):
        """How many places of the logits so many frames have: int, or an int tensor."""
        return self.encoder.frame_count(frames)

    def call(self, mels, frames, training=False):
        places = ops.arange(ops.shape(mels)[1], dtype="int32")[None]
        mask = places < ops.cast(frames, "int32")[:, None]
        encoded, _ = self.encoder(mels, mask, training=training)
        return ops.cast(self.head(encoded), "float32")
