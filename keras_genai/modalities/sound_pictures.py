"""Pictures of sounds: how they swing, and their spectra, as PNG."""

import numpy as np

from keras_genai.layers.mel import LogMel
from keras_genai.modalities.grids import png

_WIDTH = 512  # pixels
_SWING, _SPECTRUM = 48, 80  # pixels high
_MOST = 8  # sounds in a picture
_WINDOW = 0.032  # seconds
_RANGE = 80  # dB from the softest to the loudest that is told apart
# From soft to loud; between them colours are mixed.
_COLOURS = np.array(
    [(0, 0, 8), (70, 16, 110), (180, 50, 95), (245, 130, 50), (255, 250, 190)]
)
_INK, _PAPER = (40, 70, 120), 255


def of_waves(waves, rate):
    """How sounds swing, each above its spectrum.

    Args:
        waves: sequence of float `(T,)` in [-1, 1].
        rate: int, Hz.

    Returns:
        bytes of a PNG.
    """
    window = max(2, round(_WINDOW * rate))
    pictures = []
    for wave in [np.asarray(wave, "float32") for wave in waves[:_MOST]]:
        hop = max(1, len(wave) // _WIDTH)
        mels = LogMel(rate, window, hop, _SPECTRUM, 4 * window)(wave[None])[0].numpy()
        pictures += [_swing(wave), _spectrum(np.maximum(mels, _softest(mels)))]
    return _stacked(pictures)


def of_mels(mels):
    """Spectrograms, low bands at the bottom, one below the other.

    Args:
        mels: sequence of float `(T, bands)`.

    Returns:
        bytes of a PNG.
    """
    return _stacked([_spectrum(np.asarray(mel)) for mel in mels[:_MOST]])


def _softest(mels):
    return mels.max() - _RANGE * np.log(10) / 10


def _swing(wave):
    """uint8 `(H, W, 3)`: from the lowest to the highest sample of each column."""
    edges = np.linspace(0, len(wave), _WIDTH + 1).astype(int)
    begins = np.minimum(edges[:-1], len(wave) - 1)
    low, high = (
        function.reduceat(wave, begins) for function in (np.minimum, np.maximum)
    )
    rows = np.linspace(1, -1, _SWING)[:, None]
    half = 1 / _SWING  # of a row, so that silence is a line
    inked = (rows >= low - half) & (rows <= high + half)
    return np.where(inked[..., None], np.uint8(_INK), np.uint8(_PAPER))


def _spectrum(mels):
    """uint8 `(H, W, 3)` of `(T, bands)`: dark is soft."""
    columns = np.arange(_WIDTH) * len(mels) // _WIDTH
    rows = np.arange(_SPECTRUM)[::-1] * mels.shape[1] // _SPECTRUM
    low, high = mels.min(), mels.max()
    loudness = (mels[columns][:, rows].T - low) / max(high - low, 1e-6)
    points = np.linspace(0, 1, len(_COLOURS))
    mixed = [np.interp(loudness, points, colour) for colour in _COLOURS.T]
    return np.stack(mixed, axis=-1).astype("uint8")


def _stacked(pictures):
    gap = np.full((2, _WIDTH, 3), 128, "uint8")
    return png(np.concatenate([part for each in pictures for part in (each, gap)]))
