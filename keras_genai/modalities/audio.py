"""Audio: sounds of one channel, float in [-1, 1], however they are handed in."""

import dataclasses
import os

import numpy as np

from keras_genai.checks import check_flag, check_integer
from keras_genai.files.sound import read_sound
from keras_genai.files.wav import LOUDEST, RATES, encode_wav
from keras_genai.modalities import sound_pictures
from keras_genai.modalities.base import Modality
from keras_genai.modalities.fields import Counts, Field, Lengths
from keras_genai.padding import pad_sequence
from keras_genai.registry import register

GAP = 0.25  # seconds of silence between the sounds of one file
_ROUNDING = 1e-3
_MOST_CHANNELS = 8  # as many rows of as few samples are no sounds


@dataclasses.dataclass(frozen=True)
class Waves(Field):
    """Sounds of one length, or of any.

    Args:
        length: int or `None`, samples.
    """

    length: int | None = None
    kinds = "f"

    @property
    def shape(self):
        return (self.length,)

    @property
    def allowed(self):
        return f"float in [-1, 1] of shape (batch, {self.length or 'samples'})"

    def span(self):
        return -1 - _ROUNDING, 1 + _ROUNDING

    def hint(self, low, high):
        return "; divide 16-bit integers by 32768" if low is None or high > 2 else ""


@register
@dataclasses.dataclass(frozen=True)
class Audio(Modality):
    """Sounds of one channel, float in [-1, 1].

    A batch has `"waves"`, float `(B, T)`, and unless all sounds are of one `length`,
    `"samples"`, int `(B,)`: how many of each row are sound, before the padding. If it
    may be of crops, it has `"starts"`, int `(B,)`: at which sample of its sound a row
    begins.

    Args:
        rate: int. Samples a second, Hz. Files of other rates are resampled.
        length: int or `None`. Samples of each sound. Shorter ones are followed by
            silence.
        cropped: bool. Whether rows of a batch may begin amid their sounds.

    Raises:
        TypeError: if one is not an int.
        ValueError: if one is out of range.
    """

    rate: int
    length: int | None = None
    cropped: bool = False

    key, suffix, noun = "waves", ".wav", "sounds"

    def __post_init__(self):
        check_integer("rate", self.rate, RATES[0])
        if self.rate > RATES[1]:
            raise ValueError(
                f"`rate` must be at most {RATES[1]} Hz. Received: rate={self.rate}"
            )
        if self.length is not None:
            check_integer("length", self.length, 1)
        check_flag("cropped", self.cropped)

    @property
    def numbers(self):
        return self.length or 1

    @property
    def fields(self):
        fields = {self.key: Waves(self.length)}
        if self.length is None:
            fields["samples"] = Lengths(self.key)
        if self.cropped:
            fields["starts"] = Counts()
        return fields

    def read(self, value, name=None):
        """Sounds that a person has.

        Args:
            value: path of a file, samples `(T,)`, or several of them: a list, or an
                array `(N, T)`. Samples are float in [-1, 1] or 16-bit integers, at
                `rate`; files may be of any.
            name: see `Modality`.

        Returns:
            list of float32 `(T,)`; with a `length`, float32 `(N, length)`.

        Raises:
            OSError: if a file cannot be read.
            ValueError: if samples are not as they must be, or longer than `length`.
        """
        name = name or self.key
        _check_shape(name, value)
        rows = [self._one(each, name) for each in _several(value)]
        if self.length is None:
            return rows
        longest = max((len(row) for row in rows), default=0)
        if longest > self.length:
            raise ValueError(
                f"`{name}` must have at most {self.length} samples. "
                f"Received: one of {longest}"
            )
        return pad_sequence(rows, length=self.length)

    def batch(self, rows):
        lengths = np.array([len(row) for row in rows], "int32")
        found = {"waves": pad_sequence(rows), "samples": lengths}
        found["starts"] = np.zeros_like(lengths)
        return {key: found[key] for key in self.fields}

    def encode(self, value):
        """bytes of one WAV file: the sounds one after the other, with gaps."""
        gap = np.zeros(round(GAP * self.rate), "float32")
        parts = [part for wave in _several(value) for part in (wave, gap)]
        return encode_wav(np.concatenate(parts[:-1]), self.rate)

    def picture(self, value):
        """bytes of a PNG: how the first of the sounds swing, and their spectra."""
        return sound_pictures.of_waves(_several(value), self.rate)

    def _one(self, value, name):
        if isinstance(value, str | os.PathLike):
            return read_sound(value, self.rate)
        wave = np.asarray(value)
        if wave.dtype == np.int16:
            wave = wave / LOUDEST
        field = Waves()
        field.check_type(name, wave[None])
        if not len(wave):
            raise ValueError(f"`{name}` must have at least one sample. Received: 0")
        field.check(name, wave[None])
        return wave.astype("float32")


def _several(value):
    """list of sounds: of one, of several, or of the rows of an array."""
    if isinstance(value, str | os.PathLike):
        return [value]
    if isinstance(value, list | tuple) and value and not np.isscalar(value[0]):
        return list(value)
    array = np.asarray(value)
    return [array] if array.ndim == 1 else list(array)


def _check_shape(name, value):
    """Raises unless a value is a path, a list, or an array with a row a sound."""
    if isinstance(value, str | os.PathLike | list | tuple):
        return
    shape = np.shape(value)
    if len(shape) not in (1, 2):
        raise ValueError(
            f"`{name}` must be a path, samples (T,), or several of them. "
            f"Received: {type(value).__name__} of shape {shape}"
        )
    if shape[-1] <= _MOST_CHANNELS < shape[0] and len(shape) == 2:
        raise ValueError(
            f"`{name}` must be samples (T,), or (N, T) of several; channels are mixed "
            f"by waves.mean(axis=1). Received: shape {shape}"
        )
