"""GaussianCopula: rows of a table from correlations alone, found in one pass."""

import functools
import types
from typing import ClassVar

import keras
import numpy as np
import tensorflow as tf

from keras_genai.modalities.table import Table
from keras_genai.networks.tabular_copula import Copula
from keras_genai.registry import register
from keras_genai.samplers import multinomial
from keras_genai.samplers.session import compiled
from keras_genai.tasks import pictures
from keras_genai.tasks.calls import arguments
from keras_genai.tasks.feeding import Feed
from keras_genai.tasks.table_task import TableTask


@register
class GaussianCopula(TableTask):
    """A model of rows that knows their columns and correlations, and nothing else.

    It is the floor of models that learn more. `fit` finds all at once, in closed form:
    all epochs are one, and a data set is read to its end. There are no weights of
    examples. The loss is minus the mean logarithm of the copula's density, in nats a
    row, below 0 where columns depend on each other.

    Args:
        network: `Copula`.
        target: `Table`.
        conditional: bool. Whether each class of the table's label, if it has one, has
            correlations and columns of its own.

    Call arguments:
        inputs: dict of `numbers` and `categories`, see `Table`.

    Returns:
        dict of `numbers`, float32 `(B, N)`, as they came.
    """

    network: Copula
    target: Table
    conditional: bool = True

    weighted = False
    counts_tokens: ClassVar = True
    decoding: ClassVar = "normal numbers that are correlated as the columns are"

    def make(self):
        self.jit_generate = self.network.jit_generate

    def call(self, inputs, training=False):
        return {"numbers": self.parts(inputs)[0]}

    def fit_tokens(self, rows):
        """Learns from all rows at once.

        Args:
            rows: dict of arrays or tensors, see `Table`.

        Returns:
            `keras.callbacks.History` with `"loss"`.
        """
        return self.fit(rows, verbose=0)

    @functools.wraps(keras.Model.fit)
    def fit(self, *args, **kwargs):
        asked = arguments(keras.Model.fit, self, args, kwargs, defaults=True)
        asked = types.SimpleNamespace(**asked)
        rows = self._all_rows(asked.x, asked.steps_per_epoch)
        callbacks = keras.callbacks.CallbackList(
            asked.callbacks, add_history=True, model=self, epochs=1, steps=1
        )
        if not self.compiled:
            self.compile(optimizer=None)
        self.stop_training = False
        callbacks.on_train_begin()
        logs = None
        if asked.initial_epoch < asked.epochs:
            callbacks.on_epoch_begin(0)
            logs = {"loss": self._learn(rows)}
            callbacks.on_epoch_end(0, logs)
        callbacks.on_train_end(logs)
        return self.history

    def _all_rows(self, x, steps):
        """dict of arrays: the rows of whatever gives some."""
        if isinstance(x, tf.data.Dataset):
            if steps is not None:
                x = x.take(steps)
            batches = [*x.as_numpy_iterator()]
            x = {key: np.concatenate([b[key] for b in batches]) for key in self.fields}
        return Feed(self.fields, weighted=False).arrays(x)[0]

    def _learn(self, rows):
        numbers, categories, labels, known = (
            None if part is None else np.asarray(part) for part in self.parts(rows)
        )
        codes = [
            part.argmax(axis=-1)
            for part in multinomial.columns(categories, self.sizes_made)
        ]
        codes = np.stack(codes, -1) if codes else np.zeros((len(numbers), 0), int)
        return self.network.learn(numbers, codes, labels, known)

    def evaluate(self, *args, **kwargs):
        raise ValueError(
            "`evaluate` must not be called: a copula has no loss of rows that it did "
            "not learn. See keras_genai.evaluation.score_table"
        )

    def draw(self, labels, count, seed):
        """See `TableTask.draw`."""
        width = self.network.numbers + len(self.network.categories)
        noise = tf.random.stateless_normal(
            (count, width), pictures.key(tf.constant(seed, tf.int64))
        )
        labels = None if labels is None else tf.constant(labels)
        found = compiled(self, ("rows",), lambda: self.network)(noise, labels)
        return [part.numpy() for part in found]
