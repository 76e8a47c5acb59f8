"""What the user gave to `compile`, compared with what a checkpoint was made under.

Keras keeps some of it as variables, the learning rate for one, which a checkpoint
restores: a callback may have changed them on the way. Where the user changed what was
given, the new value counts, and the user is told.
"""

import keras

from keras_genai import compat
from keras_genai.training import checkpoint
from keras_genai.training.errors import TrainingError
from keras_genai.training.identity import changes, describe


class Compiled:
    """What a model was compiled with; made before anything is restored.

    Args:
        model: compiled and built `keras.Model`.

    Attributes:
        given: dict, JSON: the optimizers and the loss.
    """

    def __init__(self, model):
        self.model = model
        optimizers = checkpoint.optimizers(model)
        self.given = {name: describe(each) for name, each in optimizers.items()}
        self.given["loss"] = describe(getattr(model, "loss", None))
        self._classes = {
            f"{name}{place}"
            for name in optimizers
            for place in (".class", ".inner_optimizer.class")
        }
        self._constants = {
            name: (variable, variable.numpy())
            for name, variable in _constants(optimizers)
        }

    def reconcile(self, restored):
        """Keeps new values over restored ones, where the user gave new ones.

        Args:
            restored: `Restored`. Its `extra["compiled"]` is the `given` of then, and
                `extra["rates"]` are the `learning_rates` of then.

        Returns:
            list of str, a line for each thing the user should know.

        Raises:
            TrainingError: if an optimizer is of another class, whose slots mean
                something else.
        """
        before = restored.extra.get("compiled")
        if before is None:  # of an earlier version
            return []
        changed = changes(before, self.given)
        for name, (there, here) in changed.items():
            if name in self._classes:
                raise TrainingError(
                    f"The checkpoint of step {restored.step} is of another optimizer: "
                    f"`{name}` was {there} and is {here}. Use --fresh to start over "
                    "or --out for another folder",
                    exit_code=2,
                )
            if name in self._constants:
                variable, value = self._constants[name]
                variable.assign(value)
        told = [f"{name} was {a} and is {b}" for name, (a, b) in changed.items()]
        lines = [f"from step {restored.step} on, {', '.join(told)}"] if told else []
        return lines + self._jumps(restored)

    def _jumps(self, restored):
        """Rates that do not go on from where they were."""
        now = learning_rates(self.model)
        return [
            f"the {name.replace('_', ' ')} goes on from {rate:.6g} at {now[name]:.6g}"
            for name, rate in restored.extra.get("rates", {}).items()
            if name in now and abs(now[name] - rate) > 1e-6 * abs(rate)
        ]


def learning_rates(model):
    """Current learning rate of every optimizer, by the name of its log field."""
    rates = {}
    for name, optimizer in checkpoint.optimizers(model).items():
        field = f"{name}_learning_rate".removeprefix("optimizer_")
        # Under a strategy, `float` would not know which replica's.
        rates[field] = float(keras.ops.convert_to_numpy(optimizer.learning_rate))
    return rates


def _constants(optimizers):
    """Names in `given`, and variables, of what Keras turns into variables."""
    for name, optimizer in optimizers.items():
        inner = name
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            yield f"{name}.initial_scale", optimizer.dynamic_scale
            inner = f"{name}.inner_optimizer"
            optimizer = optimizer.inner_optimizer
        if isinstance(compat.given_learning_rate(optimizer), keras.Variable):
            yield f"{inner}.learning_rate", compat.given_learning_rate(optimizer)
