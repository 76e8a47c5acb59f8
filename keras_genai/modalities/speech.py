"""Speech: sounds that models see as spectrograms, and people hear."""

import dataclasses

from keras_genai.layers.phase_retrieval import griffin_lim
from keras_genai.modalities.audio import Audio
from keras_genai.modalities.mel import Mel
from keras_genai.registry import register


@register
@dataclasses.dataclass(frozen=True)
class Speech(Mel):
    """Sounds that are learned as log-mel spectrograms and written as waves.

    It is read as `Mel` is, and a batch of it has the same arrays. What a model makes of
    it are waves, float32 `(T,)` each.

    Args:
        rate, window, hop, bands, ...: see `Mel`.
    """

    suffix, noun = ".wav", "sounds"

    def heard(self, mel):
        """The wave of a spectrogram, by Griffin and Lim's method.

        Args:
            mel: float32 `(frames, bands)`, of at least one frame.

        Returns:
            float32 `(T,)` in [-1, 1].
        """
        return griffin_lim(self, mel[None])[0]

    def encode(self, value):
        return Audio(self.rate).encode(value)

    def picture(self, value):
        return Audio(self.rate).picture(value)
