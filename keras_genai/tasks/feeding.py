"""How examples reach a model: arrays checked once, pipelines checked as they run."""

import math
import numbers

import keras
import numpy as np
import tensorflow as tf
from keras import tree
from keras.utils import unpack_x_y_sample_weight

from keras_genai import compat
from keras_genai.tasks import batches
from keras_genai.tasks.batches import WEIGHTS, Weights


class Feed:
    """What `fit` and its like do with their data before Keras gets it.

    Args:
        fields: dict of `Field` by name, what a batch must have.
        class_weight: dict of float by int, or `None`. Factors of the examples of each
            class; 1 of a class that is not named.
        weighted: bool. Whether examples may have weights.

    Raises:
        ValueError: if `class_weight` is no such dict.
    """

    def __init__(self, fields, class_weight=None, weighted=True):
        self.fields = fields
        self.weighted = weighted
        self.class_weight = class_weight
        if class_weight is not None:
            _check_class_weight(class_weight)

    def arrays(self, x, y=None, weights=None):
        """Arrays, checked, as Keras takes them.

        Args:
            x: dict of arrays, or pictures.
            y: labels, or `None`.
            weights: array `(N,)`, how much each example counts, or `None`.

        Returns:
            `(x, y, sample_weight)`: a dict; `None`, or something if there are weights,
            because Keras drops weights without targets; float32 `(N,)` or `None`.

        Raises:
            ValueError: for a missing field, another rank, shape or dtype, values out
                of range, or arrays of unequal length.
        """
        x, y, weights = tree.map_structure(_array, (x, y, weights))
        batch = batches.named(x, y, self.fields)
        batches.check_arrays(batch, self.fields)
        if weights is not None:
            Weights().check(WEIGHTS, weights)
        _check_lengths(batch, weights)
        weights = self._weights(batch, y, weights)
        return batch, weights, weights

    def given(self, arguments, shuffle=False):
        """The arguments of a method that it changes: dict of x, y and sample_weight."""
        x, y, weights = self.any(
            arguments.get("x"),
            arguments.get("y"),
            arguments.get("sample_weight"),
            shuffle,
        )
        return {"x": x, "y": y, "sample_weight": weights}

    def any(self, x, y=None, weights=None, shuffle=False):
        """Whatever `fit` takes, as Keras takes it: see `arrays` and `batches`.

        Args:
            shuffle: bool. Whether a `PyDataset` is read in another order.
        """
        if x is None or compat.can_convert_arrays((x, y, weights)):
            return self.arrays(x, y, weights)
        shuffle = shuffle and isinstance(x, keras.utils.PyDataset)
        adapter = compat.get_data_adapter(x, y, weights, shuffle=shuffle)
        return _Fed(adapter, self), None, None

    def batches(self, dataset):
        """A `tf.data.Dataset` of whole batches as Keras takes them, checked as it runs.

        Raises:
            ValueError: for a missing field, or another rank, shape or dtype.
        """
        x, y, weights = _parts(dataset.element_spec)
        spec = batches.named(x, y, self.fields)
        for name, field in self.fields.items():
            field.check_type(name, spec[name])
        if weights is not None:
            self._check_weights(weights)
        self._check_labels(spec, y)
        return dataset.enumerate().map(self._read)

    @tf.autograph.experimental.do_not_convert
    def _read(self, index, element):
        x, y, weights = _parts(element)
        batch = batches.named(x, y, self.fields)
        batch = batches.assert_shapes(batch, self.fields)
        batch |= batches.read(batch, self.fields)
        batch = batches.assert_values(batch, self.fields, index)
        if weights is not None:
            field = {WEIGHTS: Weights()}
            weights = batches.assert_values({WEIGHTS: weights}, field, index)[WEIGHTS]
        weights = self._weights(batch, y, weights)
        return batch if weights is None else (batch, weights, weights)

    def _check_weights(self, weights):
        if not self.weighted:
            raise ValueError(
                "A batch must be without weights: this model learns from it as a "
                "whole. Received: (x, y, sample_weight)"
            )
        Weights().check_type(WEIGHTS, weights)

    def _check_labels(self, batch, y):
        if self.class_weight is not None and "labels" not in batch and y is None:
            raise ValueError(
                "`class_weight` must be `None` where no labels are. Received: "
                f"class_weight={self.class_weight}"
            )

    def _weights(self, batch, y, weights):
        """float32 `(N,)`: weights of examples and of their classes, or `None`."""
        self._check_labels(batch, y)
        if self.class_weight is None:
            return weights
        labels = batch.get("labels", y)
        size = max(self.class_weight) + 1
        table = np.ones(size + 1, "float32")  # the last is that of all others
        for label, weight in self.class_weight.items():
            table[label] = weight
        if isinstance(labels, np.ndarray):
            factors = table[np.minimum(labels, size)]
        else:
            factors = tf.gather(table, tf.minimum(tf.cast(labels, "int32"), size))
        return factors if weights is None else factors * weights


class _Fed(compat.DataAdapter):
    """Another adapter, whose batches go through a `Feed`."""

    def __init__(self, adapter, feed):
        self.adapter = adapter
        self.feed = feed

    def get_tf_dataset(self):
        dataset = self.adapter.get_tf_dataset()
        if not isinstance(dataset, tf.data.Dataset):
            return dataset  # on several devices already
        return self.feed.batches(dataset)

    @property
    def num_batches(self):
        return self.adapter.num_batches

    @property
    def batch_size(self):
        return self.adapter.batch_size

    @property
    def has_partial_batch(self):
        return self.adapter.has_partial_batch

    @property
    def partial_batch_size(self):
        return self.adapter.partial_batch_size

    def on_epoch_begin(self):
        self.adapter.on_epoch_begin()

    def on_epoch_end(self):
        self.adapter.on_epoch_end()


def _parts(element):
    """Pictures, labels and weights of a batch, `None` where one is left out."""
    x, *rest = unpack_x_y_sample_weight(element)
    return x, *(part if hasattr(part, "dtype") else None for part in rest)


def _array(value):
    return None if value is None else np.asarray(value)


def _check_lengths(batch, weights):
    sizes = {name: len(array) for name, array in batch.items()}
    if weights is not None:
        sizes[WEIGHTS] = len(weights)
    if len(set(sizes.values())) > 1:
        raise ValueError(f"All arrays must be of one length. Received: {sizes}")


def _check_class_weight(class_weight):
    good = isinstance(class_weight, dict) and all(
        isinstance(label, numbers.Integral)
        and label >= 0
        and isinstance(weight, numbers.Real)
        and math.isfinite(weight)
        for label, weight in class_weight.items()
    )
    if not good or not class_weight:
        raise ValueError(
            "`class_weight` must be a dict of a finite number for each class. "
            f"Received: {class_weight!r}"
        )
