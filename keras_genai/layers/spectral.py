"""Spectral normalisation, as a pure function of the weights and one saved vector."""

import keras
from keras import ops

from keras_genai.registry import register

SMALLEST = 1e-4  # its inverse still fits into float16


@register
class SpectralNormalization(keras.layers.Wrapper):
    """A linear layer divided by the largest singular value of its matrix.

    Keras' own layer of this name overwrites the kernel in every training call, which
    changes the weights outside of the optimizer; this one divides the output, so that
    gradients pass through the division and nothing but the vector of the power
    iteration ever changes in a call. The vector is a weight: files hold it.

    Args:
        layer: linear layer with a `kernel` or `embeddings`, without bias and
            activation.
        use_bias: bool. Whether to add a bias after the division.

    Call arguments:
        inputs: what `layer` takes.
        training: bool. If `True`, the power iteration advances by one step.

    Returns:
        What `layer` returns.

    Raises:
        ValueError: if `layer` has a bias or an activation.

    Reference: Miyato et al. 2018, algorithm 1, https://arxiv.org/abs/1802.05957
    """

    def __init__(self, layer, use_bias=True, **kwargs):
        super().__init__(layer, **kwargs)
        activation = getattr(layer, "activation", None)
        linear = activation in (None, keras.activations.linear)
        if getattr(layer, "use_bias", False) or not linear:
            raise ValueError(
                "`layer` must be linear and have no bias. Received: "
                f"use_bias={layer.use_bias}, activation={activation}"
            )
        self.use_bias = use_bias

    def build(self, input_shape=None):
        super().build(input_shape)
        size = self._matrix().shape[-1]
        self.vector = self.add_weight(
            (size,),
            keras.initializers.RandomNormal(),
            dtype="float32",
            trainable=False,
            name="vector",
        )
        if self.use_bias:
            self.bias = self.add_weight((size,), "zeros", name="bias")

    def call(self, inputs, training=False):
        outputs = self.layer(inputs)
        scale = 1.0 / ops.maximum(self.largest_singular_value(training), SMALLEST)
        outputs = outputs * ops.cast(scale, outputs.dtype)
        if self.use_bias:
            outputs = outputs + ops.cast(self.bias, outputs.dtype)
        return outputs

    def largest_singular_value(self, advance=False):
        """float32 scalar, by one power iteration from the stored vector.

        Args:
            advance: bool. Whether to store the vector it ends with.
        """
        matrix = self._matrix()  # (N, M)
        fixed = ops.stop_gradient(matrix)
        left = _unit(ops.matmul(fixed, self.vector))
        right = _unit(ops.matmul(left, fixed))
        if advance:
            self.vector.assign(right)
        return ops.sum(left * ops.matmul(matrix, right))

    def _matrix(self):
        kernel = getattr(self.layer, "kernel", None)
        kernel = self.layer.embeddings if kernel is None else kernel
        kernel = ops.convert_to_tensor(kernel, dtype="float32")
        return ops.reshape(kernel, (-1, kernel.shape[-1]))

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def get_config(self):
        return {**super().get_config(), "use_bias": self.use_bias}


def _unit(vector):
    return vector / ops.sqrt(ops.sum(ops.square(vector)) + 1e-12)
