"""Data: tokenizers, loaders that end in `tf.data`, and named sources.

Tokenizers alone do not cost a TensorFlow import.
"""

from keras_genai.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
