"""Scores to look at: time to the right, pitch upwards, a colour a voice."""

import numpy as np

from keras_genai.modalities.scores import SILENT

_COLOURS = np.array(
    [[214, 69, 65], [240, 162, 2], [46, 134, 87], [43, 108, 176], [122, 81, 161]],
    "uint8",
)
_PAPER, _BLACK_KEYS, _BARS = 255, 240, 205  # greys
_BLACK = (1, 3, 6, 8, 10)  # of the twelve pitches of an octave
_MARGIN = 2  # pitches above and below
_HEIGHT = 5  # pixels of a pitch
_WIDTH = 1_024  # pixels of a picture; what is shorter has wider steps


def draw(scores, per_bar):
    """Scores one below the other, on the pitches that occur.

    Args:
        scores: int `(N, T, V)`.
        per_bar: int, steps between the lines of bars.

    Returns:
        uint8 `(H, W, 3)`.
    """
    scores = np.asarray(scores)
    sounding = scores[scores > SILENT]
    low = int(sounding.min(initial=127)) - _MARGIN if sounding.size else 58
    high = int(sounding.max(initial=0)) + _MARGIN if sounding.size else 62
    panels = [_panel(score, low, high, per_bar) for score in scores]
    return np.concatenate(panels, axis=0)


def _panel(score, low, high, per_bar):
    length = len(score)
    pitches = np.arange(high, low - 1, -1)
    cells = np.full((len(pitches), length, 3), _PAPER, "uint8")
    cells[np.isin(pitches % 12, _BLACK)] = _BLACK_KEYS
    wide = max(1, min(8, _WIDTH // length))
    cells = cells.repeat(wide, axis=1)
    cells[:, :: per_bar * wide] = _BARS
    for voice in reversed(range(score.shape[1])):  # the first one lies on top
        for step in np.flatnonzero(score[:, voice] > SILENT):
            begin = step * wide
            # A gap before each new note, where there is room for one.
            struck = step == 0 or score[step - 1, voice] != score[step, voice]
            begin += bool(struck and wide > 2)
            row = high - score[step, voice]
            cells[row, begin : (step + 1) * wide] = _COLOURS[voice % len(_COLOURS)]
    return np.pad(
        cells.repeat(_HEIGHT, axis=0),
        [(1, 1), (0, 0), (0, 0)],
        constant_values=_BARS,
    )
