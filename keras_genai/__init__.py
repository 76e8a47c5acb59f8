"""Generative models of every family, as Keras 3 models on TensorFlow."""

__version__ = "0.1.0"
