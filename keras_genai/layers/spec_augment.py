"""SpecAugment: spectrograms with bands and times missing, so that none is relied on."""

import dataclasses

import tensorflow as tf

from keras_genai.checks import check_number, check_sizes
from keras_genai.registry import register


@register
@dataclasses.dataclass(frozen=True)
class SpecAugment:
    """Leaves out random runs of bands and of frames: they become 0.

    0 is the mean of spectrograms that are normalised by utterance. Nothing is warped in
    time, which the authors found to matter least.

    Args:
        band_masks: int, runs of bands in each sound; 0 is none.
        band_width: int, F. Bands of the widest run.
        frame_masks: int, runs of frames.
        frame_width: int, T. Frames of the widest run.
        frame_share: float in [0, 1], p. No run is a larger part of a sound.

    Raises:
        TypeError: if an argument is not a number.
        ValueError: if it is out of its range.

    Reference: Park et al. 2019, section 2, https://arxiv.org/abs/1904.08779
    """

    band_masks: int = 2
    band_width: int = 8
    frame_masks: int = 2
    frame_width: int = 20
    frame_share: float = 0.2

    def __post_init__(self):
        check_sizes(band_width=self.band_width, frame_width=self.frame_width)
        for name in ("band_masks", "frame_masks"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int):
                raise TypeError(f"`{name}` must be an int. Received: {name}={value!r}")
            if value < 0:
                raise ValueError(
                    f"`{name}` must be an int >= 0. Received: {name}={value!r}"
                )
        check_number(
            "frame_share", self.frame_share, "in [0, 1]", lambda value: 0 <= value <= 1
        )

    def get_config(self):
        return dataclasses.asdict(self)

    def __call__(self, mels, frames, seed):
        """The spectrograms with runs left out.

        Args:
            mels: float `(B, T, bands)`.
            frames: int `(B,)`, how many frames of each are real: the others have no
                part in the draws.
            seed: int `(2,)`, which decides every draw.

        Returns:
            float `(B, T, bands)`.
        """
        shape = tf.shape(mels)
        count, length, bands = shape[0], shape[1], mels.shape[2]
        frames = tf.cast(frames, "float32")[:, None]
        widest = tf.minimum(float(self.frame_width), self.frame_share * frames)
        kept = self._kept(seed, 0, self.frame_masks, widest, frames, (count, length))
        mels = tf.where(kept[:, :, None], mels, tf.zeros_like(mels))
        size = tf.fill([count, 1], float(bands))
        widest = tf.minimum(float(self.band_width), size)
        kept = self._kept(seed, 1, self.band_masks, widest, size, (count, bands))
        return tf.where(kept[:, None, :], mels, tf.zeros_like(mels))

    def _kept(self, seed, which, masks, widest, size, shape):
        """bool `shape`: what is in no run; sizes are float `(B, 1)`."""
        count, length = shape
        seed = tf.random.experimental.stateless_fold_in(seed, which)
        draws = tf.random.stateless_uniform((2, count, masks), seed)
        width = tf.floor(draws[0] * (widest + 1))
        first = tf.floor(draws[1] * (size - width + 1))  # (B, masks)
        places = tf.range(length, dtype="float32")[None, None]
        inside = (places >= first[:, :, None]) & (places < (first + width)[:, :, None])
        return ~tf.reduce_any(inside, axis=1)
