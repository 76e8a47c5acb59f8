"""What samples are: the one place that knows text from pictures and sounds."""

from keras_genai.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
