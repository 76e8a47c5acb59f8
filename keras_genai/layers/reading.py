"""Products in 16 bits of many vectors, which CPUs make at twice the speed of 32."""

import math

import tensorflow as tf
from keras import ops

from keras_genai import compat
from keras_genai.checks import check_one_of
from keras_genai.layers.few_bits import FEW
from keras_genai.layers.replacing import forget_compiled
from keras_genai.xla import in_xla

DTYPES = ("bfloat16", "float16")


def read_in(model, dtype):
    """Lets a model multiply what it reads in 16 bits.

    That is the prompt of `generate`, and what the model is called with outside of XLA,
    if they have more than 64 tokens; of a model with weights of 8 or 16 bits, see
    `layers.quantized`, also what is written of several texts at once. TensorFlow
    multiplies bfloat16 about twice as fast as float32 on CPUs that know it
    (AVX512_BF16, AMX); XLA does not, so that it no longer compiles these parts. Sums
    between layers, attention and norms stay as they are; what comes out is as near to
    float32 as a bfloat16 model is, and a text may go on otherwise in company than
    alone. It is for inference, and no part of the model's config.

    Args:
        model: built `Task` with `Dense` layers inside, quantized or not.
        dtype: `"bfloat16"`, `"float16"`, or `None`: as always.

    Returns:
        int. The number of layers.

    Raises:
        ValueError: if there is no such layer, or no such dtype.
    """
    if dtype is not None:
        check_one_of("dtype", dtype, DTYPES)
    layers = [
        layer
        for layer in compat.layers_inside(model)
        if hasattr(layer, "reading_dtype")
    ]
    if not layers:
        raise ValueError(f"`model` must have Dense layers. Received: {model.name}")
    for layer in layers:
        layer.reading_dtype = dtype
    model.reads_outside_xla = dtype is not None
    model.writes_outside_xla = dtype is not None and any(
        layer.reads_few for layer in layers
    )
    forget_compiled(model)
    return len(layers)


def is_read(x, layer):
    """Whether `x`, `(..., size)`, is what `read_in` is for.

    Args:
        x: float tensor.
        layer: `Layer` with `reading_dtype`, and `reads_few`: whether its matrix takes
            no longer to read so than as it is, and a few vectors are worth it.
    """
    if layer.reading_dtype is None or in_xla():
        return False
    most_others = 1 if layer.reads_few else FEW
    return None in x.shape or math.prod(x.shape[:-1]) > most_others


def read(x, kernel, dtype):
    """float `(..., inputs)` times `(inputs, units)` by way of another dtype."""
    rows = ops.cast(ops.reshape(x, (-1, x.shape[-1])), dtype)
    found = tf.matmul(rows, ops.cast(kernel, dtype))
    return ops.reshape(ops.cast(found, x.dtype), (*ops.shape(x)[:-1], kernel.shape[1]))
