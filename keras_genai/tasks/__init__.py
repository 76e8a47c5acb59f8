"""What is trained: each task is a keras.Model.

Tasks that are used as they are, not through an architecture, are imported here, so
that a preset finds them in the registry.
"""

from keras_genai.tasks.prior import GridPrior, SequencePrior

__all__ = ["GridPrior", "SequencePrior"]
