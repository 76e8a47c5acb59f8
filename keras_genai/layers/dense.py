"""A dense layer that stays fast in XLA where a decoding loop has a single vector."""

import math

import keras
import tensorflow as tf
from keras import ops
from tensorflow.python.ops import control_flow_util

from keras_genai.registry import register


@register
class Dense(keras.layers.Dense):
    """`keras.layers.Dense`, whose product of one vector uses all cores.

    XLA fuses the product of a single vector with the bias behind it, and what it fuses
    so runs on one core. A division between the two keeps them apart.
    """

    def call(self, inputs, training=None):
        plain = not self.use_bias or self.lora_enabled or self.quantization_mode
        if plain or not is_vector_in_xla(inputs):
            return super().call(inputs, training=training)
        product = ops.matmul(inputs, self.kernel) / unforeseen_one(self.bias)
        x = product + self.bias
        return x if self.activation is None else self.activation(x)


def is_vector_in_xla(x):
    """Whether `x`, `(..., size)`, is one vector in a function that XLA compiles."""
    graph = tf.compat.v1.get_default_graph()
    single = math.prod(size or 2 for size in x.shape[:-1]) == 1
    return single and control_flow_util.GraphOrParentsInXlaContext(graph)


def unforeseen_one(values):
    """1 in the dtype of `values`, as long as they are finite; XLA does not know it."""
    values = ops.convert_to_tensor(values)
    return ops.cast(values[0] == values[0], values.dtype)
