"""Attention of a recurrent decoder: one query at a time over an encoder's outputs."""

import keras
from keras import ops

from keras_genai.checks import check_given_sizes, check_one_of, check_sizes
from keras_genai.registry import register

SCORES = ("dot", "general", "concat")


def additive_scores(query, keys, vector):
    """`vector . tanh(query + key)` of every pair.

    Args:
        query: float `(B, Q, U)`.
        keys: float `(B, S, U)`.
        vector: float `(U,)`.

    Returns:
        float `(B, Q, S)`.

    Reference: Bahdanau et al. 2015, section 3.1, https://arxiv.org/abs/1409.0473
    """
    pairs = ops.tanh(query[:, :, None] + keys[:, None])  # (B, Q, S, U)
    return ops.sum(pairs * vector, axis=-1)


class RecurrentAttention(keras.layers.Layer):
    """What Bahdanau's and Luong's attention share; see those.

    Attributes:
        query_kernel: weight `(D, U)` that queries meet, or `None`.
        vector: weight `(U,)` of additive scores, or `None`: scores are products.
    """

    query_kernel = None
    key_kernel = None
    vector = None

    def _add_kernel(self, rows, columns, name):
        return self.add_weight((rows, columns), "glorot_uniform", name=name)

    def project_memory(self, memory):
        """Keys of an encoder's outputs, made once a text.

        Args:
            memory: float `(B, S, M)`.

        Returns:
            float `(B, S, U)`.
        """
        memory = ops.cast(memory, self.compute_dtype)
        if self.key_kernel is None:
            return memory
        return ops.matmul(memory, ops.cast(self.key_kernel, self.compute_dtype))

    def look(self, query, keys, values, attention_mask, vector=None):
        """Attention of queries that have met their kernel.

        Args:
            query: float `(B, Q, U)`.
            keys: float `(B, S, U)`, from `project_memory`.
            values: float `(B, S, M)`.
            attention_mask: bool `(B, S)`, true at real tokens.
            vector: float `(U,)`, the weight of that name in the compute dtype.

        Returns:
            `(context, weights)`: float `(B, Q, M)`, and float32 `(B, Q, S)`, each row
            a distribution over the real tokens.
        """
        if vector is None:
            scores = ops.matmul(query, ops.swapaxes(keys, 1, 2))
        else:
            scores = additive_scores(query, keys, vector)
        scores = ops.cast(scores, "float32")
        # Finite, so that a row of padding alone stays finite too.
        scores = ops.where(attention_mask[:, None], scores, -1e9)
        weights = ops.exp(scores - ops.max(scores, axis=-1, keepdims=True))
        weights = weights / ops.sum(weights, axis=-1, keepdims=True)
        return ops.matmul(ops.cast(weights, values.dtype), values), weights

    def call(self, inputs, memory, attention_mask):
        query = ops.cast(inputs, self.compute_dtype)
        if self.query_kernel is not None:
            kernel = ops.cast(self.query_kernel, self.compute_dtype)
            query = ops.matmul(query, kernel)
        vector = self.vector
        if vector is not None:
            vector = ops.cast(vector, self.compute_dtype)
        memory = ops.cast(memory, self.compute_dtype)
        mask = ops.cast(attention_mask, "bool")
        return self.look(query, self.project_memory(memory), memory, mask, vector)


@register
class BahdanauAttention(RecurrentAttention):
    """Additive attention: a small network scores each pair of query and key.

    Args:
        units: int. Width U of the network.

    Call arguments:
        inputs: float `(B, Q, D)`, the queries.
        memory: float `(B, S, M)`, what is looked at.
        attention_mask: bool or int `(B, S)`, true at real tokens.

    Returns:
        `(context, weights)`: float `(B, Q, M)`, and float32 `(B, Q, S)`.

    Reference: Bahdanau et al. 2015, section 3.1, https://arxiv.org/abs/1409.0473
    """

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        check_sizes(units=units)
        self.units = units

    def build(self, inputs_shape, memory_shape, attention_mask_shape=None):
        self.query_kernel = self._add_kernel(inputs_shape[-1], self.units, "query")
        self.key_kernel = self._add_kernel(memory_shape[-1], self.units, "key")
        limit = (3 / self.units) ** 0.5
        start = keras.initializers.RandomUniform(-limit, limit)
        self.vector = self.add_weight((self.units,), start, name="vector")

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@register
class LuongAttention(BahdanauAttention):
    """Multiplicative attention, and Luong's form of the additive one.

    Args:
        score: `"dot"`, the product of query and memory; `"general"`, with a matrix
            between them; or `"concat"`, a network over both.
        units: int or `None` (the width of the queries). Of `"concat"` only.

    Call arguments and returns: see `BahdanauAttention`.

    Raises:
        ValueError: if `score` is unknown, or if `"dot"` meets queries and a memory of
            different widths.

    Reference: Luong et al. 2015, section 3.1, https://arxiv.org/abs/1508.04025
    """

    def __init__(self, score="general", units=None, **kwargs):
        RecurrentAttention.__init__(self, **kwargs)
        check_given_sizes(units=units)
        check_one_of("score", score, SCORES)
        self.units = units
        self.score = score

    def build(self, inputs_shape, memory_shape, attention_mask_shape=None):
        width, other = inputs_shape[-1], memory_shape[-1]
        if self.score == "concat":
            self.units = self.units or width
            super().build(inputs_shape, memory_shape)
        elif self.score == "general":
            # Applied to the memory, once, instead of to every query.
            self.key_kernel = self._add_kernel(other, width, "key")
        elif width != other:
            raise ValueError(
                "`memory` must be as wide as the queries when score='dot'. "
                f"Received: {other} and {width}"
            )

    def get_config(self):
        return {**super().get_config(), "score": self.score}
