"""Synthetic digits: tones that glide like formants, for tests. They are no speech."""

import numpy as np

from keras_genai.data.recordings import of_waves

SPEAKERS = ("synthetic_high", "synthetic_low")
_PITCHES = (180.0, 110.0)  # Hz, of each
_TAKES = 16
_SEED = 7
# Where the two formants of each digit begin and end, Hz.
_FORMANTS = (
    *((300, 600, 2300, 900), (500, 300, 900, 2200), (400, 300, 1700, 900)),
    *((500, 300, 1400, 2300), (600, 400, 900, 800), (700, 300, 1200, 2200)),
    *((400, 400, 2000, 2000), (500, 500, 1800, 1300), (600, 300, 1900, 2400)),
    (700, 350, 1300, 2000),
)


def digits(rate):
    """Ten made-up sounds of two made-up speakers, each another way in sixteen takes.

    Args:
        rate: int, Hz.

    Returns:
        `(recordings, speakers)`, as `keras_genai.data.speech.digit_parts` needs them.
    """
    every = np.stack(
        np.meshgrid(range(10), range(len(SPEAKERS)), range(_TAKES)), -1
    ).reshape(-1, 3)
    waves = [_sound(digit, who, take, rate) for digit, who, take in every]
    about = dict(
        zip(("labels", "speakers", "takes"), every.T.astype("int32"), strict=True)
    )
    return of_waves(waves, rate, about), SPEAKERS


def _sound(digit, who, take, rate):
    """float `(T,)`: harmonics of a pitch, loud where they are near a formant."""
    draws = np.random.default_rng([_SEED, digit, who, take])
    count = int(draws.uniform(0.08, 0.14) * rate)
    way = np.linspace(0, 1, count)
    begin, end, second_begin, second_end = _FORMANTS[digit]
    pitch = _PITCHES[who] * draws.uniform(0.95, 1.05)
    harmonics = np.arange(1, int(3_000 / pitch))[:, None] * pitch
    loudness = sum(
        np.exp(-(((harmonics - centre) / 150) ** 2))
        for centre in (
            begin + (end - begin) * way,
            second_begin + (second_end - second_begin) * way,
        )
    )
    tones = np.sin(2 * np.pi * harmonics * np.arange(count) / rate)
    wave = (loudness * tones).sum(axis=0) * np.sin(np.pi * way)
    return 0.5 * wave / np.abs(wave).max() + draws.normal(0, 0.002, count)
