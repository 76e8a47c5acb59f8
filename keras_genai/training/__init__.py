"""Training that cannot lose work: runs, checkpoints, guards, logs."""

from keras_genai.training.callbacks import EarlyStopping
from keras_genai.training.counting import count
from keras_genai.training.display import require_tensorboard
from keras_genai.training.errors import (
    RunStoppedError,
    TrainingError,
    short_of_memory,
)
from keras_genai.training.folder import RunFolder
from keras_genai.training.run import Outcome, deterministic, train

__all__ = [
    "EarlyStopping",
    "Outcome",
    "RunFolder",
    "RunStoppedError",
    "TrainingError",
    "count",
    "deterministic",
    "require_tensorboard",
    "short_of_memory",
    "train",
]
