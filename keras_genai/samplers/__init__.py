"""How tokens are drawn from a model's predictions."""

from keras_genai.samplers.rules import (
    LogitBias,
    MinLength,
    NoRepeatNgram,
    RepetitionPenalty,
)
from keras_genai.samplers.tokens import Beam, Greedy, Sample

__all__ = [
    "Beam",
    "Greedy",
    "LogitBias",
    "MinLength",
    "NoRepeatNgram",
    "RepetitionPenalty",
    "Sample",
]
