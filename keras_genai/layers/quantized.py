"""Weights in few bits, for inference: less memory to read and to hold.

`Int8Weights` have a scale for every row of a matrix `[outputs, inputs]`, `Int4Weights`
one for every group of inputs in it; `Bfloat16Weights` are floats of half the size.
Inputs and sums stay as they are; see Dettmers et al. 2022, section 2,
https://arxiv.org/abs/2208.07339
"""

import dataclasses

import keras
import ml_dtypes
import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai import compat
from keras_genai.checks import check_one_of
from keras_genai.files.int4 import GROUPS, from_int4, packed_shape, to_int4
from keras_genai.files.int8 import to_int8
from keras_genai.layers.dense import Dense
from keras_genai.layers.few_bits import (
    are_few_in_xla,
    folded,
    folds,
    int4_product,
    int4_values,
    many_product,
    product,
)
from keras_genai.layers.low_rank import AdaptedDense
from keras_genai.layers.reading import is_read
from keras_genai.layers.replacing import forget_compiled, name_scopes, replace
from keras_genai.registry import register


class Weights:
    """A change of a `Task`: what `quantize` did to it, values apart.

    Attributes:
        dtypes: tuple of str, of a matrix as it is stored and of its scale, if any.
        reads_few: bool. Whether the matrix is soon made of 16 bits.
    """

    dtypes = ("int8", "float32")
    reads_few = True

    def apply(self, model):
        _quantize(model, self, filled=False)

    def shapes(self, outputs, inputs, fold):
        """Tuple of tuples, of the same.

        Args:
            outputs, inputs: int.
            fold: bool. Whether long rows may be folded, see `few_bits.folded`.
        """
        pieces = folds(inputs) if fold else 1
        return (pieces * outputs, inputs // pieces), (outputs,)

    def stored(self, values, fold):
        """Tuple of arrays that stand for float `(outputs, inputs)`."""
        matrix, scale = to_int8(values)
        return folded(matrix, folds(values.shape[1]) if fold else 1), scale

    def rows(self, inputs, dtype, matrix, scale):
        """What some rows of a matrix stand for, `(..., inputs)`."""
        return ops.cast(matrix, dtype) * ops.cast(scale, dtype)[..., None]

    def product(self, x, matrix, scale):
        """float `(..., inputs)` times a matrix, `(..., outputs)`."""
        return product(x, ops.convert_to_tensor(matrix)) * ops.cast(scale, x.dtype)

    def get_config(self):
        return dataclasses.asdict(self)


@register
@dataclasses.dataclass(frozen=True)
class Int8Weights(Weights):
    """Integers from -127 to 127, a scale for each output."""


@register
@dataclasses.dataclass(frozen=True)
class Bfloat16Weights(Weights):
    """The nearest bfloat16, which published weights mostly are already."""

    dtypes = ("bfloat16",)

    def shapes(self, outputs, inputs, fold):
        return super().shapes(outputs, inputs, fold)[:1]

    def stored(self, values, fold):
        matrix = values.astype(ml_dtypes.bfloat16)
        return (folded(matrix, folds(values.shape[1]) if fold else 1),)

    def rows(self, inputs, dtype, matrix):
        return ops.cast(matrix, dtype)

    def product(self, x, matrix):
        return product(x, ops.convert_to_tensor(matrix))


@register
@dataclasses.dataclass(frozen=True)
class Int4Weights(Weights):
    """Integers from -8 to 7, a scale for each group of inputs of each output.

    Args:
        group: int, 32, 64 or 128.
    """

    group: int = 64
    dtypes = ("uint8", "bfloat16")
    reads_few = False

    def __post_init__(self):
        check_one_of("group", str(self.group), [str(each) for each in GROUPS])

    def shapes(self, outputs, inputs, fold):
        return packed_shape(outputs, inputs, self.group)

    def stored(self, values, fold):
        return to_int4(values, self.group)

    def rows(self, inputs, dtype, matrix, scale):
        return int4_values(matrix, scale, inputs, dtype)

    def product(self, x, matrix, scale):
        matrix, scale = (ops.convert_to_tensor(part) for part in (matrix, scale))
        if are_few_in_xla(x):
            return int4_product(x, matrix, scale)
        return many_product(x, int4_values(matrix, scale, x.shape[-1], x.dtype))


KINDS = {"int8": Int8Weights, "int4": Int4Weights, "bfloat16": Bfloat16Weights}


def quantize(model, kind="int8", group=None):
    """Stores the matrices of a model in few bits, in place and for good.

    These are the kernels of its `Dense` layers and its `Embedding` tables, tied ones
    too. The model can be called, generate and be saved as before, but not be trained.

    Args:
        model: built `Task`.
        kind: `"int8"`, `"int4"` or `"bfloat16"`, see `Int8Weights` and the others.
        group: 32, 64 or 128, or `None` (64). Of `"int4"`: inputs that share a scale.

    Returns:
        int. The number of matrices.

    Raises:
        ValueError: if it is quantized already, has an adapter, or has no matrix; if
            there is no such kind or group.
    """
    check_one_of("kind", kind, tuple(KINDS))
    if group is not None and kind != "int4":
        raise ValueError(f"`group` must be None for {kind!r}. Received: {group=}")
    weights = KINDS[kind]() if group is None else Int4Weights(group)
    return _quantize(model, weights, filled=True)


def unpack(model):
    """Lets a model with 4-bit weights decode from an 8-bit copy of them, faster.

    XLA reads two weights in a byte more slowly than two bytes. The copy is rounded once
    more, by a tenth of the error of 4 bits, takes twice their memory beside them, and
    is no part of the model's config: it is saved with 4 bits as before.

    Args:
        model: `Task` that `quantize` has made of the kind `"int4"`.

    Returns:
        int. The number of matrices.

    Raises:
        ValueError: if there is none of 4 bits.
    """
    layers = [
        layer
        for layer in compat.layers_inside(model)
        if isinstance(layer, QuantizedDense | QuantizedEmbedding)
        and isinstance(layer.kind, Int4Weights)
    ]
    if not layers:
        raise ValueError(
            f"`model` must have weights of 4 bits. Received: {model.name}, which has "
            "none"
        )
    for layer in layers:
        is_dense = isinstance(layer, QuantizedDense)
        inputs = layer.inputs if is_dense else layer.output_dim
        layer.unpack(inputs, fold=is_dense)
    forget_compiled(model)
    return len(layers)


def is_quantized(model):
    """Whether `quantize` was called with this model or with one inside it."""
    kinds = QuantizedDense | QuantizedEmbedding
    return any(isinstance(layer, kinds) for layer in compat.layers_inside(model))


def _quantize(model, kind, filled):
    if any(isinstance(layer, AdaptedDense) for layer in compat.layers_inside(model)):
        raise ValueError("`model` must be merged with its adapter. Received unmerged")
    if any(isinstance(change, Weights) for change in model.changes):
        raise ValueError(
            "`model` must not be quantized twice. Received: a quantized one"
        )

    def choose(layer):
        made = None
        if type(layer) in (keras.layers.Dense, Dense):
            made = QuantizedDense(layer, kind)
        elif isinstance(layer, keras.layers.Embedding):
            made = QuantizedEmbedding(layer, kind)
        if made is not None and filled:
            made.fill(layer)
        return made

    count = replace(model, choose)
    if not count:
        raise ValueError(
            "`model` must have Dense or Embedding layers. "
            f"Received: {model.name}, which has none"
        )
    for weight in model.weights:
        weight.trainable = False
    model.changes = (*model.changes, kind)
    return count


def size_in_bytes(model):
    """int: what all weights of a model take."""
    return sum(
        int(np.prod(weight.shape)) * np.dtype(_stored(weight.dtype)).itemsize
        for weight in model.weights
    )


class Quantized(keras.layers.Layer):
    """What layers with a matrix of few bits share.

    Attributes:
        kind: `Weights`.
        reading_dtype: str or `None`; see `keras_genai.layers.reading.read_in`.
    """

    copy = None  # of `unpack`: other parts, of 8 bits
    reading_dtype = None

    @property
    def reads_few(self):
        return self.kind.reads_few or self.copy is not None

    def product(self, x):
        """float `(..., inputs)` times the matrix, `(..., outputs)`."""
        dtype = x.dtype
        is_now_read = is_read(x, self)
        if is_now_read:
            x = ops.cast(x, self.reading_dtype)
        if self.copy is not None and (is_now_read or are_few_in_xla(x)):
            return ops.cast(Int8Weights().product(x, *self.copy), dtype)
        return ops.cast(self.kind.product(x, *self._parts), dtype)

    def unpack(self, inputs, fold):
        """Makes the copy, of rows of so many inputs."""
        parts = (ops.convert_to_numpy(part) for part in self._parts)
        stored = Int8Weights().stored(from_int4(*parts, inputs), fold)
        # Not of Keras, which would count and save them.
        self.copy = tuple(tf.Variable(part, trainable=False) for part in stored)


class QuantizedDense(Quantized):
    """A `Dense` layer with a kernel `[outputs, inputs]` of few bits.

    Args:
        dense: built `Dense`. Its values are not looked at; see `fill`.
        kind: `Weights`.
    """

    def __init__(self, dense, kind):
        super().__init__(dtype=dense.dtype_policy, name=dense.name)
        self.activation = dense.activation
        self.kind = kind
        inputs, units = dense.kernel.shape
        shapes = kind.shapes(units, inputs, fold=True)
        self.kernel, *scale = self._parts = _made_like(dense.kernel, kind, shapes)
        self.scale = scale[0] if scale else None
        self.bias = dense.bias
        self.inputs = inputs
        self.built = True

    def fill(self, dense):
        """Takes over the kernel of `dense`."""
        kernel = ops.convert_to_numpy(dense.kernel.value)
        _assign(self._parts, self.kind.stored(kernel.T, fold=True))

    def call(self, inputs):
        x = self.product(inputs)
        if self.bias is not None:
            x = x + ops.cast(self.bias, x.dtype)
        return self.activation(x)


class QuantizedEmbedding(Quantized):
    """An `Embedding` with a table of few bits.

    Args:
        embedding: built `Embedding`. Its values are not looked at; see `fill`.
        kind: `Weights`.
    """

    def __init__(self, embedding, kind):
        super().__init__(dtype=embedding.dtype_policy, name=embedding.name)
        self.input_dim = embedding.input_dim
        self.output_dim = embedding.output_dim
        self.kind = kind
        table = embedding.embeddings
        shapes = kind.shapes(*table.shape, fold=False)
        self.table, *scale = self._parts = _made_like(table, kind, shapes)
        self.scale = scale[0] if scale else None
        self.built = True

    def fill(self, embedding):
        """Takes over the table of `embedding`."""
        table = ops.convert_to_numpy(embedding.embeddings.value)
        _assign(self._parts, self.kind.stored(table, fold=False))

    def call(self, inputs):
        parts = (ops.take(part, inputs, axis=0) for part in self._parts)
        return self.kind.rows(self.output_dim, self.compute_dtype, *parts)

    def logits(self, x):
        """See `TokenEmbedding.logits`."""
        return self.product(x)

    @property
    def embeddings(self):
        """The whole table in float."""
        parts = (ops.convert_to_tensor(part) for part in self._parts)
        return self.kind.rows(self.output_dim, self.compute_dtype, *parts)


def _assign(variables, arrays):
    for variable, array in zip(variables, arrays, strict=True):
        variable.assign(ops.convert_to_tensor(array, variable.dtype))


def _made_like(weight, kind, shapes):
    """Tuple of weights of zeros beside or in the place of another one's path."""
    *scopes, name = weight.path.split("/")
    with name_scopes(scopes):
        return tuple(
            keras.Variable(
                "zeros",
                shape,
                dtype=dtype,
                trainable=False,
                autocast=False,
                name=own,
            )
            for own, shape, dtype in zip(
                (name, "scale"), shapes, kind.dtypes, strict=False
            )
        )


def _stored(dtype):
    return "uint16" if dtype == "bfloat16" else dtype
