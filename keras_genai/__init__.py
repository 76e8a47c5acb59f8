"""Generative models of every family, as Keras 3 models on TensorFlow."""

from keras_genai.backend import check_backend

check_backend()

from keras_genai import convert, models, optimizers  # noqa: E402
from keras_genai.tasks.presets import from_preset  # noqa: E402

__version__ = "0.1.0"
__all__ = ["convert", "from_preset", "models", "optimizers"]
