"""GANs: two networks, two optimizers, and the only `train_step` of the library."""

import contextlib
import functools
import math
import re

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai import compat, registry, replicas
from keras_genai.checks import check_integer, check_size
from keras_genai.losses import lazily
from keras_genai.samplers.session import compiled
from keras_genai.tasks import pictures
from keras_genai.tasks.calls import arguments
from keras_genai.tasks.drawing import (
    fresh_seeds,
    padded_rows,
    replaced,
    to_networks,
    to_pictures,
)
from keras_genai.tasks.picture_task import PictureTask
from keras_genai.tasks.two_optimizers import AveragesAtTheEnd, TwoOptimizers

SCORED_AT_ONCE = 256  # pictures


class GAN(PictureTask):
    """A generator of pictures (or videos), and a discriminator that it learns from.

    A subclass makes two layers, `generator` and `discriminator`, builds them, and
    fills in the holes below: `draw` and `score` if pictures come from noise,
    `draw_fake`, `discriminator_loss` and `generator_loss` otherwise. These take whole
    batches, so that penalties on gradients can be added to the losses. Networks see
    pictures in [-1, 1]; users, in [0, 1].

    A step trains the discriminator `discriminator_steps` times, each time on fakes of
    its own, then the generator on the last of these. Averaged weights come from
    `generator_optimizer` with `use_ema=True`.

    Args:
        image_shape: `(H, W, C)`, or `(F, H, W, C)` for videos.
        loss: object of `keras_genai.losses`: `NonSaturating`, `Wasserstein`, `Hinge`
            or `LeastSquares`.
        penalty: `GradientPenalty` or `R1` of `keras_genai.losses`, or `None`.
        num_classes: int or `None`. With it, batches need `"labels"`.
        discriminator_steps: int >= 1.

    Call arguments:
        inputs: dict of a batch: `"images"`, float `(B, *image_shape)` in [0, 1], and
            `"labels"`, int `(B,)`, if there are classes.
        training: bool.

    Returns:
        float32 `(B, *image_shape)` in [0, 1]: as many fakes, of the same classes.

    Raises:
        ValueError: if an argument is out of range or a batch is of another shape.

    Reference: Goodfellow et al. 2014, algorithm 1, https://arxiv.org/abs/1406.2661
    """

    jit_generate = False  # convolutions are faster outside of XLA on a CPU
    weighted = False  # the losses are of whole batches

    def __init__(
        self,
        image_shape,
        loss,
        penalty=None,
        num_classes=None,
        discriminator_steps=1,
        **kwargs,
    ):
        super().__init__(**kwargs)
        image_shape = pictures.check_image_shape(image_shape, ranks=(3, 4))
        check_size("discriminator_steps", discriminator_steps)
        if num_classes is not None:
            check_size("num_classes", num_classes, 2)
        if not all(hasattr(loss, side) for side in ("discriminator", "generator")):
            raise TypeError(
                "`loss` must be an object of keras_genai.losses such as "
                f"NonSaturating(). Received: {loss=}"
            )
        if penalty is not None and not hasattr(penalty, "every"):
            raise TypeError(
                "`penalty` must be `None` or an object of keras_genai.losses such as "
                f"R1(). Received: {penalty=}"
            )
        self.image_shape = image_shape
        self.adversarial_loss = loss
        self.penalty = penalty
        self.num_classes = num_classes
        self.discriminator_steps = discriminator_steps
        self.seeds = replicas.SeedGenerator(name="seeds")
        self.trackers = {}
        self.validated = []
        self.track("discriminator_loss")
        self.track("generator_loss")
        if penalty is not None:
            self.track("discriminator_penalty", validated=False)

    @property
    def built(self):
        """bool: whether both networks are, however a subclass has made them."""
        networks = (vars(self).get(name) for name in ("generator", "discriminator"))
        return self._is_built or all(
            network is not None and network.built for network in networks
        )

    @built.setter
    def built(self, value):
        self._is_built = value

    @property
    def metrics(self):
        """What logs show; first what `evaluate` returns, in its order."""
        return sorted(super().metrics, key=lambda metric: self._is_of_training(metric))

    @property
    def metrics_names(self):
        return [m.name for m in self.metrics if not self._is_of_training(m)]

    def _is_of_training(self, metric):
        return metric.name in self.trackers and metric.name not in self.validated

    def track(self, name, validated=True):
        """Makes a mean that the logs show, updated in `self.trackers[name]`.

        Args:
            name: str.
            validated: bool. Whether it is taken of validation data, too.
        """
        self.trackers[name] = keras.metrics.Mean(name=name)
        if validated:
            self.validated.append(name)

    # What variants fill in.

    def draw(self, count, labels=None, training=False):
        """Pictures from fresh noise.

        Args:
            count: int or int scalar tensor.
            labels: int `(count,)`, or `None` without classes.
            training: bool.

        Returns:
            float32 `(count, *image_shape)` in [-1, 1].
        """
        raise NotImplementedError

    def score(self, images, batch, training=False):
        """The discriminator's opinion.

        Args:
            images: float32 `(B, *image_shape)` in [-1, 1].
            batch: what `prepare` returned; holds labels and conditions.
            training: bool.

        Returns:
            float32 `(B, ...)`, higher for real.
        """
        return self.discriminator(images, labels=batch.get("labels"), training=training)

    def draw_fake(self, real, training=False):
        """Fakes for a batch.

        Args:
            real: what `prepare` returned.
            training: bool.

        Returns:
            float32 `(B, *image_shape)` in [-1, 1].
        """
        return self.draw(
            ops.shape(real["images"])[0], real.get("labels"), training=training
        )

    def discriminator_loss(self, real, fake, training=False):
        """float32 scalar, without penalty. Args as `draw_fake` takes and returns."""
        return self.adversarial_loss.discriminator(
            self.score(real["images"], real, training),
            self.score(fake, real, training),
        )

    def generator_loss(self, real, fake, training=False):
        """float32 scalar, without penalty. Args as `draw_fake` takes and returns."""
        return self.adversarial_loss.generator(self.score(fake, real, training))

    def discriminator_penalty(self, real, fake):
        """float32 scalar, or `None`; in training only."""
        if self.penalty is None:
            return None
        penalty = lazily(
            self.discriminator_optimizer.iterations,
            self.penalty.every,
            lambda: self.penalty(
                lambda images: self.score(images, real),
                real["images"],
                fake,
                self.seeds,
            ),
            scale=self.discriminator_optimizer.scale_loss(1.0),
        )
        self.trackers["discriminator_penalty"].update_state(penalty)
        return penalty

    def generator_penalty(self, real, fake):
        """float32 scalar, or `None`; in training only."""
        return None

    def prepare(self, inputs):
        """A batch as the networks see it.

        Returns:
            dict: `"images"`, float32 in [-1, 1], and `"labels"` if there are classes.

        Raises:
            ValueError: if something is missing or of a wrong shape.
        """
        batch = self.read(inputs)
        prepared = {"images": to_networks(batch["images"])}
        if self.num_classes is not None:
            prepared["labels"] = batch["labels"]
        return prepared

    # Training.

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
        self.generator_optimizer = self._ready(first, self.generator)
        self.discriminator_optimizer = self._ready(second, self.discriminator)
        self.optimizer = TwoOptimizers(
            self.generator_optimizer, self.discriminator_optimizer
        )
        for old in vars(self).get("picture_metrics", ()):
            compat.remove_metric(self, old)
        self.picture_metrics = [_metric(each) for each in metrics or ()]

    def _ready(self, optimizer, network):
        # Keras wraps `model.optimizer` only.
        if self.dtype_policy.name == "mixed_float16" and not isinstance(
            optimizer, keras.optimizers.LossScaleOptimizer
        ):
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
        if not optimizer.built:
            optimizer.build(network.trainable_variables)
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

    def train_step(self, data):
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        real = self.prepare(inputs)
        for _ in range(self.discriminator_steps - 1):
            self._train_discriminator(real, self.draw_fake(real, training=True))
        with tf.GradientTape() as tape:
            fake = self.draw_fake(real, training=True)
            with tape.stop_recording():
                self._train_discriminator(real, fake)
                self._compare(real, fake)
            loss = self.generator_loss(real, fake, training=True)
            self.trackers["generator_loss"].update_state(loss)
            penalty = self.generator_penalty(real, fake)
            loss = loss if penalty is None else loss + penalty
            loss = self.generator_optimizer.scale_loss(replicas.share(loss))
        self._descend(tape, loss, self.generator, self.generator_optimizer)
        return self.get_metrics_result()

    def _train_discriminator(self, real, fake):
        fake = tf.nest.map_structure(tf.stop_gradient, fake)
        with tf.GradientTape() as tape:
            loss = self.discriminator_loss(real, fake, training=True)
            self.trackers["discriminator_loss"].update_state(loss)
            penalty = self.discriminator_penalty(real, fake)
            loss = loss if penalty is None else loss + penalty
            loss = self.discriminator_optimizer.scale_loss(replicas.share(loss))
        self._descend(tape, loss, self.discriminator, self.discriminator_optimizer)

    def _descend(self, tape, loss, network, optimizer):
        weights = network.trainable_variables
        optimizer.apply(tape.gradient(loss, weights), weights)

    def _compare(self, real, fake):
        for metric in self.picture_metrics:
            metric.update_state(*map(to_pictures, self.compared(real, fake)))

    def get_metrics_result(self):
        # Not a mean of its own: one more sum in a graph rounds the others differently.
        result = super().get_metrics_result()
        both = result["discriminator_loss"] + result["generator_loss"]
        return {**result, "loss": both}

    def compared(self, real, fake):
        """The pictures of a batch and the fakes that metrics see, both in [-1, 1]."""
        return real["images"], fake

    def test_step(self, data):
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        real = self.prepare(inputs)
        fake = self.draw_fake(real)
        for name in ("discriminator_loss", "generator_loss"):
            self.trackers[name].update_state(getattr(self, name)(real, fake))
        self._compare(real, fake)
        result = self.get_metrics_result()
        return {name: result[name] for name in self.metrics_names}

    def call(self, inputs, training=False):
        return to_pictures(self.draw_fake(self.prepare(inputs), training=training))

    # Use.

    def generate(self, count=16, labels=None, seed=0, averaged=False):
        """Draws pictures.

        Args:
            count: int >= 1; at most, so that all pictures together are 2**31 numbers.
            labels: int or int `(count,)`, the classes to draw; `None` without
                classes, or for all classes in turn.
            seed: int. Decides the pictures; the state of training stays as it is.
            averaged: bool. If `True`, a model in training draws from the moving
                average of its weights, if its generator's optimizer keeps one. After
                `training.train` the weights are the averages.

        Returns:
            float32 array `(count, *image_shape)` in [0, 1].

        Raises:
            ValueError: if `count`, `labels` or `seed` is not allowed.
        """
        most = pictures.MOST_NUMBERS // math.prod(self.image_shape)
        check_size("count", count, 1, most)
        labels = pictures.to_labels(labels, count, self.num_classes)
        given = {} if labels is None else {"labels": tf.constant(labels)}
        given["count"] = tf.constant(count)

        def build():
            return lambda given: to_pictures(self.draw(**given))

        return self._drawn(("generate",), build, given, seed, averaged)

    def discriminate(self, images, labels=None):
        """How likely the discriminator takes pictures to be real.

        Args:
            images: uint8, or float in [0, 1], `(N, *image_shape)`.
            labels: int or int `(N,)`, their classes, for a model with classes.

        Returns:
            float32 array `(N,)` in [0, 1]: probabilities by the discriminator of a
            `NonSaturating` or `LeastSquares` game; a sigmoid of the score, which keeps
            the order but is not calibrated, of another.

        Raises:
            ValueError: if an argument is of a wrong shape or range.
        """
        images = self.target.read(images)
        batch = {"images": images}
        labels = pictures.own_labels(labels, len(images), self.num_classes)
        if labels is not None:
            batch["labels"] = labels
        return self._probabilities(batch)

    def _probabilities(self, batch):
        """float32 array `(N,)` for a dict of arrays with the keys of a batch."""

        def build():
            def probabilities(batch):
                real = self.prepare(batch)
                score = self.score(real["images"], real)
                chance = self.adversarial_loss.probability(score)
                return ops.mean(ops.reshape(chance, (ops.shape(chance)[0], -1)), axis=1)

            return probabilities

        count = len(batch["images"])
        found = []
        for start in range(0, count, SCORED_AT_ONCE):
            part = {
                key: array[start : start + SCORED_AT_ONCE]
                for key, array in batch.items()
            }
            size = len(part["images"])
            padded = {  # to a power of two: few functions for any number of pictures
                key: padded_rows(array, 1 << (size - 1).bit_length())
                for key, array in part.items()
            }
            size_key = len(padded["images"])
            function = compiled(self, ("discriminate", size_key), build)
            found.append(np.array(function(padded))[:size])
        return np.concatenate(found)

    def _drawn(self, key, build, given, seed, averaged):
        """Result of a compiled function whose draws depend on `seed` alone.

        It takes any number of rows, and is traced at most twice.
        """
        check_integer("seed", seed, -(2**63))
        with contextlib.ExitStack() as stack:
            stack.enter_context(replaced(fresh_seeds(self._seed_states(), seed)))
            if averaged:
                stack.enter_context(replaced(self._averages()))
            function = compiled(self, key, build, reduce_retracing=True)
            return np.array(function(given))

    def _averages(self):
        """Pairs of a weight and its average; none before the first step."""
        optimizer = getattr(self, "generator_optimizer", None)
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        if not getattr(optimizer, "use_ema", False) or not int(optimizer.iterations):
            return []
        averages = compat.moving_averages(optimizer)
        return list(zip(compat.trained_variables(optimizer), averages, strict=True))

    @classmethod
    def from_config(cls, config):
        # A file has lists for tuples, which subclasses may want to add to.
        config = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in registry.from_plain(config).items()
        }
        while True:
            try:
                return super().from_config(dict(config))
            except TypeError as error:
                # A subclass may fix what this class takes: it then takes it no more.
                fixed = re.search(r"multiple values for .*argument '(\w+)'", str(error))
                if fixed is None or config.pop(fixed[1], None) is None:
                    raise

    def get_config(self):
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "loss": registry.to_plain(self.adversarial_loss),
            "penalty": registry.to_plain(self.penalty),
            "num_classes": self.num_classes,
            "discriminator_steps": self.discriminator_steps,
        }


def _metric(given):
    """A `keras.metrics.Metric` from one, its name or a function."""
    found = keras.metrics.get(given)
    if isinstance(found, keras.metrics.Metric):
        return found
    name = getattr(found, "__name__", type(found).__name__)
    return keras.metrics.MeanMetricWrapper(found, name=name)
