"""What is trained: each task is a keras.Model."""

from keras_genai.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
