"""Notes as sound: a few partials of each, which fade."""

import functools

import numpy as np

RATE = 16_000  # samples a second
_PARTIALS = np.arange(1, 7)
_LOUDNESS = 0.9 / _PARTIALS**1.5
_ATTACK, _RELEASE = 0.008, 0.06  # seconds
_FADE = 1.1  # seconds in which the first partial falls to a third
_PEAK = 0.9


def synthesize(notes, tempo):
    """The sound of notes.

    Args:
        notes: iterable of `Note`.
        tempo: float, quarters a minute.

    Returns:
        float32 `(S,)` in [-1, 1], at `RATE` samples a second.
    """
    second = 60 / tempo  # of a quarter
    notes = list(notes)
    length = max((note.end for note in notes), default=0.0) * second + _RELEASE
    wave = np.zeros(round(length * RATE) + 1, "float32")
    for note in notes:
        begin = round(note.begin * second * RATE)
        tone = _tone(note.pitch, (note.end - note.begin) * second)[: len(wave) - begin]
        wave[begin : begin + len(tone)] += tone
    loudest = np.abs(wave).max(initial=0)
    return wave * (_PEAK / loudest) if loudest else wave


@functools.lru_cache(maxsize=256)  # the same few lengths come again and again
def _tone(pitch, seconds):
    """float32: one note, with the partials that the rate can carry."""
    frequency = 440 * 2 ** ((pitch - 69) / 12)
    kept = _PARTIALS * frequency < RATE / 2
    time = np.arange(round((seconds + _RELEASE) * RATE)) / RATE
    partials = _PARTIALS[kept, None]
    tone = np.sin(2 * np.pi * frequency * partials * time)
    tone *= np.exp(-partials * time / _FADE)  # the higher ones fade sooner
    tone = _LOUDNESS[kept] @ tone
    ends = np.minimum(time / _ATTACK, (seconds + _RELEASE - time) / _RELEASE)
    return (tone * np.clip(ends, 0, 1)).astype("float32")
