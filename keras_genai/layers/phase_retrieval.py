"""Waves of log-mel spectrograms, without anything trained."""

import functools
import math

import numpy as np
import tensorflow as tf

from keras_genai.layers.mel import hann

__all__ = ["griffin_lim"]

_UPDATES = 30  # of what is looked for in a mel spectrum
_SMALL = 1e-8


def griffin_lim(settings, mels, rounds=60, momentum=0.99, seed=0):
    """Waves whose log-mel spectrograms are near to what is given.

    Magnitudes of all frequencies are those, not below 0, whose bands come nearest.
    Their phases are random at first; in each round they become those of the wave that
    comes nearest to such a spectrum, and go on a little in the direction they took.

    Args:
        settings: `LogMel` without a normalization.
        mels: float32 `(B, F, bands)`, what `settings` makes of waves.
        rounds: int.
        momentum: float from 0 to below 1.
        seed: int, of the first phases.

    Returns:
        float32 `(B, T)` in [-1, 1], `T` being `hop * F`.

    Raises:
        ValueError: if the spectrograms are normalised: how loud they were is lost.

    Reference: Griffin & Lim 1984, section III; Perraudin et al. 2013, algorithm 2
        (momentum); Lee & Seung 2001, theorem 1 (magnitudes)
    """
    if settings.normalization != "none":
        raise ValueError(
            "`settings` must be a LogMel with normalization='none'. "
            f"Received: normalization={settings.normalization!r}"
        )
    mels = np.asarray(mels, "float32")
    phases = np.random.default_rng(seed).uniform(
        0, 2 * np.pi, (*mels.shape[:2], settings.fft_size // 2 + 1)
    )
    found = _function(settings)(
        mels, phases.astype("float32"), tf.constant(rounds), momentum
    )
    return np.clip(found.numpy(), -1, 1)


@functools.lru_cache(maxsize=8)
def _function(settings):
    return tf.function(
        functools.partial(_walk, settings),
        autograph=False,
        reduce_retracing=True,
    )


def _walk(settings, mels, phases, rounds, momentum):
    magnitudes = tf.complex(_magnitudes(settings, mels), 0.0)
    angles = tf.complex(tf.cos(phases), tf.sin(phases))
    back = tf.complex(momentum / (1 + momentum), 0.0)

    def one(angles, before):
        rebuilt = _spectrum(settings, _wave(settings, magnitudes * angles))
        ahead = rebuilt - back * before
        size = tf.maximum(tf.abs(ahead), _SMALL)
        turned = ahead / tf.complex(size, 0.0)
        return tf.ensure_shape(turned, shape), tf.ensure_shape(rebuilt, shape)

    shape = angles.shape
    angles, _ = _repeated(one, rounds, angles, tf.zeros_like(angles))
    wave = _wave(settings, magnitudes * angles)
    half = settings.fft_size // 2 if settings.centred else 0
    return wave[:, half : half + settings.hop * tf.shape(mels)[1]]


def _magnitudes(settings, mels):
    """float32 `(B, F, K)`: of all frequencies, by multiplicative updates."""
    filters = settings.filters()
    logarithm = mels * math.log(10) if settings.log10 else mels
    bands = tf.exp(logarithm)
    found = tf.maximum(tf.matmul(bands, np.linalg.pinv(filters)), _SMALL)
    wanted = tf.matmul(bands, filters, transpose_b=True)
    square = filters @ filters.T

    def nearer(found):
        return (found * wanted / (tf.matmul(found, square) + _SMALL**2),)

    (found,) = _repeated(nearer, _UPDATES, found)
    return tf.sqrt(found) if settings.power == 2 else found


def _repeated(step, times, *values):
    """What becomes of values in so many steps: a loop of the graph."""
    return tf.while_loop(lambda *_: True, step, values, maximum_iterations=times)


def _window(settings):
    """float32 `(fft_size,)`: the window in the middle of what is transformed."""
    aside = (settings.fft_size - settings.window) // 2
    after = settings.fft_size - settings.window - aside
    return np.pad(hann(settings.window), (aside, after)).astype("float32")


def _spectrum(settings, wave):
    frames = tf.signal.frame(wave, settings.fft_size, settings.hop)
    return tf.signal.rfft(frames * _window(settings))


def _wave(settings, spectrum):
    """float32 `(B, (F - 1) hop + fft_size)`: the wave nearest to a spectrum."""
    window = _window(settings)
    frames = tf.signal.irfft(spectrum, [settings.fft_size]) * window
    added = tf.signal.overlap_and_add(frames, settings.hop)
    weight = tf.tile((window**2)[None], (tf.shape(spectrum)[1], 1))
    weight = tf.signal.overlap_and_add(weight, settings.hop)
    return added / tf.maximum(weight, _SMALL)
