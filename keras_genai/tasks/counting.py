"""CountingLM: language models that learn by counting, in one pass over a text."""

import functools
import types
from typing import ClassVar

import keras
import numpy as np

from keras_genai import compat
from keras_genai.networks import ngram_tables
from keras_genai.networks.ngram import NGram
from keras_genai.registry import register
from keras_genai.tasks.calls import arguments
from keras_genai.tasks.counting_windows import (
    collect_windows,
    is_array,
    split_windows,
)
from keras_genai.tasks.language import CausalLM


@register
class CountingLM(CausalLM):
    """A language model that counts instead of following gradients.

    `fit_tokens` counts a whole text, `fit` windows of it, targets included; every fit
    starts anew. `fit` has the arguments of `keras.Model.fit`, and this is what they
    mean here:

    - `x` is whatever gives batches of `(tokens, targets)` or `(tokens, targets,
      sample_weight)`, `(B, T)` each: a `tf.data.Dataset`, a `PyDataset`, a generator;
      or an int array, one text `(N,)` or windows `(B, T)` with their targets in `y`.
    - All `epochs` are one: counting twice what was counted teaches nothing. Nothing is
      counted unless they are above `initial_epoch`. Callbacks see one epoch of one
      batch, and its history has `"loss"`, nats per target.
    - `steps_per_epoch` is how many batches of an endless dataset are read.
    - `sample_weight` is 0 or 1, `(B, T)` or `(B,)`: targets of weight 0 are not
      counted. There is no `class_weight`.
    - `validation_split` is the share of an array's windows, the last ones, that is
      not counted but validated on. `validation_freq` decides whether that is done.
    - `batch_size` and `shuffle` change nothing: counts have no order.

    Args:
        network: `NGram`.
        target: `Text`, with its tokenizer if there is one.

    Call arguments, returns: see `CausalLM`.

    Raises:
        ValueError: by `fit`, if a text is shorter than the network's order, a token is
            not an int in `[0, vocabulary_size)`, a dataset is endless without
            `steps_per_epoch`, or a weight is neither 0 nor 1; or with `class_weight`,
            or `validation_split` without windows.
        RuntimeError: if it is used before it was fitted or loaded.
    """

    network: NGram

    counts_tokens: ClassVar = True

    def fit_tokens(self, tokens):
        """Counts every n-gram of one text, in order, each token once.

        Args:
            tokens: int `(N,)`, N >= the order of the network.

        Returns:
            `keras.callbacks.History` with `"loss"`: nats per token of this text.

        Raises:
            ValueError: if the text is shorter than that, or a token is not an int in
                `[0, vocabulary_size)`.
        """
        tokens = ngram_tables.check_tokens(tokens, self.vocabulary_size)
        return self.fit(tokens, verbose=0)

    @functools.wraps(keras.Model.fit)
    def fit(self, *args, **kwargs):
        asked = arguments(keras.Model.fit, self, args, kwargs, defaults=True)
        asked = types.SimpleNamespace(**asked)
        if asked.class_weight is not None:
            raise ValueError(
                "`class_weight` must be None: a count cannot weigh more than another. "
                f"Received: class_weight={asked.class_weight}"
            )
        windows, held_out = _shared_out(asked)
        callbacks = self._callbacks(asked)
        if not self.compiled:
            self.compile(optimizer=None)
        self.stop_training = False
        callbacks.on_train_begin()
        logs = None
        if asked.initial_epoch < asked.epochs:
            logs = self._count_once(windows, asked.steps_per_epoch, callbacks)
            logs |= self._validate(held_out, asked)
            callbacks.on_epoch_end(0, logs)
        callbacks.on_train_end(logs)
        return self.history

    def _callbacks(self, asked):
        return keras.callbacks.CallbackList(
            asked.callbacks,
            add_history=True,
            add_progbar=asked.verbose != 0,
            model=self,
            verbose=1 if asked.verbose == "auto" else asked.verbose,
            epochs=1,
            steps=1,
        )

    def _count_once(self, windows, steps, callbacks):
        """Counts, between what callbacks see of a batch: dict with the loss."""
        callbacks.on_epoch_begin(0)
        callbacks.on_train_batch_begin(0)
        logs = {"loss": self._count(*windows, steps)}
        callbacks.on_train_batch_end(0, logs)
        return logs

    def _count(self, x, y, sample_weight, steps):
        """float: nats per target, after counting."""
        if is_array(x) and np.ndim(x) == 1:
            tokens, ages, predicted = np.asarray(x), None, None
        else:
            tokens, ages, predicted = collect_windows(x, y, sample_weight, steps)
        tokens = ngram_tables.check_tokens(tokens, self.vocabulary_size)
        order = self.network.order
        longest = tokens.size if ages is None else ages.max(initial=-1) + 1
        if longest < order:
            raise ValueError(
                f"`order` must be at most the length of the text or window. "
                f"Received: order={order}, {longest} tokens"
            )
        self.network.hold(
            ngram_tables.count_ngrams(
                tokens, self.vocabulary_size, order, ages, predicted
            )
        )
        scores = self.network.log_probabilities(tokens, ages)
        if predicted is not None:
            targets = predicted & (ages > 0)
            scores = scores[targets if targets.any() else predicted]
        return float(-scores.mean())

    def _validate(self, held_out, asked):
        """dict of the metrics of `evaluate` as `val_...`; empty if none are wanted."""
        epochs = range(asked.initial_epoch, asked.epochs)
        if held_out is None or not any(
            compat.evaluates(self, epoch, asked.validation_freq) for epoch in epochs
        ):
            return {}
        if not isinstance(held_out, tuple | list):
            held_out = (held_out,)
        x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(tuple(held_out))
        scores = self.evaluate(
            x,
            y,
            sample_weight=sample_weight,
            batch_size=asked.validation_batch_size,
            steps=asked.validation_steps,
            verbose=0,
            return_dict=True,
        )
        return {f"val_{name}": score for name, score in scores.items()}

    def count_params(self):
        """The number of counts held, over all n-gram lengths."""
        return self.network.count_params()


def _shared_out(asked):
    """What is counted, `(x, y, sample_weight)`, and what is validated on, or `None`."""
    windows = asked.x, asked.y, asked.sample_weight
    if asked.validation_split and asked.validation_data is None:
        return split_windows(*windows, asked.validation_split)
    return windows, asked.validation_data
