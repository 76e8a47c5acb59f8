"""RecurrentEncoder: texts read by recurrent layers, for the heads of an encoder."""

import keras
from keras import ops

from keras_genai.checks import check_one_of, check_rates, check_sizes
from keras_genai.layers.recurrent import CELLS, check_cell
from keras_genai.registry import register
from keras_genai.tasks.base import Task
from keras_genai.tasks.encoder import encoder_rows, mean_of_tokens

POOLINGS = ("mean", "max")


@register
class RecurrentEncoder(Task):
    """Every token together with what recurrent layers read before and after it.

    It is a backbone for `SequenceClassifier` and the other heads of
    `keras_genai.tasks.encoder`.

    Args:
        vocabulary_size: int.
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
        Dict of float32 `hidden`, `(B, T, width)`, and `pooled`, `(B, width)`, where
        `width` is `embedding_dim + 2 * units`. What stands at padding means nothing.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range, or if there is no such `cell` or
            `pooling`.

    Reference: Lai et al. 2015, Recurrent Convolutional Neural Networks for Text
        Classification, section 3 (whose simple cells are gated ones here)
    """

    def __init__(
        self,
        vocabulary_size,
        context=256,
        embedding_dim=128,
        units=128,
        num_layers=1,
        cell="lstm",
        dropout=0.5,
        token_dropout=0.0,
        pooling="mean",
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_sizes(
            vocabulary_size=vocabulary_size,
            context=context,
            embedding_dim=embedding_dim,
            units=units,
            num_layers=num_layers,
        )
        check_rates(dropout=dropout, token_dropout=token_dropout)
        check_cell(cell)
        check_one_of("pooling", pooling, POOLINGS)
        self.vocabulary_size = vocabulary_size
        self.context = context
        self.embedding_dim = embedding_dim
        self.units = units
        self.num_layers = num_layers
        self.cell = cell
        self.dropout_rate = dropout
        self.token_dropout_rate = token_dropout
        self.pooling = pooling
        self.width = embedding_dim + 2 * units
        self._make_layers()
        self.built = True

    def _make_layers(self):
        policy = self.dtype_policy
        self.embedding = keras.layers.Embedding(
            self.vocabulary_size, self.embedding_dim, dtype=policy, name="embedding"
        )
        self.embedding.build((None, None))
        self.token_dropout = keras.layers.Dropout(
            self.token_dropout_rate,
            noise_shape=(None, None, 1),
            dtype=policy,
            name="token_dropout",
        )
        self.dropouts = []
        self.stack = []
        width = self.embedding_dim
        for index in range(self.num_layers):
            self.dropouts.append(self._make_dropout(f"dropout_{index}"))
            for direction in ("forward", "backward"):
                layer = CELLS[self.cell](
                    self.units, dtype=policy, name=f"layer_{index}_{direction}"
                )
                layer.build((None, None, width))
                self.stack.append(layer)
            width = 2 * self.units
        self.dropouts.append(self._make_dropout("dropout_last"))

    def _make_dropout(self, name):
        return keras.layers.Dropout(
            self.dropout_rate, dtype=self.dtype_policy, name=name
        )

    def looked_up(self, x, y=None):
        return encoder_rows(x, self.vocabulary_size)

    def call(self, inputs, training=False):
        inputs = inputs if isinstance(inputs, dict) else {"tokens": inputs}
        tokens = inputs["tokens"]
        mask = inputs.get("tokens_mask")
        mask = ops.ones_like(tokens) if mask is None else mask
        mask = ops.cast(mask, "bool")
        vectors = x = self.dropouts[0](self.token_dropout(self.embedding(tokens)))
        backwards = _reversed_places(mask)
        for index in range(self.num_layers):
            forward, backward = self.stack[2 * index : 2 * index + 2]
            after = ops.take_along_axis(x, backwards, axis=1)
            after, _ = backward(after, valid=mask)
            after = ops.take_along_axis(after, backwards, axis=1)
            before, _ = forward(x, valid=mask)
            x = ops.concatenate([before, after], axis=-1)  # (B, T, 2 * units)
            x = self.dropouts[index + 1](x)
        hidden = ops.cast(ops.concatenate([vectors, x], axis=-1), "float32")
        if self.pooling == "mean":
            return {"hidden": hidden, "pooled": mean_of_tokens(hidden, mask)}
        largest = ops.max(ops.where(mask[:, :, None], hidden, -1e9), axis=1)
        return {"hidden": hidden, "pooled": largest}

    def input_specs(self):
        tokens = keras.InputSpec("int32", shape=(None, None))
        return dict.fromkeys(("tokens", "tokens_mask", "segments"), tokens)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "context": self.context,
            "embedding_dim": self.embedding_dim,
            "units": self.units,
            "num_layers": self.num_layers,
            "cell": self.cell,
            "dropout": self.dropout_rate,
            "token_dropout": self.token_dropout_rate,
            "pooling": self.pooling,
        }


def _reversed_places(mask):
    """int32 `(B, T, 1)`: where each token comes from when the real ones turn round."""
    places = ops.arange(ops.shape(mask)[1], dtype="int32")[None]
    counts = ops.sum(ops.cast(mask, "int32"), axis=1, keepdims=True)
    return ops.where(mask, counts - 1 - places, places)[:, :, None]
