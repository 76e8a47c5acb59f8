"""Layers: tensors in, tensors out; no loss, no data, no model names."""

# Presets of changed models name classes of these.
from keras_genai.layers import adapters, quantized

__all__ = ["adapters", "quantized"]
