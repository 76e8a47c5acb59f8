"""Log-mel spectrograms: frames, their Fourier transform, bands, logarithms."""

import dataclasses
import functools
import math

import numpy as np
import tensorflow as tf

from keras_genai.checks import check_flag, check_integer, check_number, check_one_of

_SLANEY_STEP = 200 / 3  # Hz a mel, below the break
_SLANEY_BREAK = 1_000.0  # Hz
_SLANEY_RATIO = math.log(6.4) / 27  # of a mel, above it
_NORMALIZATIONS = ("none", "utterance", "whisper")
_LEAST_DEVIATION = 1e-2  # of a band that is always as loud, but for rounding


@dataclasses.dataclass(frozen=True)
class LogMel:
    """How loud sound is in each band of pitch, frame by frame, as logarithms.

    It is called with waves, by TensorFlow operations; XLA is not needed, and compiles
    each length anew. Frame t is the sound around sample t * hop if frames are centred,
    and from it on if they are not.

    Args:
        rate: int. Samples a second, Hz.
        window: int. Samples of the periodic Hann window.
        hop: int. Samples from one frame to the next.
        bands: int.
        fft_size: int or `None` (`window`). Even, at least `window`, which stands in
            its middle.
        low: float. Where the first band begins, Hz.
        high: float or `None` (half of `rate`). Where the last one ends, Hz.
        mel_scale: "htk" or "slaney". Where bands lie between them.
        slaney_norm: bool. Whether each band's triangle has area 2 (in Hz), instead of
            height 1.
        power: 1 or 2. Whether bands sum magnitudes or their squares.
        log10: bool. Whether logarithms are those of base 10, instead of natural.
        floor: float. What is softer counts as this loud.
        centred: bool. Whether waves are continued at both ends by their mirror image.
        drop_last: bool. Whether the last frame is left out, as Whisper does.
        normalization: what is done to the logarithms of each sound: `"none"`;
            `"utterance"`, each band to mean 0 and variance 1; or `"whisper"`, nothing
            below the loudest minus 8, and then (x + 4) / 4.

    Call arguments:
        waves: float `(B, T)` in [-1, 1].
        lengths: int `(B,)` or `None`. How many samples of each row are sound; what
            follows is padding, and its frames are 0. Where padding follows, a sound
            ends in it, and not in its mirror image.

    Returns:
        float32 `(B, frame_count(T), bands)`.

    Raises:
        TypeError: if a number is of another type.
        ValueError: if one is out of its range.

    Reference: Davis & Mermelstein 1980, section 2; O'Shaughnessy 1987, p. 150 (HTK's
    scale); Slaney 1998, Auditory Toolbox, p. 29 (the other one)
    """

    rate: int
    window: int
    hop: int
    bands: int = 80
    fft_size: int | None = None
    low: float = 0.0
    high: float | None = None
    mel_scale: str = "slaney"
    slaney_norm: bool = True
    power: int = 2
    log10: bool = False
    floor: float = 1e-10
    centred: bool = True
    drop_last: bool = False
    normalization: str = "none"

    def __post_init__(self):
        if self.fft_size is None:
            object.__setattr__(self, "fft_size", self.window + self.window % 2)
        if self.high is None:
            object.__setattr__(self, "high", self.rate / 2)
        for name in ("rate", "window", "hop", "bands", "fft_size"):
            check_integer(name, getattr(self, name), 1)
        if self.fft_size < self.window or self.fft_size % 2:
            raise ValueError(
                "`fft_size` must be an even int of at least `window`. "
                f"Received: fft_size={self.fft_size}, window={self.window}"
            )
        half = self.rate / 2
        check_number("high", self.high, f"up to {half:g} Hz", lambda x: 0 < x <= half)
        check_number("low", self.low, "below `high`", lambda x: 0 <= x < self.high)
        check_number("floor", self.floor, "above 0", lambda x: 0 < x < math.inf)
        check_one_of("mel_scale", self.mel_scale, ("htk", "slaney"))
        check_one_of("normalization", self.normalization, _NORMALIZATIONS)
        if self.power not in (1, 2):
            raise ValueError(f"`power` must be 1 or 2. Received: power={self.power!r}")
        for name in ("slaney_norm", "log10", "centred", "drop_last"):
            check_flag(name, getattr(self, name))

    def __call__(self, waves, lengths=None):
        frames = self.frames(tf.cast(waves, "float32"))
        frames *= hann(self.window).astype("float32")
        spectrum = tf.signal.rfft(frames, [self.fft_size])
        # Not by `tf.abs`, whose roots are slow.
        power = tf.square(tf.math.real(spectrum)) + tf.square(tf.math.imag(spectrum))
        loudness = power if self.power == 2 else tf.sqrt(power)
        found = tf.math.log(tf.maximum(loudness @ self.filters(), self.floor))
        if self.log10:
            found /= math.log(10)
        if lengths is None:
            return self._normalized(found, None)
        real_frames = tf.sequence_mask(
            self.frame_count(tf.convert_to_tensor(lengths)), tf.shape(found)[1]
        )
        mask = tf.cast(real_frames, "float32")[:, :, None]
        return self._normalized(found, mask) * mask

    def frame_count(self, samples):
        """How many frames so many samples have: int, or an int tensor."""
        more = 0 if self.drop_last else 1
        if self.centred:
            return samples // self.hop + more
        whole = (samples - self.fft_size) // self.hop + more
        return tf.maximum(whole, 0) if tf.is_tensor(samples) else max(whole, 0)

    def frames(self, waves):
        """float32 `(B, frame_count(T), window)`: the samples of each frame.

        Args:
            waves: float32 `(B, T)`.
        """
        samples = waves.shape[1] or tf.shape(waves)[1]
        half = self.fft_size // 2
        if self.centred:
            # What is too short to be mirrored is followed by silence.
            short = tf.maximum(half + 1 - samples, 0)
            waves = tf.pad(waves, [[0, 0], [0, short]])
            waves = tf.pad(waves, [[0, 0], [half, half]], "REFLECT")
        aside = (self.fft_size - self.window) // 2  # what the window leaves out
        found = tf.signal.frame(waves[:, aside:], self.window, self.hop)
        return found[:, : self.frame_count(samples)]

    def filters(self):
        """float32 `(fft_size / 2 + 1, bands)`: how each frequency counts in each."""
        return _filters(
            *(self.rate, self.fft_size, self.bands, self.low, self.high),
            *(self.mel_scale, self.slaney_norm),
        )

    def _normalized(self, found, mask):
        if self.normalization == "whisper":
            heard = (
                found if mask is None else tf.where(mask > 0, found, found.dtype.min)
            )
            loudest = tf.reduce_max(heard, axis=(1, 2), keepdims=True)
            return (tf.maximum(found, loudest - 8.0) + 4.0) / 4.0
        if self.normalization == "utterance":
            mask = tf.ones_like(found[:, :, :1]) if mask is None else mask
            count = tf.maximum(tf.reduce_sum(mask, axis=1, keepdims=True), 1.0)
            mean = tf.reduce_sum(found * mask, axis=1, keepdims=True) / count
            square = tf.square(found - mean) * mask
            variance = tf.reduce_sum(square, axis=1, keepdims=True) / count
            return (found - mean) / tf.maximum(tf.sqrt(variance), _LEAST_DEVIATION)
        return found


def hertz_to_mel(hertz, scale="slaney"):
    """Pitch in mel.

    Args:
        hertz: float array.
        scale: "htk": 2595 log10(1 + f / 700); or "slaney": linear to 1 kHz, 15 mel, and
            logarithmic above.

    Returns:
        float64 array.
    """
    hertz = np.asarray(hertz, "float64")
    if scale == "htk":
        return 2595 * np.log10(1 + hertz / 700)
    above = np.log(np.maximum(hertz, _SLANEY_BREAK) / _SLANEY_BREAK) / _SLANEY_RATIO
    return np.minimum(hertz, _SLANEY_BREAK) / _SLANEY_STEP + above


def mel_to_hertz(mel, scale="slaney"):
    """The inverse of `hertz_to_mel`, float64."""
    mel = np.asarray(mel, "float64")
    if scale == "htk":
        return 700 * (10 ** (mel / 2595) - 1)
    top = _SLANEY_BREAK / _SLANEY_STEP
    above = np.exp(np.maximum(mel - top, 0) * _SLANEY_RATIO)
    return np.minimum(mel, top) * _SLANEY_STEP * above


def hann(window):
    """float64 `(window,)`: the periodic Hann window."""
    return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(window) / window)


@functools.lru_cache(maxsize=8)
def _filters(rate, fft_size, bands, low, high, scale, slaney_norm):
    edges = np.linspace(*hertz_to_mel([low, high], scale), bands + 2)
    left, centre, right = (
        mel_to_hertz(edges, scale)[first : first + bands] for first in range(3)
    )
    hertz = np.arange(fft_size // 2 + 1)[:, None] * rate / fft_size
    rise, fall = (hertz - left) / (centre - left), (right - hertz) / (right - centre)
    found = np.maximum(0, np.minimum(rise, fall))
    if slaney_norm:
        found *= 2 / (right - left)
    return found.astype("float32")
