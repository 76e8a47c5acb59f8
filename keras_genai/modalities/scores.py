"""Notes on a grid of time: as voices, as the keys that are down, and as notes.

A *score* is an int array `(T, V)`: the MIDI pitch of each voice at each step, 0 where
it is silent and -1 beyond the end. A pitch that stays is one note that is held: a grid
does not tell it from one that is struck again.
"""

import itertools
import math

import numpy as np

from keras_genai.files.midi import Note

SILENT, BEYOND = 0, -1
_MOST_PARTS = 128
MOST_STEPS = 2**14  # of one piece: 68 minutes of sixteenths at 60 quarters a minute


def to_notes(score, per_quarter):
    """The notes of each voice.

    Args:
        score: int `(T, V)`.
        per_quarter: int, steps in a quarter.

    Returns:
        list of V lists of `Note`.
    """
    return [
        [
            Note(begin / per_quarter, end / per_quarter, int(line[begin]), part)
            for begin, end in itertools.pairwise(_changes(line))
            if line[begin] > SILENT
        ]
        for part, line in enumerate(np.asarray(score).T)
    ]


def of_notes(notes, voices, per_quarter, name="notes"):
    """The score of notes, whose begins and ends are moved to the nearest steps.

    A note of which nothing is left has one step, unless its part plays another there.

    As many parts as voices, of one note at a time, are the voices in their order.
    Anything else is shared out by `to_voices`.

    Args:
        notes: sequence of `Note`.
        voices: int, V.
        per_quarter: int, steps in a quarter.
        name: str, what errors call it.

    Returns:
        int32 `(T, V)`.

    Raises:
        ValueError: if there are no notes, more at once than voices, or too many steps.
    """
    # A file may have thousands of parts, each of which is a column.
    notes = [note._replace(part=min(note.part, _MOST_PARTS - 1)) for note in notes]
    spans = [_span(note, per_quarter) for note in notes]
    length = max((max(end, begin + 1) for begin, end in spans), default=0)
    if not 1 <= length <= MOST_STEPS:
        raise ValueError(
            f"`{name}` must have notes in 1 to {MOST_STEPS:,} steps of 1/{per_quarter} "
            f"quarter. Received: {length:,} steps"
        )
    lines = np.zeros((length, max(note.part for note in notes) + 1), "int32")
    keys = np.zeros((length, 128), bool)
    alone = True
    for note, (begin, end) in zip(notes, spans, strict=True):
        line = lines[begin:end, note.part]
        alone = alone and not line.any()
        line[:] = note.pitch
        keys[begin:end, note.pitch] = True
    for note, begin in _short(notes, spans, lines):
        alone = alone and not lines[begin, note.part]
        lines[begin, note.part] = note.pitch
        keys[begin, note.pitch] = True
    if alone and lines.shape[1] == voices:
        return lines
    return to_voices(keys, voices, name=name)


def to_keys(score, lowest, highest):
    """Which keys are down.

    Args:
        score: int `(..., V)`.
        lowest, highest: int, the pitches of the first and the last key. Others are
            left out.

    Returns:
        bool `(..., K)`, K keys.
    """
    pitches = np.arange(lowest, highest + 1)
    return (np.asarray(score)[..., None] == pitches).any(axis=-2)


def to_voices(keys, voices=None, lowest=0, name="keys"):
    """Shares out the keys that are down among voices.

    A key stays with its voice as long as it is down; new ones go to the free voices,
    the highest to the first.

    Args:
        keys: bool `(T, K)`.
        voices: int, or `None`: as many as keys are down at once, at least one.
        lowest: int, the pitch of the first key.
        name: str, what errors call it.

    Returns:
        int32 `(T, voices)`.

    Raises:
        ValueError: if more keys are down at once than there are voices.
    """
    keys = np.asarray(keys, bool)
    most = int(keys.sum(axis=-1).max(initial=0))
    voices = max(most, 1) if voices is None else voices
    if most > voices:
        raise ValueError(
            f"`{name}` must have at most {voices} notes at once. Received: {most}"
        )
    score = np.zeros((len(keys), voices), "int32")
    held = np.full(voices, -1)  # the key of each voice
    changes = np.flatnonzero((keys[1:] != keys[:-1]).any(axis=-1)) + 1
    for begin, end in itertools.pairwise([0, *changes, len(keys)]):
        new = keys[begin].copy()
        held[(held >= 0) & ~new[held]] = -1
        new[held[held >= 0]] = False
        free = np.flatnonzero(held < 0)[: new.sum()]
        held[free] = np.flatnonzero(new)[::-1]
        score[begin:end] = np.where(held >= 0, held + lowest, SILENT)
    return score


def highest_line(score):
    """int32 `(T,)`: the highest pitch at each step, 0 where all is silent."""
    return np.maximum(np.asarray(score).max(axis=-1), SILENT).astype("int32")


def _changes(line):
    """The steps at which a line changes, with 0 and its length."""
    return [0, *np.flatnonzero(np.diff(line)) + 1, len(line)]


def _span(note, per_quarter):
    """The steps from which and before which a note sounds."""
    begin, end = (
        math.floor(min(time * per_quarter, MOST_STEPS + 1) + 0.5) for time in note[:2]
    )
    return begin, end


def _short(notes, spans, lines):
    """Yields notes of which nothing is left, and their steps, where those are free.

    Of several in one step, those are taken that begin with the first: a chord.
    """
    first = {}
    for note, (begin, end) in zip(notes, spans, strict=True):
        if begin == end and not lines[begin, note.part]:
            first.setdefault((note.part, begin), []).append(note)
    for (_, begin), found in first.items():
        earliest = min(note.begin for note in found)
        yield from ((note, begin) for note in found if note.begin == earliest)
