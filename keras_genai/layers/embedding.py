"""The two ends of a language model: from tokens to vectors, and back to logits."""

import math

import keras
from keras import ops

from keras_genai.registry import register

# Up to here a product with one-hot rows costs less than the look-up's gradient,
# which XLA turns into one loop over all tokens.
LARGEST_PRODUCT = 256
# Up to so many vectors at once the table comes first in the product of `logits`.
FEW_VECTORS = 64


@register
class TokenEmbedding(keras.layers.Embedding):
    """`keras.layers.Embedding`, as a matrix product while the vocabulary is small.

    Arguments, call arguments and returns are those of `keras.layers.Embedding`;
    the vectors are the same to the bit.
    """

    def call(self, inputs):
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
