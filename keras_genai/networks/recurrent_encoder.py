"""RecurrentEncoder: texts read by recurrent layers both ways, for heads on them."""

from typing import Literal

import keras
from keras import ops

from keras_genai.declared import LATER, Count, Rate, Size
from keras_genai.layers.recurrent import CELLS
from keras_genai.layers.token_pooling import POOLINGS
from keras_genai.networks.language import TokenNetwork
from keras_genai.registry import register


@register
class RecurrentEncoder(TokenNetwork):
    """Every token together with what recurrent layers read before and after it.

    `SequenceClassifier` and the other heads of `keras_genai.tasks` sit on it.

    Args:
        vocabulary_size: int. A task fills it in from its tokenizer.
        context: int, in tokens. Texts are cut to it; it costs nothing.
        embedding_dim: int. Length of a token's vector.
        units: int. Width of every layer, in each direction.
        num_layers: int.
        cell: `"simple"`, `"lstm"` or `"gru"`.
        dropout: float. Rate on the embedding and after every layer.
        token_dropout: float. Share of tokens whose whole vector is dropped.
        pooling: `"mean"` or `"max"` over the tokens that are not padding.

    Call arguments:
        inputs: int tokens `(B, T)`, or a dict of `tokens` and, if wanted,
            `tokens_mask`, bool or int `(B, T)`, true at what is not padding, which is
            on the right.
        training: bool. Dropout is on if `True`.

    Returns:
        dict of float32 `hidden`, `(B, T, width)`, and `pooled`, `(B, width)`, where
        `width` is `embedding_dim + 2 * units`. What stands at padding means nothing.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range, or if there is no such `cell` or
            `pooling`.

    Reference: Lai et al. 2015, Recurrent Convolutional Neural Networks for Text
        Classification, section 3 (whose simple cells are gated ones here)
    """

    vocabulary_size: Count = LATER
    context: Count = 256
    embedding_dim: Size = 128
    units: Size = 128
    num_layers: Size = 1
    cell: Literal["simple", "lstm", "gru"] = "lstm"
    dropout: Rate = 0.5
    token_dropout: Rate = 0.0
    pooling: Literal["mean", "max"] = "mean"

    @property
    def width(self):
        """int: length of a hidden vector."""
        return self.embedding_dim + 2 * self.units

    def make(self):
        policy = self.dtype_policy
        self.embedding = keras.layers.Embedding(
            self.vocabulary_size, self.embedding_dim, dtype=policy, name="embedding"
        )
        self.embedding.build((None, None))
        self.drop_tokens = keras.layers.Dropout(
            self.token_dropout,
            noise_shape=(None, None, 1),
            dtype=policy,
            name="token_dropout",
        )
        self.drops = []
        self.stack = []
        width = self.embedding_dim
        for index in range(self.num_layers):
            self.drops.append(self._make_dropout(f"dropout_{index}"))
            for direction in ("forward", "backward"):
                layer = CELLS[self.cell](
                    self.units, dtype=policy, name=f"layer_{index}_{direction}"
                )
                layer.build((None, None, width))
                self.stack.append(layer)
            width = 2 * self.units
        self.drops.append(self._make_dropout("dropout_last"))

    def _make_dropout(self, name):
        return keras.layers.Dropout(self.dropout, dtype=self.dtype_policy, name=name)

    def call(self, inputs, training=False):
        inputs = inputs if isinstance(inputs, dict) else {"tokens": inputs}
        mask = inputs.get("tokens_mask")
        hidden = self.hidden(inputs["tokens"], mask)
        return {
            "hidden": ops.cast(hidden, "float32"),
            "pooled": self.pooled(hidden, mask),
        }

    def hidden(self, tokens, mask=None):
        mask = ops.ones_like(tokens) if mask is None else mask
        mask = ops.cast(mask, "bool")
        vectors = x = self.drops[0](self.drop_tokens(self.embedding(tokens)))
        backwards = _reversed_places(mask)
        for index in range(self.num_layers):
            forward, backward = self.stack[2 * index : 2 * index + 2]
            after = ops.take_along_axis(x, backwards, axis=1)
            after, _ = backward(after, valid=mask)
            after = ops.take_along_axis(after, backwards, axis=1)
            before, _ = forward(x, valid=mask)
            x = ops.concatenate([before, after], axis=-1)  # (B, T, 2 * units)
            x = self.drops[index + 1](x)
        return ops.concatenate([vectors, x], axis=-1)

    def pooled(self, hidden, mask=None):
        return POOLINGS[self.pooling](hidden, mask)


def _reversed_places(mask):
    """int32 `(B, T, 1)`: where each token comes from when the real ones turn round."""
    places = ops.arange(ops.shape(mask)[1], dtype="int32")[None]
    counts = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)
    return ops.where(mask, counts - 1 - places, places)[:, :, None]
