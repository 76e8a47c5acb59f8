"""A convolution over a sequence, beside a short cut, that a vector may steer."""

import keras
from keras import ops

from keras_genai.layers.conditioning import Modulation
from keras_genai.layers.denoising import bare_norm, modulated
from keras_genai.registry import register


@register
class ConvolutionBlock(keras.layers.Layer):
    """Norm, convolution, SiLU, matrix: added to its input, and steered if asked.

    Args:
        dilation: int. Frames between those that a convolution sees.
        steered: bool. Whether a vector decides scale, shift and gate.

    Call arguments:
        inputs: float `(B, F, C)`.
        real: float `(B, F, 1)`, 0 behind the end, which no frame sees.
        told: float `(B, C)`, or `None` if not steered.

    Returns:
        float `(B, F, C)`.
    """

    def __init__(self, dilation, steered=False, **kwargs):
        super().__init__(**kwargs)
        self.dilation = dilation
        self.steered = steered

    def build(self, inputs_shape, *_):
        width, policy = inputs_shape[-1], self.dtype_policy
        self.norm = (
            bare_norm("norm")
            if self.steered
            else keras.layers.LayerNormalization(dtype="float32", name="norm")
        )
        self.norm.build(inputs_shape)
        self.mix = keras.layers.Conv1D(
            2 * width,
            3,
            padding="same",
            dilation_rate=self.dilation,
            dtype=policy,
            name="mix",
        )
        self.mix.build(inputs_shape)
        self.back = keras.layers.Dense(width, dtype=policy, name="back")
        self.back.build((*inputs_shape[:-1], 2 * width))
        self.modulation = None
        if self.steered:
            self.modulation = Modulation(3, width, dtype=policy, name="modulation")
            self.modulation.build((None, width))

    def call(self, inputs, real, told=None):
        x = self.norm(inputs)
        gate = None
        if self.modulation is not None:
            scale, shift, gate = self.modulation(told)
            x = modulated(x, scale, shift)
        x = ops.cast(x, self.compute_dtype) * real
        x = self.back(ops.silu(self.mix(x)))
        return inputs + (x if gate is None else x * gate[:, None])

    def get_config(self):
        return {
            **super().get_config(),
            "dilation": self.dilation,
            "steered": self.steered,
        }
