"""Trained models as files for other programs: SavedModel, LiteRT, ONNX and GGUF.

`model.export_to(path, format)` of a task and `python -m zoo export` come here.
"""

from keras_genai.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
