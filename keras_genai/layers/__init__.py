"""Layers: tensors in, tensors out; no loss, no data, no model names."""
