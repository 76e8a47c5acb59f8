"""Tasks whose outputs are logits of a choice, and the losses that go with them."""

import functools

import keras

from keras_genai.tasks.base import Task
from keras_genai.tasks.calls import arguments
from keras_genai.tasks.values import Span

# Keras takes these names for losses of probabilities.
OF_LOGITS = {
    "sparse_categorical_crossentropy": "SparseCategoricalCrossentropy",
    "categorical_crossentropy": "CategoricalCrossentropy",
    "binary_crossentropy": "BinaryCrossentropy",
    "categorical_focal_crossentropy": "CategoricalFocalCrossentropy",
    "binary_focal_crossentropy": "BinaryFocalCrossentropy",
}


class LogitsTask(Task):
    """A `Task` that returns float logits `(..., classes)`.

    Attributes:
        num_outputs: int. How many classes there are.
        writes: bool. Whether it writes texts, token by token.
        vocabulary_size: int, of the tokens that it reads.
    """

    num_outputs = None
    writes = False

    def default_loss(self):
        """What `compile` takes when nobody names a loss."""
        return keras.losses.SparseCategoricalCrossentropy(from_logits=True)

    @functools.wraps(keras.Model.compile)
    def compile(self, *args, **kwargs):
        given = arguments(keras.Model.compile, self, args, kwargs)
        if given.get("loss") is None:
            given["loss"] = self.default_loss()
        for name, module in (
            ("loss", keras.losses),
            ("metrics", keras.metrics),
            ("weighted_metrics", keras.metrics),
        ):
            read = functools.partial(_of_logits, name, module)
            given[name] = keras.tree.map_structure(read, given.get(name))
        super().compile(**given)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        # Of texts, a weight may be that of a whole row.
        if getattr(y_pred, "ndim", 0) == 3 and getattr(sample_weight, "ndim", 0) == 1:
            sample_weight = sample_weight[:, None]
        return super().compute_loss(x, y, y_pred, sample_weight, training)

    def looked_up(self, x, y=None):
        return [*super().looked_up(x, y), *self._chosen("targets", y, self.loss)]

    def _chosen(self, name, targets, loss, size=None):
        """Targets that a loss looks up: a list of a `Span`, or of none."""
        sparse = isinstance(loss, keras.losses.SparseCategoricalCrossentropy)
        if not sparse or not hasattr(targets, "dtype"):
            return []
        ignored = loss.get_config().get("ignore_class")
        return [Span(name, targets, size or self.num_outputs, ignored)]


def _of_logits(name, module, value):
    """A loss or metric that takes logits, of one that a user named.

    Raises:
        ValueError: if it takes probabilities.
    """
    known = getattr(value, "__name__", value)
    if isinstance(known, str) and known in OF_LOGITS and not isinstance(value, type):
        return getattr(module, OF_LOGITS[known])(from_logits=True)
    config = value.get_config() if hasattr(value, "get_config") else {}
    if config.get("from_logits") is False:
        raise ValueError(
            f"`{name}` must take logits: {type(value).__name__}(from_logits=True). "
            "Received: from_logits=False"
        )
    return value
