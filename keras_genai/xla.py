"""What layers and losses ask about XLA."""

import math

from keras_genai.compat import in_xla

__all__ = ["in_xla", "is_vector_in_xla"]


def is_vector_in_xla(x):
    """Whether `x`, `(..., size)`, is one vector in a function that XLA compiles."""
    return math.prod(size or 2 for size in x.shape[:-1]) == 1 and in_xla()
