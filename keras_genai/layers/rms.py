"""RMS normalisation whose scale is learned as a difference from one."""

import keras
from keras import ops

from keras_genai.registry import register


@register
class OffsetRMSNormalization(keras.layers.RMSNormalization):
    """`keras.layers.RMSNormalization` that multiplies by `1 + scale`, as Gemma does.

    The scale begins at 0, so that decaying it pulls it to one. Arguments, call
    arguments and returns are those of Keras' layer.

    Reference: Gemma Team 2024, section 2, https://arxiv.org/abs/2403.08295
    """

    def build(self, input_shape):
        self.scale = self.add_weight(
            (input_shape[self.axis],), initializer="zeros", name="scale"
        )

    def call(self, x):
        return ops.rms_normalization(
            x, scale=1.0 + self.scale, axis=self.axis, epsilon=self.epsilon
        )


def rms_norm(name, epsilon=1e-6, offset=False):
    """A layer of RMS normalisation, in float32.

    Args:
        name: str.
        epsilon: float, added to the mean square.
        offset: bool. Whether the scale is a difference from one.
    """
    kind = OffsetRMSNormalization if offset else keras.layers.RMSNormalization
    return kind(epsilon=epsilon, dtype="float32", name=name)
