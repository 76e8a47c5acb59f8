"""Where a token stands, said by waves: vectors that nobody trains."""

import math

import keras
import numpy as np
from keras import ops

from keras_genai.checks import check_one_of, check_sizes
from keras_genai.registry import register


@register
class SinusoidalPositions(keras.layers.Layer):
    """Waves that say where a token stands, to be added to its embedding: never trained.

    The first half of the channels are sines, the second the cosines of the same waves.

    Args:
        context: int. Number of positions.
        width: int. Length of the vectors.
        waves: `"vaswani"`, wave `i` of which is `2 pi 10000 ** (2 i / width)` tokens
            long; or `"tensor2tensor"`, whose last one is `2 pi 10000` long. Of an odd
            width, the former has a sine more, the latter a zero.

    Call arguments:
        positions: int `(...)`, each in `[0, context)`. Padding (`-1`) reads the
            first row; whoever attends must mask it.

    Returns:
        float `(..., width)`.

    Reference: Vaswani et al. 2017, section 3.5, https://arxiv.org/abs/1706.03762
    """

    def __init__(self, context, width, waves="vaswani", **kwargs):
        super().__init__(**kwargs)
        check_sizes(context=context, width=width)
        check_one_of("waves", waves, sorted(WAVES))
        self.context = context
        self.width = width
        self.waves = waves

    def build(self, positions_shape=None):
        self.table = WAVES[self.waves](self.context, self.width)

    def call(self, positions):
        rows = ops.clip(positions, 0, self.context - 1)
        return ops.cast(ops.take(self.table, rows, axis=0), self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "context": self.context,
            "width": self.width,
            "waves": self.waves,
        }


def _vaswani(context, width):
    """float32 `(context, width)`, computed in float64."""
    sines = (width + 1) // 2
    lengths = 10_000 ** (2 * np.arange(sines) / width)
    angles = np.arange(context)[:, None] / lengths
    table = [np.sin(angles), np.cos(angles)[:, : width - sines]]
    return np.concatenate(table, axis=1).astype("float32")


def _tensor2tensor(context, width):
    """float32 `(context, width)`, computed in float32 as those who trained with it."""
    half = width // 2
    step = np.float32(math.log(10_000) / max(half - 1, 1))
    frequencies = np.exp(np.arange(half, dtype="float32") * -step)
    angles = np.arange(context, dtype="float32")[:, None] * frequencies
    table = [np.sin(angles), np.cos(angles), np.zeros((context, width % 2))]
    return np.concatenate(table, axis=1).astype("float32")


WAVES = {"vaswani": _vaswani, "tensor2tensor": _tensor2tensor}
