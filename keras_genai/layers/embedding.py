"""The two ends of a language model: from tokens to vectors, and back to logits."""

import math

import keras
import tensorflow as tf
from keras import ops

from keras_genai.checks import check_sizes
from keras_genai.registry import register
from keras_genai.xla import in_xla

# Up to here a product with one-hot rows costs less than the look-up's gradient,
# which XLA turns into one loop over all tokens.
LARGEST_PRODUCT = 256
# Up to so many vectors at once the table comes first in the product of `logits`.
FEW_VECTORS = 64


@register
class TokenEmbedding(keras.layers.Embedding):
    """`keras.layers.Embedding`, as a matrix product while the vocabulary is small.

    Arguments, call arguments and returns are those of `keras.layers.Embedding`; the
    vectors of tokens from 0 to `input_dim - 1` are the same to the bit. Other tokens
    are an error, except in XLA, which knows none: what they get means nothing.
    """

    def __init__(self, input_dim, output_dim, *args, **kwargs):
        check_sizes(input_dim=input_dim, output_dim=output_dim)
        super().__init__(input_dim, output_dim, *args, **kwargs)

    def call(self, inputs):
        inputs = at_rows(inputs, self.input_dim)
        if self.input_dim > LARGEST_PRODUCT:
            return super().call(inputs)
        table = ops.cast(self.embeddings, self.compute_dtype)  # (V, width)
        return ops.matmul(ops.one_hot(inputs, self.input_dim, dtype=table.dtype), table)

    def logits(self, x):
        """The product of float `(..., width)` with every token's vector, `(..., V)`."""
        table = ops.cast(self.embeddings, x.dtype)  # (V, width)
        if None in x.shape or not 1 < math.prod(x.shape[:-1]) <= FEW_VECTORS:
            return ops.matmul(x, ops.transpose(table))
        # XLA packs the second factor anew in each call. For the few vectors of a
        # decoding step that costs eight times the product, if it is the table. The
        # axis of length 1 keeps XLA from exchanging the two again.
        vectors = ops.reshape(x, (1, -1, x.shape[-1]))
        columns = ops.matmul(table[None], ops.transpose(vectors, (0, 2, 1)))
        rows = ops.transpose(columns, (0, 2, 1))  # (1, vectors, V)
        return ops.reshape(rows, (*x.shape[:-1], self.input_dim))


def at_rows(inputs, size):
    """Integers that choose rows, after all are found to be from 0 to `size - 1`.

    Args:
        inputs: int `(...)`.
        size: int. How many rows there are.

    Returns:
        `inputs`. Outside of XLA an error of TensorFlow is raised for another integer.
    """
    inputs = ops.convert_to_tensor(inputs)
    if isinstance(inputs, keras.KerasTensor) or in_xla():
        return inputs
    low, high = tf.reduce_min(inputs), tf.reduce_max(inputs)
    good = (low >= 0) & (high < tf.cast(size, inputs.dtype))
    check = tf.debugging.Assert(
        good | (tf.size(inputs) == 0),
        [
            f"`inputs` must be ints from 0 to {size - 1}. Received: from",
            low,
            "to",
            high,
        ],
    )
    with tf.control_dependencies([] if check is None else [check]):
        return tf.identity(inputs)


def token_table(vocabulary_size, width, initializer, dtype=None, name="embedding"):
    """A `TokenEmbedding` with its weights."""
    layer = TokenEmbedding(
        vocabulary_size,
        width,
        embeddings_initializer=initializer,
        dtype=dtype,
        name=name,
    )
    layer.build((None, None))
    return layer


def token_head(vocabulary_size, width, initializer, dtype=None):
    """An output matrix with its weights, for models that do not tie it to the table."""
    layer = keras.layers.Dense(
        vocabulary_size,
        use_bias=False,
        kernel_initializer=initializer,
        dtype=dtype,
        name="head",
    )
    layer.build((None, None, width))
    return layer


def token_logits(x, embedding, head=None, bias=None):
    """Logits of every token from the last layer's vectors.

    Args:
        x: float `(B, T, width)`.
        embedding: `TokenEmbedding`, whose table is the output matrix.
        head: `Dense` that is the output matrix instead, or `None`.
        bias: `(V,)`, added to the logits, or `None`.

    Returns:
        float32 `(B, T, V)`.

    Reference: Press & Wolf 2017, https://arxiv.org/abs/1608.05859
    """
    logits = ops.cast(embedding.logits(x) if head is None else head(x), "float32")
    if bias is None:
        return logits
    # XLA makes one loop of the product of a single vector and a sum, eight times
    # slower than the product; a difference it leaves alone.
    return logits - -ops.cast(bias, "float32")
