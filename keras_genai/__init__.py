"""Generative models of every family, as Keras 3 models on TensorFlow."""

from keras_genai import convert, models
from keras_genai.tasks.presets import from_preset

__version__ = "0.1.0"
__all__ = ["convert", "from_preset", "models"]
