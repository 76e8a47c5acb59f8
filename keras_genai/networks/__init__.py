"""One architecture a file; models never import each other."""

from keras_genai.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
