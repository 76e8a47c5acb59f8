"""Generative models of every family, as Keras 3 models on TensorFlow."""

from keras_genai.backend import check_backend
from keras_genai.lazy import attach
from keras_genai.memory import keep_freed
from keras_genai.standins import announce

check_backend()
announce()
keep_freed()

__version__ = "0.1.0"
__getattr__, __dir__, __all__ = attach(__name__, __file__)
