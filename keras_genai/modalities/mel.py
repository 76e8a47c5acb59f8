"""Mel: sounds as how loud they are in each band of pitch, frame by frame."""

import dataclasses

import numpy as np

from keras_genai.checks import check_integer
from keras_genai.layers.mel import LogMel
from keras_genai.modalities import sound_pictures
from keras_genai.modalities.audio import Audio
from keras_genai.modalities.base import Modality
from keras_genai.modalities.fields import FINITE, Field, Lengths
from keras_genai.padding import pad_sequence
from keras_genai.registry import register


@dataclasses.dataclass(frozen=True)
class Frames(Field):
    """Log-mel spectrograms of one length, or of any.

    Args:
        length: int or `None`, frames.
        bands: int.
    """

    length: int | None
    bands: int
    kinds = "f"

    @property
    def shape(self):
        return (self.length, self.bands)

    @property
    def allowed(self):
        length = self.length or "frames"
        return f"finite float of shape (batch, {length}, {self.bands})"

    def span(self):
        return FINITE


@register
@dataclasses.dataclass(frozen=True)
class Mel(LogMel, Modality):
    """Log-mel spectrograms of sounds: a `keras_genai.layers.LogMel` that reads files.

    A batch has `"mels"`, float `(B, T, bands)`, and unless all are of one `length`,
    `"frames"`, int `(B,)`: how many of each row are sound, before the padding.

    Args:
        rate, window, hop, bands, ...: see `keras_genai.layers.LogMel`.
        length: int or `None`. Frames of each sound. Shorter ones are followed by
            silence.

    Raises:
        TypeError: if a number is of another type.
        ValueError: if one is out of its range.
    """

    length: int | None = None

    key, suffix, noun = "mels", ".npy", "spectrograms"

    def __post_init__(self):
        super().__post_init__()
        if self.length is not None:
            check_integer("length", self.length, 1)

    @property
    def numbers(self):
        return (self.length or 1) * self.bands

    @property
    def sizes(self):
        return {"bands": self.bands, "hop": self.hop}

    @property
    def fields(self):
        mels = {self.key: Frames(self.length, self.bands)}
        return mels if self.length else {**mels, "frames": Lengths(self.key)}

    def read(self, value, name=None):
        """Spectrograms of sounds that a person has.

        Args:
            value: whatever `Audio.read` takes.
            name: see `Modality`.

        Returns:
            list of float32 `(T, bands)`; with a `length`, float32
            `(N, length, bands)`.

        Raises:
            OSError: if a file cannot be read.
            ValueError: if samples are not as they must be, or longer than `length`.
        """
        samples = self.length and self.length * self.hop
        waves = Audio(self.rate, samples).read(value, name or self.key)
        rows = [self(wave[None])[0].numpy() for wave in waves]
        if self.length is None:
            return rows
        return np.stack([row[: self.length] for row in rows])

    def batch(self, rows):
        if self.length is not None:
            return {self.key: rows}
        lengths = np.array([len(row) for row in rows], "int32")
        return {self.key: pad_sequence(rows), "frames": lengths}

    def picture(self, value):
        """bytes of a PNG: the first of the spectrograms, one below the other."""
        return sound_pictures.of_mels(_several(value))


def _several(value):
    """list of float `(T, bands)`: of one spectrogram, or of several."""
    value = [value] if getattr(value, "ndim", 3) == 2 else value
    return [np.asarray(mel) for mel in value]
