"""Where a token stands: learned vectors and rotations."""

import keras
from keras import ops

from keras_genai.registry import register


@register
class LearnedPositions(keras.layers.Layer):
    """One trained vector a position, to be added to the token embedding.

    Args:
        context: int. Number of positions.
        width: int. Length of the vectors.
        initializer: of the table.

    Call arguments:
        positions: int `(...)`, each in `[0, context)`. Padding (`-1`) reads the
            first row; whoever attends must mask it.

    Returns:
        float `(..., width)`.
    """

    def __init__(self, context, width, initializer="uniform", **kwargs):
        super().__init__(**kwargs)
        self.context = context
        self.width = width
        self.initializer = keras.initializers.get(initializer)

    def build(self, positions_shape=None):
        self.table = self.add_weight(
            (self.context, self.width), initializer=self.initializer, name="table"
        )

    def call(self, positions):
        rows = ops.clip(positions, 0, self.context - 1)
        return ops.cast(ops.take(self.table, rows, axis=0), self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "context": self.context,
            "width": self.width,
            "initializer": keras.initializers.serialize(self.initializer),
        }


def rotary_angles(positions, head_dim, base=10_000.0):
    """Cosines and sines by which queries and keys are turned.

    Args:
        positions: int `(T,)` or `(B, T)`.
        head_dim: even int. Half of the channels are turned against the other half.
        base: float. The slowest wave is `2 pi base` tokens long.

    Returns:
        float32 pair, each `(..., 1, T, head_dim // 2)`: ready for `(B, H, T, D)`.

    Reference: Su et al. 2021, eq. 34, https://arxiv.org/abs/2104.09864
    """
    half = head_dim // 2
    frequencies = base ** (-ops.arange(half, dtype="float32") / half)
    angles = ops.cast(positions, "float32")[..., None, :, None] * frequencies
    return ops.cos(angles), ops.sin(angles)


def rotate(x, rotation):
    """Turns channel `i` of `x` against channel `i + D // 2`.

    Args:
        x: float `(B, H, T, D)`.
        rotation: what `rotary_angles` returned.

    Returns:
        Like `x`.
    """
    cosine, sine = (ops.cast(part, x.dtype) for part in rotation)
    first, second = ops.split(x, 2, axis=-1)
    return ops.concatenate(
        [first * cosine - second * sine, second * cosine + first * sine], axis=-1
    )
