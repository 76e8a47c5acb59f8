"""Weights in 8 bits, for inference: a quarter of the memory to read and to hold.

Every row of a matrix `[outputs, inputs]` is 8-bit integers times one float. Inputs and
sums stay float; see Dettmers et al. 2022, section 2, https://arxiv.org/abs/2208.07339
"""

import dataclasses

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai import compat
from keras_genai.files.int8 import to_int8
from keras_genai.layers.dense import Dense
from keras_genai.layers.low_rank import AdaptedDense
from keras_genai.layers.replacing import name_scopes, replace
from keras_genai.registry import register
from keras_genai.xla import is_vector_in_xla


@register
@dataclasses.dataclass(frozen=True)
class Int8Weights:
    """A change of a `Task`: what `quantize` did to it, values apart."""

    def apply(self, model):
        _quantize(model, _emptied)

    def get_config(self):
        return {}


def quantize(model):
    """Stores the matrices of a model as 8-bit integers, in place and for good.

    These are the kernels of its `Dense` layers and its `Embedding` tables, tied ones
    too. The model can be called, generate and be saved as before, but not be trained.

    Args:
        model: built `Task`.

    Returns:
        int. The number of matrices.

    Raises:
        ValueError: if it is quantized already, has an adapter, or has no matrix.
    """
    return _quantize(model, _quantized)


def is_quantized(model):
    """Whether `quantize` was called with this model or with one inside it."""
    return any(
        isinstance(layer, Int8Dense | Int8Embedding)
        for layer in compat.layers_inside(model)
    )


def _quantize(model, choose):
    if any(isinstance(layer, AdaptedDense) for layer in compat.layers_inside(model)):
        raise ValueError("`model` must be merged with its adapter. Received unmerged")
    if any(isinstance(change, Int8Weights) for change in model.changes):
        raise ValueError(
            "`model` must not be quantized twice. Received: a quantized one"
        )
    count = replace(model, choose)
    if not count:
        raise ValueError(
            "`model` must have Dense or Embedding layers. "
            f"Received: {model.name}, which has none"
        )
    for weight in model.weights:
        weight.trainable = False
    model.changes = (*model.changes, Int8Weights())
    return count


def size_in_bytes(model):
    """int: what all weights of a model take."""
    return sum(
        int(np.prod(weight.shape)) * np.dtype(_stored(weight.dtype)).itemsize
        for weight in model.weights
    )


class Int8Dense(keras.layers.Layer):
    """A `Dense` layer with an 8-bit kernel `[outputs, inputs]`; `quantize` makes it.

    Args:
        dense: built `Dense`. Its values are not looked at; see `fill`.
    """

    def __init__(self, dense):
        super().__init__(dtype=dense.dtype_policy, name=dense.name)
        self.activation = dense.activation
        inputs, units = dense.kernel.shape
        self.kernel = _made_like(dense.kernel, (units, inputs), "int8")
        self.scale = _made_like(dense.kernel, (units,), "float32", "scale")
        self.bias = dense.bias
        self.built = True

    def fill(self, dense):
        """Takes over the kernel of `dense`."""
        _fill(self.kernel, self.scale, ops.transpose(dense.kernel.value))

    def call(self, inputs):
        x = _product(inputs, self.kernel, self.scale)
        if self.bias is not None:
            x = x + ops.cast(self.bias, x.dtype)
        return self.activation(x)


class Int8Embedding(keras.layers.Layer):
    """An `Embedding` with an 8-bit table; `quantize` makes it.

    Args:
        embedding: built `Embedding`. Its values are not looked at; see `fill`.
    """

    def __init__(self, embedding):
        super().__init__(dtype=embedding.dtype_policy, name=embedding.name)
        self.input_dim = embedding.input_dim
        self.output_dim = embedding.output_dim
        table = embedding.embeddings
        self.table = _made_like(table, table.shape, "int8")
        self.scale = _made_like(table, table.shape[:1], "float32", "scale")
        self.built = True

    def fill(self, embedding):
        """Takes over the table of `embedding`."""
        _fill(self.table, self.scale, embedding.embeddings.value)

    def call(self, inputs):
        rows = ops.cast(ops.take(self.table, inputs, axis=0), self.compute_dtype)
        scale = ops.take(self.scale, inputs, axis=0)[..., None]
        return rows * ops.cast(scale, self.compute_dtype)

    def logits(self, x):
        """See `TokenEmbedding.logits`."""
        return _product(x, self.table, self.scale)

    @property
    def embeddings(self):
        """The whole table in float."""
        scale = ops.cast(self.scale, self.compute_dtype)[:, None]
        return ops.cast(self.table, self.compute_dtype) * scale


def _quantized(layer):
    """The 8-bit layer that stands for `layer`, or `None`."""
    made = _emptied(layer)
    if made is not None:
        made.fill(layer)
    return made


def _emptied(layer):
    """The same without its values, for a model whose weights are yet to be read."""
    if type(layer) in (keras.layers.Dense, Dense):
        return Int8Dense(layer)
    if isinstance(layer, keras.layers.Embedding):
        return Int8Embedding(layer)
    return None


def _fill(matrix, scales, values):
    rounded, scale = to_int8(ops.convert_to_numpy(values))
    matrix.assign(rounded)
    scales.assign(scale)


def _product(x, matrix, scale):
    """float `(..., inputs)` times `[outputs, inputs]`, scale on the sums."""
    if is_vector_in_xla(x):
        product = _vector_product(x, ops.convert_to_tensor(matrix), scale)
    else:
        product = ops.matmul(x, ops.transpose(ops.cast(matrix, x.dtype)))
    return product * ops.cast(scale, x.dtype)


def _vector_product(x, matrix, scale):
    """float `(..., inputs)` of one vector times `[outputs, inputs]`, cast on the way.

    On two cores XLA reads 29 GB/s of integers here, as fast as floats: four times the
    weights. Two things must be kept from it. The barrier: out of a decoding loop it
    would take the cast, and read floats for every token. The division by a one that
    it cannot foresee: it would compute what makes `x`, say a normalisation, anew for
    every row of the matrix, were the last step as cheap as a product.
    """
    x, matrix = compat.optimization_barrier(x, matrix)
    rows = ops.reshape(x, (1, x.shape[-1]))
    rows = rows / ops.cast(_unforeseen_one(scale), x.dtype)
    product = tf.matmul(rows, ops.cast(matrix, x.dtype), transpose_b=True)
    return ops.reshape(product, (*x.shape[:-1], matrix.shape[0]))


def _unforeseen_one(values):
    """1 in the dtype of `values`, as long as they are finite; XLA does not know it."""
    values = ops.convert_to_tensor(values)
    return ops.cast(values[0] == values[0], values.dtype)


def _made_like(weight, shape, dtype, name=None):
    """A weight of zeros beside or in the place of another one's path."""
    *scopes, old_name = weight.path.split("/")
    with name_scopes(scopes):
        return keras.Variable(
            "zeros",
            tuple(shape),
            dtype=dtype,
            trainable=False,
            autocast=False,
            name=name or old_name,
        )


def _stored(dtype):
    return "uint16" if dtype == "bfloat16" else dtype
