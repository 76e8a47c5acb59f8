"""How tokens are drawn from a model's predictions."""

from keras_genai.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
