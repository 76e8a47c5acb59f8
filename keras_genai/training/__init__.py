"""Training that cannot lose work: runs, checkpoints, guards, logs."""

from keras_genai.training.callbacks import EarlyStopping
from keras_genai.training.counting import count
from keras_genai.training.errors import RunStoppedError, TrainingError
from keras_genai.training.run import Outcome, deterministic, train

__all__ = [
    "EarlyStopping",
    "Outcome",
    "RunStoppedError",
    "TrainingError",
    "count",
    "deterministic",
    "train",
]
