"""Sound files of any kind as one channel at one rate."""

import numpy as np

from keras_genai.checks import MOST_NUMBERS
from keras_genai.files.paths import AnyPath, as_path
from keras_genai.files.resampling import new_length, resample
from keras_genai.files.text import open_regular
from keras_genai.files.wav import RATES, read_wav

WAV = (".wav", ".wave")
OTHERS = (".flac", ".ogg", ".oga", ".opus", ".mp3", ".aiff", ".aif")
EXTENSIONS = (*WAV, *OTHERS)
MOST_DECODED = 2**30  # numbers: a small file may say that it holds any number of them


def read_sound(path: AnyPath, rate: int) -> np.ndarray:
    """The sound of a file, its channels mixed, at the rate that is asked for.

    WAV files are read by this library, the others of `EXTENSIONS` by `soundfile`.

    Args:
        path: str or path.
        rate: int, Hz.

    Returns:
        float32 `(samples,)` in [-1, 1].

    Raises:
        ImportError: if `soundfile` is needed and missing.
        OSError: if the file cannot be read.
        ValueError: if it cannot be decoded, or has too many samples at that rate; the
            message names it.
    """
    path = as_path(path)
    other = path.suffix.lower() in OTHERS
    waves, own_rate = _by_soundfile(path) if other else read_wav(path)
    count = new_length(len(waves), own_rate, rate)
    if count > MOST_NUMBERS:
        raise ValueError(
            f"{path} must have at most {MOST_NUMBERS:,} samples at {rate:,} Hz. "
            f"Received: {len(waves):,} at {own_rate:,} Hz, which are {count:,}"
        )
    mixed = waves.mean(axis=1) if waves.shape[1] > 1 else waves[:, 0]
    return np.clip(resample(mixed, own_rate, rate), -1, 1)


def _by_soundfile(path):
    try:
        import soundfile
    except ImportError:
        raise ImportError(
            f"{path} needs `soundfile`: pip install keras_genai[audio]"
        ) from None
    with open_regular(path) as file:
        try:
            with soundfile.SoundFile(file) as opened:
                _check_form(path, opened)
                rate = opened.samplerate
                waves = opened.read(dtype="float32", always_2d=True)
        except RuntimeError as error:
            raise ValueError(f"{path} cannot be decoded: {error}") from None
    if not len(waves) or not np.isfinite(waves).all():
        raise ValueError(f"{path} must have finite samples, at least one")
    return np.clip(waves, -1, 1), rate


def _check_form(path, opened):
    """Raises before numbers are read of which there are too many, or at no rate."""
    if not RATES[0] <= opened.samplerate <= RATES[1]:
        raise ValueError(
            f"{path} must have from {RATES[0]:,} to {RATES[1]:,} samples a second. "
            f"Received: {opened.samplerate:,}"
        )
    if opened.frames * opened.channels > MOST_DECODED:
        raise ValueError(
            f"{path} must have at most {MOST_DECODED:,} samples in all channels. "
            f"Received: {opened.frames:,} in {opened.channels} each"
        )
