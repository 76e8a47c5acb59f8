"""Tasks whose networks learn in two sides, each with an optimizer of its own."""

import functools

import keras
import tensorflow as tf

from keras_genai import compat
from keras_genai.tasks.calls import arguments
from keras_genai.tasks.picture_task import PictureTask


class TwoOptimizers:
    """What Keras' callbacks and summaries ask an optimizer, answered by both.

    Not an optimizer itself: each of the two is saved and restored on its own. Keras'
    callbacks go through `optimizers` where there are several.

    Args:
        generator, discriminator: built `keras.optimizers.Optimizer`.
    """

    built = True

    def __init__(self, generator, discriminator):
        self.optimizers = [generator, discriminator]

    @property
    def iterations(self):
        return self.optimizers[0].iterations

    @property
    def variables(self):
        return [each for one in self.optimizers for each in one.variables]


class AveragesAtTheEnd(keras.callbacks.Callback):
    """Leaves the averaged weights in a model when `fit` ends, as Keras does for one."""

    def on_train_end(self, logs=None):
        for optimizer in self.model.optimizer.optimizers:
            inner = getattr(optimizer, "inner_optimizer", optimizer)
            if inner.use_ema and int(inner.iterations):  # else there is no average yet
                inner.finalize_variable_values(compat.trained_variables(inner))


class TwoOptimizerTask(PictureTask):
    """What is trained by `generator_optimizer` and by `discriminator_optimizer`.

    Attributes:
        generators: list of networks, those of the first.
        discriminators: list of networks, those of the second.
    """

    @property
    def generators(self):
        return [self.generator]

    @property
    def discriminators(self):
        return [self.discriminator]

    def compile(
        self,
        generator_optimizer,
        discriminator_optimizer=None,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
        metrics=None,
    ):
        """Configures training.

        Logs have `loss`, the sum of the losses of both: it is finite as long as both
        are, but it does not fall as pictures get better.

        Args:
            generator_optimizer: `keras.optimizers.Optimizer` or its name. With
                `use_ema=True` there are averaged weights to draw from, which `fit`
                leaves in the generator when it ends.
            discriminator_optimizer: another one, or `None`: one of the same settings.
            run_eagerly, steps_per_execution, jit_compile: as `keras.Model.compile`.
            metrics: list of names, functions or objects of Keras' metrics, or `None`.
                They are given the pictures of a batch and as many fakes, in [0, 1].

        Raises:
            ValueError: if both are one object.
        """
        first = keras.optimizers.get(generator_optimizer)
        second = discriminator_optimizer
        if second is None:
            second = type(first).from_config(first.get_config())
        second = keras.optimizers.get(second)
        if first is second:
            raise ValueError(
                "`generator_optimizer` and `discriminator_optimizer` must be two "
                f"objects. Received: {generator_optimizer} twice"
            )
        super().compile(
            optimizer=None,
            run_eagerly=run_eagerly,
            steps_per_execution=steps_per_execution,
            jit_compile=jit_compile,
        )
        self.generator_optimizer = self._ready(first, self.generators)
        self.discriminator_optimizer = self._ready(second, self.discriminators)
        self.optimizer = TwoOptimizers(
            self.generator_optimizer, self.discriminator_optimizer
        )
        for old in vars(self).get("picture_metrics", ()):
            compat.remove_metric(self, old)
        self.picture_metrics = [_metric(each) for each in metrics or ()]

    def _ready(self, optimizer, networks):
        # Keras wraps `model.optimizer` only.
        if self.dtype_policy.name == "mixed_float16" and not isinstance(
            optimizer, keras.optimizers.LossScaleOptimizer
        ):
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        if not optimizer.built:
            optimizer.build(trainable(networks))
        return optimizer

    def get_compile_config(self):
        if not self.compiled:
            return None
        return {
            name: keras.saving.serialize_keras_object(getattr(self, name))
            for name in (
                "generator_optimizer",
                "discriminator_optimizer",
                "run_eagerly",
                "steps_per_execution",
                "jit_compile",
            )
        } | {"metrics": self._plain_metrics()}

    def _plain_metrics(self):
        return [keras.saving.serialize_keras_object(m) for m in self.picture_metrics]

    def compile_from_config(self, config):
        self.compile(
            **{
                name: keras.saving.deserialize_keras_object(value)
                for name, value in config.items()
            }
        )

    @functools.wraps(keras.Model.fit)
    def fit(self, *args, **kwargs):
        given = arguments(keras.Model.fit, self, args, kwargs)
        callbacks = given.pop("callbacks", None) or []
        if isinstance(callbacks, keras.callbacks.CallbackList):
            callbacks.append(AveragesAtTheEnd())
        else:
            callbacks = [AveragesAtTheEnd(), *tf.nest.flatten(callbacks)]
        return super().fit(**given, callbacks=callbacks)

    def averages(self):
        """Pairs of a weight of the generators and its average.

        There are none before the first step, nor if nobody asked for them.
        """
        optimizer = getattr(self, "generator_optimizer", None)
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        if not getattr(optimizer, "use_ema", False) or not int(optimizer.iterations):
            return []
        averages = compat.moving_averages(optimizer)
        return list(zip(compat.trained_variables(optimizer), averages, strict=True))


def trainable(networks):
    """List of the weights of all networks that are trained."""
    return [weight for each in networks for weight in each.trainable_variables]


def _metric(given):
    """A `keras.metrics.Metric` from one, its name or a function."""
    found = keras.metrics.get(given)
    if isinstance(found, keras.metrics.Metric):
        return found
    name = getattr(found, "__name__", type(found).__name__)
    return keras.metrics.MeanMetricWrapper(found, name=name)
