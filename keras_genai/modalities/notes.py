"""Notes: music of several voices on a grid of time, read and written as MIDI."""

import dataclasses
import itertools
import os

import numpy as np

from keras_genai.checks import check_integer, check_number
from keras_genai.files.midi import encode_midi, read_midi
from keras_genai.files.wav import encode_wav
from keras_genai.files.writing import write_bytes
from keras_genai.modalities import piano_roll, scores
from keras_genai.modalities.base import Modality
from keras_genai.modalities.fields import BATCH, Field
from keras_genai.modalities.grids import png
from keras_genai.modalities.synthesis import RATE, synthesize
from keras_genai.registry import register

_BAR = 4  # quarters between the lines of a picture, and of silence between pieces


@dataclasses.dataclass(frozen=True)
class Pitches(Field):
    """Scores, as `keras_genai.modalities.scores` has them."""

    steps: int | None
    voices: int
    lowest: int
    highest: int
    kinds, dtype = "iu", "int32"

    @property
    def shape(self):
        return (self.steps, self.voices)

    @property
    def allowed(self):
        steps = "steps" if self.steps is None else self.steps
        return (
            f"pitches from {self.lowest} to {self.highest}, 0 for silence or -1 beyond "
            f"the end, ints of shape ({BATCH}, {steps}, {self.voices})"
        )

    def span(self):
        return scores.BEYOND, self.highest

    def check(self, name, array):
        super().check(name, array)
        low = array[(array > scores.SILENT) & (array < self.lowest)]
        if low.size:
            raise self.refusal(name, float(low.min()), float(low.max()))


@register
@dataclasses.dataclass(frozen=True)
class Notes(Modality):
    """Pieces of music: the pitch of each voice at each step of a grid.

    A value is an int32 array `(N, T, V)` of N pieces: MIDI pitches, 60 is the middle C;
    0 where a voice is silent; -1 beyond the end of a piece. A pitch that stays is one
    note that is held. As a file it is MIDI, one piece after the other and a track a
    voice; beside it lie its sound, `.wav`, and its piano roll, `.png`.

    Args:
        voices: int, V.
        steps: int, T of the pieces in a batch, or `None`: any.
        lowest, highest: int, pitches that occur; the 88 keys of a piano.
        per_quarter: int, steps in a quarter: 4 are sixteenths.
        tempo: float, quarters a minute of what is written.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range.
    """

    voices: int
    steps: int | None = None
    lowest: int = 21
    highest: int = 108
    per_quarter: int = 4
    tempo: float = 80.0

    key, suffix, noun = "notes", ".mid", "pieces"

    def __post_init__(self):
        check_integer("voices", self.voices, 1)
        if self.steps is not None:
            check_integer("steps", self.steps, 1)
        check_integer("lowest", self.lowest, 1)
        check_integer("highest", self.highest, self.lowest)
        if self.highest > 127:
            raise ValueError(
                f"`highest` must be at most 127. Received: highest={self.highest}"
            )
        check_integer("per_quarter", self.per_quarter, 1)
        check_number("tempo", self.tempo, "from 4 to 1000", lambda t: 4 <= t <= 1000)

    @property
    def num_keys(self):
        """int: pitches from the lowest to the highest."""
        return self.highest - self.lowest + 1

    @property
    def numbers(self):
        return (self.steps or scores.MOST_STEPS) * self.voices

    @property
    def fields(self):
        return {self.key: Pitches(self.steps, self.voices, self.lowest, self.highest)}

    @property
    def sizes(self):
        return {"num_keys": self.num_keys}

    def read(self, value, name=None):
        """Pieces that a person has.

        Args:
            value: a path of a MIDI file, an int array `(T, V)`, or a list of those; or
                an array `(N, T, V)`.
            name: see `Modality`.

        Returns:
            int32 `(N, T, V)`, -1 beyond the end of a piece.

        Raises:
            ValueError: if a piece has more voices or steps, or another pitch.
            OSError: if a file cannot be read.
        """
        name = name or self.key
        single = isinstance(value, str | os.PathLike) or getattr(value, "ndim", 3) == 2
        if not single and not isinstance(value, list | tuple | np.ndarray):
            raise ValueError(
                f"`{name}` must be a path of a MIDI file, an array (T, {self.voices}), "
                f"or several. Received: {value!r:.60}"
            )
        pieces = [self._piece(each, name) for each in ([value] if single else value)]
        if not pieces:
            raise ValueError(f"`{name}` must be at least one piece. Received: none")
        length = self.steps or max(map(len, pieces))
        found = np.full((len(pieces), length, self.voices), scores.BEYOND, "int32")
        for row, piece in zip(found, pieces, strict=True):
            row[: len(piece)] = piece
        return found

    def read_any(self, value, name=None):
        """As `read`, of pieces of any length."""
        return dataclasses.replace(self, steps=None).read(value, name)

    def _piece(self, value, name):
        if isinstance(value, str | os.PathLike):
            name = str(value)
            notes = read_midi(value)
            value = scores.of_notes(notes, self.voices, self.per_quarter, name)
        piece = np.asarray(value)
        good = piece.dtype.kind in "iu" and piece.shape == (len(piece), self.voices)
        if not good or not 1 <= len(piece) <= (self.steps or scores.MOST_STEPS):
            steps = f"1 to {self.steps or scores.MOST_STEPS}"
            raise ValueError(
                f"`{name}` must be ints of shape (steps, {self.voices}), {steps} "
                f"steps. Received: {piece.dtype} of shape {piece.shape}"
            )
        allowed = (piece == scores.SILENT) | (piece == scores.BEYOND)
        allowed |= (piece >= self.lowest) & (piece <= self.highest)
        if not allowed.all():
            raise ValueError(
                f"`{name}` must have pitches from {self.lowest} to {self.highest}, 0 "
                f"for silence or -1 beyond the end. Received: {piece[~allowed][0]}"
            )
        return piece

    def encode(self, value):
        voices = [list(voice) for voice in zip(*self._played(value), strict=True)]
        parts = [itertools.chain(*voice) for voice in voices]
        return encode_midi(parts, self.tempo)

    def sound(self, value):
        """bytes of a WAV file: what a value sounds like."""
        pieces = self._played(value)
        notes = itertools.chain(*(voice for piece in pieces for voice in piece))
        return encode_wav(synthesize(notes, self.tempo), RATE)

    def picture(self, value):
        return png(piano_roll.draw(value, _BAR * self.per_quarter))

    def write(self, path, value):
        """As `Modality.write`, and beside it the sound and the piano roll."""
        path = super().write(path, value)
        write_bytes(path.with_suffix(".wav"), self.sound(value))
        write_bytes(path.with_suffix(".png"), self.picture(value))
        return path

    def _played(self, value):
        """The notes of each voice of each piece, the pieces one after the other."""
        found, begin = [], 0.0
        for piece in np.asarray(value):
            voices = scores.to_notes(piece, self.per_quarter)
            found.append([[_later(n, begin) for n in voice] for voice in voices])
            length = (piece != scores.BEYOND).any(axis=1).sum() / self.per_quarter
            begin += -(-length // _BAR) * _BAR + _BAR
        return found


def _later(note, quarters):
    return note._replace(begin=note.begin + quarters, end=note.end + quarters)
