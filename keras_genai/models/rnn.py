"""RNNLM: a recurrent language model whose state can outlive the batch."""

import functools

import keras
import tensorflow as tf
from keras import ops

from keras_genai import compat
from keras_genai.checks import check_flags, check_given_sizes, check_rates, check_sizes
from keras_genai.layers.recurrent import CELLS, check_cell
from keras_genai.registry import register
from keras_genai.tasks.calls import arguments
from keras_genai.tasks.language import CausalLM


@register
class RNNLM(CausalLM):
    """Recurrent language model, optionally trained by truncated back-propagation.

    With `lanes`, row r of every training batch must continue row r of the batch
    before: the state is carried from batch to batch, gradients are not. `fit` sets it
    to zero where its data begin anew, and at its end. Inference always starts from a
    zero state and leaves the carried one alone.

    Args:
        vocabulary_size: int.
        embedding_dim: int. Length of a token's vector.
        units: int. Width of every recurrent layer.
        num_layers: int.
        cell: `"simple"`, `"lstm"` or `"gru"`.
        dropout: float. Rate after the embedding and after every recurrent layer.
        tie_embeddings: bool. The output matrix is the token table; needs
            `embedding_dim == units`.
        lanes: int or `None`. Batch size of training with a carried state. With `None`
            each batch starts from a zero state.

    Call arguments:
        tokens: int `(B, T)`.
        training: bool. With `lanes`, `True` continues the carried state and moves it.

    Returns:
        float32 logits of the next token, `(B, T, vocabulary_size)`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range, if `cell` is unknown, if `tie_embeddings`
            cannot be met, or if a training batch has not `lanes` rows.

    Reference: Mikolov et al. 2010, Recurrent neural network based language model;
        Zaremba et al. 2014, https://arxiv.org/abs/1409.2329 (where dropout goes)
    """

    context = None
    transient = ("_lanes",)

    def __init__(
        self,
        vocabulary_size,
        embedding_dim,
        units,
        num_layers,
        cell="lstm",
        dropout=0.0,
        tie_embeddings=False,
        lanes=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_sizes(
            vocabulary_size=vocabulary_size,
            embedding_dim=embedding_dim,
            units=units,
            num_layers=num_layers,
        )
        check_given_sizes(lanes=lanes)
        check_rates(dropout=dropout)
        check_flags(tie_embeddings=tie_embeddings)
        check_cell(cell)
        if tie_embeddings and embedding_dim != units:
            raise ValueError(
                "`embedding_dim` must equal `units` when `tie_embeddings` is set. "
                f"Received: {embedding_dim=}, {units=}"
            )
        self.vocabulary_size = vocabulary_size
        self.embedding_dim = embedding_dim
        self.units = units
        self.num_layers = num_layers
        self.cell = cell
        self.dropout_rate = dropout
        self.tie_embeddings = tie_embeddings
        self.lanes = lanes
        self._feed = None
        self._make_layers()
        self._make_lanes()
        self.built = True

    def _make_layers(self):
        policy = self.dtype_policy
        self.embedding = keras.layers.Embedding(
            self.vocabulary_size, self.embedding_dim, dtype=policy, name="embedding"
        )
        self.embedding.build((None, None))
        self.stack = []
        self.dropouts = [self._make_dropout("dropout")]
        width = self.embedding_dim
        for index in range(self.num_layers):
            layer = CELLS[self.cell](self.units, dtype=policy, name=f"layer_{index}")
            layer.build((None, None, width))
            self.stack.append(layer)
            self.dropouts.append(self._make_dropout(f"dropout_{index}"))
            width = self.units
        if not self.tie_embeddings:
            self.head = keras.layers.Dense(
                self.vocabulary_size, dtype=policy, name="head"
            )
            self.head.build((None, None, width))

    def _make_dropout(self, name):
        return keras.layers.Dropout(
            self.dropout_rate, dtype=self.dtype_policy, name=name
        )

    def _make_lanes(self):
        self.carried = []
        if self.lanes is None:
            return
        for layer in self.stack:
            for index in range(layer.num_states):
                self.carried.append(
                    self.add_weight(
                        (self.lanes, self.units),
                        initializer="zeros",
                        dtype=layer.state_dtype,
                        trainable=False,
                        autocast=False,
                        # Every replica adds its rows; see `_carry`.
                        aggregation="sum",
                        name=f"{layer.name}_state_{index}_lanes",
                    )
                )

    @functools.wraps(CausalLM.fit)
    def fit(self, *args, **kwargs):
        if self.lanes is None:
            return super().fit(*args, **kwargs)
        given = arguments(keras.Model.fit, self, args, kwargs)
        callbacks = given.pop("callbacks", None) or []
        callbacks = callbacks if isinstance(callbacks, list) else [callbacks]
        self._feed = None
        try:
            return super().fit(**given, callbacks=[_ResetLanes(), *callbacks])
        finally:
            self._feed = None
            self.reset_states()

    def _maybe_symbolic_build(self, iterator=None, data_batch=None):
        super()._maybe_symbolic_build(iterator, data_batch)
        if self.lanes is None or iterator is None:
            return
        self._feed = self._feed or iterator  # that of `fit` before its validation's
        if compat.shuffles(iterator):
            raise ValueError(
                f"`shuffle` must be False with lanes={self.lanes}, whose rows go on "
                "from batch to batch. Received: shuffle=True"
            )

    def reset_states(self):
        """Sets the carried state to zero, as before the first batch of a text."""
        for variable in self.carried:
            variable.assign(ops.zeros_like(variable))

    def call(self, tokens, training=False):
        if not (training and self.lanes):
            return self._run(tokens, self.initial_cache(ops.shape(tokens)[0]))[0]
        replicas, replica = _replicas()
        rows, left = divmod(self.lanes, replicas)
        if left or tokens.shape[0] not in (None, rows):
            shared = f", as many on each of {replicas} replicas" if replicas > 1 else ""
            raise ValueError(
                f"`tokens` must have lanes={self.lanes} rows in training{shared}. "
                f"Received: shape {tuple(tokens.shape)}"
            )
        before = [variable.value for variable in self.carried]
        if replicas > 1:
            before = [state[replica * rows :][:rows] for state in before]
        logits, final = self._run(tokens, self._group(before))
        self._carry(keras.tree.flatten(final), replica, replicas)
        return logits

    def _carry(self, states, replica, replicas):
        """Keeps the states after a batch: of several replicas the sum of their rows."""
        for variable, state in zip(self.carried, states, strict=True):
            state = ops.stop_gradient(state)
            if replicas > 1:
                share = ops.one_hot(replica, replicas, dtype=state.dtype)
                state = ops.reshape(
                    share[:, None, None] * state, (self.lanes, self.units)
                )
            variable.assign(state)

    def initial_cache(self, batch_size, length=None):
        """The state before the first token: one list of `(B, U)` a layer.

        Args:
            batch_size: int.
            length: ignored; the state does not grow with the sequence.
        """
        return [layer.initial_state(batch_size) for layer in self.stack]

    def decode(self, tokens, positions, cache, index):
        """Logits of the next token, and the state after `tokens`. See `CausalLM`."""
        x, cache = self._hidden(tokens, cache, valid=positions >= 0)
        # Padding carries the state, so the last column is the last real token's.
        return self._logits(x[:, -1]), cache

    def stream_logits(self, tokens, cache):
        """Logits of a long text piece by piece, the state carried in between.

        Args:
            tokens: int `(B, T)`, the next piece, without padding.
            cache: what `initial_cache` or the call before returned.

        Returns:
            `(logits, cache)`: float32 `(B, T, vocabulary_size)`, and the next cache.
        """
        return self._run(tokens, cache)

    def _run(self, tokens, cache):
        x, cache = self._hidden(tokens, cache)
        return self._logits(x), cache

    def _hidden(self, tokens, cache, valid=None):
        # A table much shorter than the batch is projected instead of the batch.
        chooser = tokens if self._is_short_table(tokens) else None
        if chooser is None:
            x = self.dropouts[0](self.embedding(tokens))  # (B, T, D)
        else:
            x = ops.convert_to_tensor(self.embedding.embeddings)  # (V, D)
        states = []
        for layer, dropout, state in zip(
            self.stack, self.dropouts[1:], cache, strict=True
        ):
            x, state = layer(x, initial_state=state, valid=valid, tokens=chooser)
            x, chooser = dropout(x), None
            states.append(state)
        return x, states

    def _is_short_table(self, tokens):
        if self.dropout_rate or None in tokens.shape:
            return False
        rows = tokens.shape[0] * tokens.shape[1]
        return 4 * self.vocabulary_size <= min(rows, 4 * self.embedding_dim)

    def _logits(self, x):
        if self.tie_embeddings:
            table = ops.cast(self.embedding.embeddings, x.dtype)  # (V, D)
            logits = ops.matmul(x, ops.transpose(table))
        else:
            logits = self.head(x)
        return ops.cast(logits, "float32")

    def _group(self, states):
        count = self.stack[0].num_states
        return [states[i : i + count] for i in range(0, len(states), count)]

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "embedding_dim": self.embedding_dim,
            "units": self.units,
            "num_layers": self.num_layers,
            "cell": self.cell,
            "dropout": self.dropout_rate,
            "tie_embeddings": self.tie_embeddings,
            "lanes": self.lanes,
        }


class _ResetLanes(keras.callbacks.Callback):
    """Begins with a zero state whenever the data begin anew."""

    def on_epoch_end(self, epoch, logs=None):
        if not compat.goes_on(self.model._feed):
            self.model.reset_states()


def _replicas():
    """How many replicas work on a batch, and which of them this is."""
    context = tf.distribute.get_replica_context()
    if context is None:  # a call of the whole model, outside of any step
        return 1, 0
    return context.num_replicas_in_sync, context.replica_id_in_sync_group
