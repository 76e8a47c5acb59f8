"""Batch normalisation whose scale and shift depend on a class."""

import keras
from keras import ops

from keras_genai.layers.normalization import BatchNormalization
from keras_genai.registry import register


@register
class ConditionalBatchNormalization(keras.layers.Layer):
    """Normalises by the batch; each class has a scale and a shift of its own.

    Args:
        num_classes: int.
        momentum: float, of the moving statistics.
        epsilon: float.

    Call arguments:
        inputs: float `(B, ..., C)`.
        labels: int `(B,)`.
        training: bool. Statistics of the batch if `True`, the moving ones otherwise.

    Returns:
        float32, of the shape of `inputs`.

    Reference: Dumoulin et al. 2017, section 2.2, https://arxiv.org/abs/1610.07629
    """

    def __init__(self, num_classes, momentum=0.99, epsilon=1e-3, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.norm = BatchNormalization(
            momentum=momentum,
            epsilon=epsilon,
            center=False,
            scale=False,
            dtype="float32",
            name="norm",
        )

    def build(self, inputs_shape, labels_shape=None):
        channels = inputs_shape[-1]
        self.norm.build(inputs_shape)
        shape = (self.num_classes, channels)
        self.scale = self.add_weight(shape, "ones", name="scale")
        self.shift = self.add_weight(shape, "zeros", name="shift")

    def call(self, inputs, labels, training=False):
        x = self.norm(inputs, training=training)
        # One product with a one-hot row: XLA's gradient of a look-up is a loop.
        rows = ops.one_hot(labels, self.num_classes, dtype="float32")
        ones = (1,) * (len(inputs.shape) - 2)
        scale, shift = (
            ops.reshape(
                ops.matmul(rows, ops.convert_to_tensor(table, dtype="float32")),
                (-1, *ones, inputs.shape[-1]),
            )
            for table in (self.scale, self.shift)
        )
        return x * scale + shift

    def compute_output_shape(self, inputs_shape, labels_shape=None):
        return inputs_shape

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "momentum": self.norm.momentum,
            "epsilon": self.norm.epsilon,
        }
