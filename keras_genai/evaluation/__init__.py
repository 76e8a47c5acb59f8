"""How good is it: scores that can be compared between families."""

from keras_genai.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
