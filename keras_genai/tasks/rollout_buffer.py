"""The rollout that a policy learns from, as weights of its run."""

import numpy as np
from keras import ops

__all__ = ["RolloutBuffer"]

# TensorFlow keeps int32 variables on the host, where XLA on a GPU cannot read them.
INTS, FLOATS = "int64", "float32"
ENDING = "_of_rollout"  # of their names


class RolloutBuffer:
    """What is known of a rollout, a row for each completion or picture.

    It is weights of a task, so that a checkpoint in the middle of a rollout's updates
    has all that the next one needs.

    Args:
        task: `Task` that has the weights.
        rows: int, N.
        shapes: dict of `(dtype, *shape)` by name, of a row of each array. The first one
            is 0 throughout only while there is no rollout.
        figures: tuple of str, what is known of the rollout as a whole, float32.

    Attributes:
        arrays: dict of `keras.Variable`, `(N, *shape)` each.
        figures: dict of scalar `keras.Variable`.
        is_fresh: likewise, 1 if the next step is the only one that learns from it, and
            its own probabilities are the old ones; else 0.
    """

    def __init__(self, task, rows, shapes, figures):
        self._task = task
        self.arrays = {
            name: self.weight(name, (rows, *shape), dtype)
            for name, (dtype, *shape) in shapes.items()
        }
        self.figures = {name: self.weight(name.replace("/", "_")) for name in figures}
        self.is_fresh = self.weight("is_fresh")

    def weight(self, name, shape=(), dtype=FLOATS):
        """A new `keras.Variable` of the rollout, 0 at first."""
        return self._task.add_weight(
            shape,
            initializer="zeros",
            dtype=dtype,
            trainable=False,
            autocast=False,
            name=f"{name}{ENDING}",
        )

    @property
    def is_filled(self):
        """bool: whether there is a rollout in it."""
        first = next(iter(self.arrays.values()))
        return bool(np.any(ops.convert_to_numpy(first)))

    def put(self, **values):
        """Replaces arrays, whose rows may be shorter: the rest is 0."""
        for name, value in values.items():
            variable = self.arrays[name]
            value = np.asarray(value)
            missing = [
                (0, most - own)
                for most, own in zip(variable.shape, value.shape, strict=True)
            ]
            variable.assign(np.pad(value, missing).astype(variable.dtype))

    def note(self, figures):
        """Replaces figures: dict of float by name."""
        for name, value in figures.items():
            self.figures[name].assign(value)

    def rows(self, places):
        """What is known of some rows: dict of tensors `(B, ...)`, ints int32.

        Args:
            places: int `(B,)`.
        """
        found = {}
        for name, variable in self.arrays.items():
            value = ops.take(variable, places, axis=0)
            found[name] = ops.cast(value, "int32") if variable.dtype == INTS else value
        return found


def shapes_of(fields):
    """What a `RolloutBuffer` needs to know of arrays as a batch has them.

    Args:
        fields: dict of `keras_genai.modalities.fields.Field` by name.
    """
    return {
        name: (FLOATS if field.dtype.startswith("float") else INTS, *field.shape)
        for name, field in fields.items()
    }
