"""TruncatedLM: a recurrent model learns from texts that are longer than its batches."""

import functools
from typing import Annotated, ClassVar

import keras
import tensorflow as tf
from keras import ops

from keras_genai import compat
from keras_genai.declared import Size, part
from keras_genai.networks.language import LanguageNetwork
from keras_genai.registry import register
from keras_genai.tasks.calls import arguments
from keras_genai.tasks.language import CausalLM

_streams = part("stream_logits", "keras_genai.networks.rnn")


@register
class TruncatedLM(CausalLM):
    """A recurrent language model, trained by truncated back-propagation.

    With `lanes`, row r of every training batch must continue row r of the batch
    before: the state is carried from batch to batch, gradients are not. `fit` sets it
    to zero where its data begin anew, and at its end. Inference always starts from a
    zero state and leaves the carried one alone.

    Args:
        network: a `LanguageNetwork` with `stream_logits`, such as `RNN`.
        target: `Text`, with its tokenizer if there is one.
        lanes: int or `None`. Batch size of training with a carried state. With `None`
            each batch starts from a zero state.

    Attributes:
        carried: list of `keras.Variable`: the state after the batch before.

    Call arguments:
        tokens: int `(B, T)`.
        training: bool. With `lanes`, `True` continues the carried state and moves it.

    Returns:
        float32 logits of the next token, `(B, T, vocabulary_size)`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range, or if a training batch has not `lanes`
            rows.

    Reference: Mikolov et al. 2010, Recurrent neural network based language model;
        Zaremba et al. 2014, section 4.1, https://arxiv.org/abs/1409.2329
    """

    network: Annotated[LanguageNetwork, _streams]
    lanes: Size | None = None

    transient: ClassVar = ("_lanes",)

    def make(self):
        super().make()
        self._feed = None
        states = [] if self.lanes is None else self.network.initial_cache(1)
        self.carried = [
            self.add_weight(
                (self.lanes, *state.shape[1:]),
                initializer="zeros",
                dtype=state.dtype,
                trainable=False,
                autocast=False,
                # Every replica adds its rows; see `_carry`.
                aggregation="sum",
                name=f"state_{index}_lanes",
            )
            for index, state in enumerate(keras.tree.flatten(states))
        ]

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

    def call(self, inputs, training=False):
        if not (training and self.lanes):
            return super().call(inputs, training=training)
        if isinstance(inputs, dict):
            raise ValueError(
                f"`inputs` must be tokens with lanes={self.lanes}, whose rows go on "
                f"from batch to batch. Received: a dict of {sorted(inputs)}"
            )
        tokens = inputs
        replicas, replica = _replicas()
        rows = self._rows(tokens, replicas)
        before = [variable.value for variable in self.carried]
        if replicas > 1:
            before = [state[replica * rows :][:rows] for state in before]
        cache = keras.tree.pack_sequence_as(self.network.initial_cache(1), before)
        logits, cache = self.network.stream_logits(tokens, cache)
        self._carry(keras.tree.flatten(cache), replica, replicas)
        return logits

    def _rows(self, tokens, replicas):
        """int: how many lanes each replica has."""
        rows, left = divmod(self.lanes, replicas)
        if left or tokens.shape[0] not in (None, rows):
            shared = f", as many on each of {replicas} replicas" if replicas > 1 else ""
            raise ValueError(
                f"`tokens` must have lanes={self.lanes} rows in training{shared}. "
                f"Received: shape {tuple(tokens.shape)}"
            )
        return rows

    def _carry(self, states, replica, replicas):
        """Keeps the states after a batch: of several replicas the sum of their rows."""
        for variable, state in zip(self.carried, states, strict=True):
            state = ops.stop_gradient(state)
            if replicas > 1:
                share = ops.one_hot(replica, replicas, dtype=state.dtype)
                state = ops.reshape(share[:, None, None] * state, variable.shape)
            variable.assign(state)


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
