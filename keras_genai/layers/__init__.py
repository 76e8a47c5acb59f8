"""Layers: tensors in, tensors out; no loss, no data, no model names."""

from keras_genai.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
