"""Another number of samples a second: a windowed sinc, one filter a phase."""

import math

import numpy as np

_CROSSINGS = 32  # zeros of the sinc on each side
_ROLLOFF = 0.945  # of the band that the lower rate can hold
_BETA = 14.77  # of the Kaiser window: what is beyond the band falls by some 140 dB
_NUMBERS = 2**22  # of filters that are applied at once


def resample(waves: np.ndarray, rate: int, new_rate: int) -> np.ndarray:
    """The same sound in another number of samples a second.

    Args:
        waves: float `(samples,)`.
        rate: int, Hz, that it has.
        new_rate: int, Hz.

    Returns:
        float32 `(samples * new_rate / rate,)`, rounded up. Sample 0 stays in its
        place, and beyond both ends there is silence.

    Reference: Smith 2002, Digital Audio Resampling Home Page,
    https://ccrma.stanford.edu/~jos/resample/
    """
    waves = np.asarray(waves, "float32")
    common = math.gcd(rate, new_rate)
    up, down = new_rate // common, rate // common
    if up == down:
        return waves
    cutoff = _ROLLOFF * min(1.0, up / down)  # of the old rate's own band
    half = math.ceil(_CROSSINGS / cutoff)
    chunk = max(1, _NUMBERS // (2 * half))
    bank = _filters(np.arange(up) / up, half, cutoff) if up <= chunk else None
    padded = np.pad(waves, (half - 1, half + 1))
    around = np.lib.stride_tricks.sliding_window_view(padded, 2 * half)
    count = new_length(len(waves), rate, new_rate)
    made = [waves[:0]]
    for first in range(0, count, chunk):
        place, phase = np.divmod(np.arange(first, min(first + chunk, count)) * down, up)
        known = _filters(phase / up, half, cutoff) if bank is None else bank[phase]
        made.append(np.einsum("nt,nt->n", around[place], known))
    return np.concatenate(made)


def new_length(samples: int, rate: int, new_rate: int) -> int:
    """int: how many samples `resample` makes of so many."""
    return -(-samples * new_rate // rate)


def _filters(phases, half, cutoff):
    """float32 `(N, 2 * half)`: what each phase makes of the samples around it.

    A phase is how far beyond sample `half - 1` of those a new one lies.
    """
    distance = np.arange(-half + 1, half + 1) - phases[:, None]  # in old samples
    inside = np.clip(1 - (distance / half) ** 2, 0, None)
    window = np.i0(_BETA * np.sqrt(inside)) / np.i0(_BETA)
    return (cutoff * np.sinc(cutoff * distance) * window).astype("float32")
