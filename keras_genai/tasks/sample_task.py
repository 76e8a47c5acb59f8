"""SampleTask: a Task whose batches are samples, as whoever has some hands them in."""

import contextlib
import functools

import keras
import tensorflow as tf
from keras.utils import unpack_x_y_sample_weight

from keras_genai import compat
from keras_genai.data.held import as_rows, columns, in_batches
from keras_genai.tasks import batches
from keras_genai.tasks.base import Task
from keras_genai.tasks.calls import arguments
from keras_genai.tasks.feeding import Feed


class SampleTask(Task):
    """What tasks share that learn to make samples: how these are given and looked at.

    `fit`, `evaluate`, `predict` and their likes take a dict of `fields`, samples
    alone, or samples and labels, in arrays, tensors, data sets and generators.
    Arrays are looked at once, as a whole; of anything else the first 16 batches and
    one in 16 that follow.

    What its batches hold follows from its `target` and from what is `given`, which a
    subclass says.

    Attributes:
        weighted: bool. Whether examples may have weights.
    """

    weighted = True

    @property
    def fields(self):
        """dict of `keras_genai.modalities.fields.Field` by name: those of a batch."""
        kinds = self.target, *self.given
        return {key: field for kind in kinds for key, field in kind.fields.items()}

    @property
    def shown(self):
        """dict of `Field` by name: those of a batch that `predict` is given."""
        return self.fields

    def loader(self, samples, *given, batch_size=32, shuffle=True, seed=0):
        """Batches for `fit` of what a person holds.

        Args:
            samples: samples as the target modality reads them: an array, a list such
                as one of paths of pictures, a generator, a map-style data set, or a
                `tf.data.Dataset` of single samples. Or pairs, of a sample and what it
                is made from.
            *given: what each sample is made from, in the order of `given`: labels, for
                instance.
            batch_size: int.
            shuffle: bool. Whether each epoch has another order.
            seed: int, of the order.

        Returns:
            `keras_genai.data.DataLoader`.

        Raises:
            ValueError: if a part is missing, or a value is not as it must be.
        """
        kinds = self.target, *self.given
        parts = [as_rows(part, "samples") for part in (samples, *given)]
        if len(parts) == 1:
            parts = columns(parts[0], len(kinds), "samples")
        if len(parts) != len(kinds):
            raise ValueError(
                f"`given` must be {[kind.key for kind in kinds[1:]]}, a row a sample. "
                f"Received: {len(parts) - 1} of them"
            )
        arrays = {}
        for kind, part in zip(kinds, parts, strict=True):
            arrays |= kind.batch(kind.read(part))
        return in_batches(arrays, len(parts[0]), batch_size, shuffle, seed)

    def read(self, inputs):
        """A batch as the model sees it, checked when traced. See `batches.read`."""
        return batches.read(inputs, self.fields)

    def metric_inputs(self, x, y_pred):
        """What the metrics of `compile` compare.

        Args:
            x: a batch.
            y_pred: what the model returned for it.

        Returns:
            `(true, predicted)`, tensors with a row an example.
        """
        raise NotImplementedError

    @functools.wraps(keras.Model.compile)
    def compile(self, *args, **kwargs):
        given = arguments(keras.Model.compile, self, args, kwargs)
        for name in ("loss", "loss_weights"):
            if given.get(name) is not None:
                raise ValueError(
                    f"`{name}` must be `None`: {type(self).__name__} has a loss of its "
                    f"own. Received: {name}={given[name]!r}"
                )
        super().compile(**given)

    def compute_metrics(self, x, y, y_pred, sample_weight=None):
        true, predicted = self.metric_inputs(x, y_pred)
        return super().compute_metrics(x, true, predicted, sample_weight)

    def input_specs(self):
        return {
            name: keras.InputSpec(field.dtype, shape=(None, *field.shape))
            for name, field in self.fields.items()
        }

    @functools.wraps(keras.Model.fit)
    def fit(self, *args, **kwargs):
        given = arguments(keras.Model.fit, self, args, kwargs)
        feed = self._feed(given, given.pop("class_weight", None))
        given.update(feed.given(given, shuffle=given.get("shuffle", True)))
        if given.get("validation_data") is not None:
            x, y, weights = unpack_x_y_sample_weight(given["validation_data"])
            given["validation_data"] = Feed(self.fields).any(x, y, weights)
        with self._clear():
            return super().fit(**given)

    @functools.wraps(keras.Model.evaluate)
    def evaluate(self, *args, **kwargs):
        if compat.fed_by_fit(kwargs):
            return super().evaluate(*args, **kwargs)
        given = arguments(keras.Model.evaluate, self, args, kwargs)
        given.update(self._feed(given).given(given))
        with self._clear():
            return super().evaluate(**given)

    @functools.wraps(keras.Model.predict)
    def predict(self, *args, **kwargs):
        given = arguments(keras.Model.predict, self, args, kwargs)
        given["x"], _, _ = Feed(self.shown).any(given["x"])
        with self._clear():
            return super().predict(**given)

    @functools.wraps(keras.Model.train_on_batch)
    def train_on_batch(self, *args, **kwargs):
        given = arguments(keras.Model.train_on_batch, self, args, kwargs)
        feed = self._feed(given, given.pop("class_weight", None))
        return super().train_on_batch(**{**given, **feed.given(given)})

    @functools.wraps(keras.Model.test_on_batch)
    def test_on_batch(self, *args, **kwargs):
        given = arguments(keras.Model.test_on_batch, self, args, kwargs)
        return super().test_on_batch(**{**given, **self._feed(given).given(given)})

    @functools.wraps(keras.Model.predict_on_batch)
    def predict_on_batch(self, x):
        return super().predict_on_batch(Feed(self.shown).arrays(x)[0])

    def _feed(self, given, class_weight=None):
        for name, value in (
            ("sample_weight", given.get("sample_weight")),
            ("class_weight", class_weight),
        ):
            if value is not None and not self.weighted:
                raise ValueError(
                    f"`{name}` must be `None`: {type(self).__name__} learns from a "
                    f"batch as a whole. Received: {type(value).__name__}"
                )
        return Feed(self.fields, class_weight, self.weighted)

    @contextlib.contextmanager
    def _clear(self):
        """Says in one line what a pipeline found in a batch."""
        try:
            yield
        except tf.errors.InvalidArgumentError as error:
            refusal = batches.said(error, self.fields)
            if refusal is None:
                raise
            raise refusal from None
