"""Published checkpoints: their folders to our models and back.

`from_preset` and `save_to_preset` know the format `"huggingface"` by themselves.
"""

from keras_genai.lazy import attach

__getattr__, __dir__, __all__ = attach(__name__, __file__)
