"""How tokens are drawn from a model's predictions."""

from keras_genai.samplers.generation import generate
from keras_genai.samplers.rules import (
    BadWords,
    ForcedEnd,
    ForcedStart,
    LogitBias,
    MinLength,
    NoRepeatNgram,
    NoSourceNgram,
    RepetitionPenalty,
)
from keras_genai.samplers.settings import GenerationSettings
from keras_genai.samplers.tokens import Beam, Greedy, Sample

__all__ = [
    "BadWords",
    "Beam",
    "ForcedEnd",
    "ForcedStart",
    "GenerationSettings",
    "Greedy",
    "LogitBias",
    "MinLength",
    "NoRepeatNgram",
    "NoSourceNgram",
    "RepetitionPenalty",
    "Sample",
    "generate",
]
