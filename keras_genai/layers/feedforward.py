"""Position-wise feed-forward networks."""

import keras

from keras_genai.checks import check_flags, check_one_of, check_sizes
from keras_genai.layers.dense import Dense
from keras_genai.registry import register


@keras.saving.register_keras_serializable(package="keras_genai")
def gelu_tanh(x):
    """The tanh approximation of GELU, Hendrycks & Gimpel 2016, section 2."""
    return keras.activations.gelu(x, approximate=True)


@keras.saving.register_keras_serializable(package="keras_genai")
def quick_gelu(x):
    """The sigmoid approximation of GELU, Hendrycks & Gimpel 2016, section 2."""
    return x * keras.ops.sigmoid(1.702 * x)


# What published checkpoints use. "gelu" is the exact form.
ACTIVATIONS = {
    "relu": "relu",
    "gelu": "gelu",
    "gelu_tanh": gelu_tanh,
    "quick_gelu": quick_gelu,
    "silu": "silu",
}


def check_activation(name):
    """Raises a `ValueError` unless `name` is a key of `ACTIVATIONS`."""
    check_one_of("activation", name, sorted(ACTIVATIONS))


@register
class FeedForward(keras.layers.Layer):
    """Two matrices with an activation between them.

    Args:
        hidden: int. Width of the inner layer.
        activation: str or callable. `"gelu"` is the exact (erf) form; GPT-2 uses
            its tanh approximation, `gelu_tanh`.
        use_bias: bool.
        initializer: of the first matrix.
        output_initializer: of the second matrix, which writes to the residual
            stream and is often started smaller.

    Call arguments:
        inputs: float `(..., width)`.

    Returns:
        float `(..., width)`.

    Reference: Vaswani et al. 2017, section 3.3, https://arxiv.org/abs/1706.03762
    """

    inner_matrices = 1

    def __init__(
        self,
        hidden,
        activation="relu",
        use_bias=True,
        initializer="glorot_uniform",
        output_initializer="glorot_uniform",
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_sizes(hidden=hidden)
        check_flags(use_bias=use_bias)
        self.hidden = hidden
        self.activation = keras.activations.get(activation)
        self.use_bias = use_bias
        self.initializer = keras.initializers.get(initializer)
        self.output_initializer = keras.initializers.get(output_initializer)

    def build(self, input_shape):
        self.expand = Dense(
            self.inner_matrices * self.hidden,
            use_bias=self.use_bias,
            kernel_initializer=self.initializer,
            dtype=self.dtype_policy,
            name="expand",
        )
        self.contract = Dense(
            input_shape[-1],
            use_bias=self.use_bias,
            kernel_initializer=self.output_initializer,
            dtype=self.dtype_policy,
            name="contract",
        )
        self.expand.build(input_shape)
        self.contract.build((*input_shape[:-1], self.hidden))

    def call(self, inputs):
        return self.contract(self.activation(self.expand(inputs)))

    def get_config(self):
        return {
            **super().get_config(),
            "hidden": self.hidden,
            "activation": keras.activations.serialize(self.activation),
            "use_bias": self.use_bias,
            "initializer": keras.initializers.serialize(self.initializer),
            "output_initializer": keras.initializers.serialize(self.output_initializer),
        }


@register
class GatedFeedForward(FeedForward):
    """Feed-forward network whose hidden layer is multiplied by an activated gate.

    `"silu"` gives SwiGLU (Llama), `"gelu"` GEGLU (T5 v1.1). Gate and value are
    one matrix of `2 * hidden` columns, the gate first. Arguments are those of
    `FeedForward`.

    Reference: Shazeer 2020, https://arxiv.org/abs/2002.05202
    """

    inner_matrices = 2

    def call(self, inputs):
        gate, value = keras.ops.split(self.expand(inputs), 2, axis=-1)
        return self.contract(self.activation(gate) * value)
