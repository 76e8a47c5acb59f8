"""Weights of equal size: drawn from a standard normal and scaled at run time."""

import math

import keras
from keras import ops

from keras_genai.registry import register


@register
class Equalized(keras.layers.Wrapper):
    """A linear layer whose kernel is multiplied by `1 / sqrt(fan_in)` in every call.

    Under Adam, whose steps are of one size, all layers then learn at the same speed.

    Args:
        layer: linear layer with a `kernel`, without bias and activation. Its kernel is
            to be drawn from a normal of deviation `1 / speed`.
        use_bias: bool.
        bias: float. Where the bias begins.
        speed: float. Learning rate of this layer, relative to the others.

    Call arguments and returns: those of `layer`.

    Raises:
        ValueError: if `layer` has a bias.

    Reference: Karras et al. 2018, section 4.1, https://arxiv.org/abs/1710.10196
    """

    def __init__(self, layer, use_bias=True, bias=0.0, speed=1.0, **kwargs):
        super().__init__(layer, **kwargs)
        if getattr(layer, "use_bias", False):
            raise ValueError("`layer` must have no bias. Received: use_bias=True")
        self.use_bias = use_bias
        self.first_bias = bias
        self.speed = speed

    def build(self, input_shape=None):
        super().build(input_shape)
        shape = self.layer.kernel.shape
        self.gain = self.speed * math.prod(shape[:-1]) ** -0.5
        if self.use_bias:
            self.bias = self.add_weight(
                (shape[-1],),
                keras.initializers.Constant(self.first_bias / self.speed),
                name="bias",
            )

    def call(self, inputs):
        outputs = self.layer(ops.cast(inputs, self.compute_dtype) * self.gain)
        if self.use_bias:
            bias = ops.cast(self.bias, outputs.dtype) * self.speed
            outputs = outputs + bias
        return outputs

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "use_bias": self.use_bias,
            "bias": self.first_bias,
            "speed": self.speed,
        }
