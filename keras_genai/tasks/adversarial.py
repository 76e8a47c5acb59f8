"""GANs: two networks, two optimizers, and the only `train_step` of the library."""

import contextlib

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai import registry
from keras_genai.checks import check_integer
from keras_genai.losses import lazily
from keras_genai.samplers.session import compiled
from keras_genai.tasks import batches, pictures
from keras_genai.tasks.drawing import (
    fresh_seeds,
    padded_rows,
    replaced,
    to_networks,
    to_pictures,
)
from keras_genai.tasks.picture_task import PictureTask

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
        image_shape = tuple(image_shape)
        if len(image_shape) not in (3, 4) or min(image_shape) < 1:
            raise ValueError(
                "`image_shape` must be (height, width, channels), or (frames, height, "
                f"width, channels). Received: {image_shape=}"
            )
        check_integer("discriminator_steps", discriminator_steps, 1)
        if num_classes is not None:
            check_integer("num_classes", num_classes, 2)
        self.image_shape = image_shape
        self.adversarial_loss = loss
        self.penalty = penalty
        self.num_classes = num_classes
        self.discriminator_steps = discriminator_steps
        self.seeds = keras.random.SeedGenerator(name="seeds")
        self.trackers = {}
        self.validated = []
        self.track("discriminator_loss")
        self.track("generator_loss")
        if penalty is not None:
            self.track("discriminator_penalty", validated=False)

    @property
    def fields(self):
        return batches.picture_fields(self.image_shape, self.num_classes)

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
        discriminator_optimizer,
        run_eagerly=False,
        steps_per_execution=1,
        jit_compile="auto",
    ):
        """Configures training.

        Args:
            generator_optimizer: `keras.optimizers.Optimizer` or its name. With
                `use_ema=True` there are averaged weights to draw from.
            discriminator_optimizer: another one.
            run_eagerly, steps_per_execution, jit_compile: as `keras.Model.compile`.

        Raises:
            ValueError: if both are one object.
        """
        if generator_optimizer is discriminator_optimizer and not isinstance(
            generator_optimizer, str
        ):
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
        self.generator_optimizer = self._ready(generator_optimizer, self.generator)
        self.discriminator_optimizer = self._ready(
            discriminator_optimizer, self.discriminator
        )

    def _ready(self, optimizer, network):
        optimizer = keras.optimizers.get(optimizer)
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
        }

    def compile_from_config(self, config):
        self.compile(
            **{
                name: keras.saving.deserialize_keras_object(value)
                for name, value in config.items()
            }
        )

    def train_step(self, data):
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        real = self.prepare(inputs)
        for _ in range(self.discriminator_steps - 1):
            self._train_discriminator(real, self.draw_fake(real, training=True))
        with tf.GradientTape() as tape:
            fake = self.draw_fake(real, training=True)
            with tape.stop_recording():
                self._train_discriminator(real, fake)
            loss = self.generator_loss(real, fake, training=True)
            self.trackers["generator_loss"].update_state(loss)
            penalty = self.generator_penalty(real, fake)
            loss = loss if penalty is None else loss + penalty
            loss = self.generator_optimizer.scale_loss(loss)
        self._descend(tape, loss, self.generator, self.generator_optimizer)
        return {name: mean.result() for name, mean in self.trackers.items()}

    def _train_discriminator(self, real, fake):
        fake = tf.nest.map_structure(tf.stop_gradient, fake)
        with tf.GradientTape() as tape:
            loss = self.discriminator_loss(real, fake, training=True)
            self.trackers["discriminator_loss"].update_state(loss)
            penalty = self.discriminator_penalty(real, fake)
            loss = loss if penalty is None else loss + penalty
            loss = self.discriminator_optimizer.scale_loss(loss)
        self._descend(tape, loss, self.discriminator, self.discriminator_optimizer)

    def _descend(self, tape, loss, network, optimizer):
        weights = network.trainable_variables
        optimizer.apply(tape.gradient(loss, weights), weights)

    def test_step(self, data):
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        real = self.prepare(inputs)
        fake = self.draw_fake(real)
        for name in ("discriminator_loss", "generator_loss"):
            self.trackers[name].update_state(getattr(self, name)(real, fake))
        return {name: self.trackers[name].result() for name in self.validated}

    def call(self, inputs, training=False):
        return to_pictures(self.draw_fake(self.prepare(inputs), training=training))

    # Use.

    def generate(self, count=16, labels=None, seed=0, averaged=False):
        """Draws pictures.

        Args:
            count: int >= 1.
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
        check_integer("count", count, 1)
        labels = pictures.to_labels(labels, count, self.num_classes)
        given = {} if labels is None else {"labels": tf.constant(labels)}

        def build():
            return lambda given: to_pictures(self.draw(count, **given))

        return self._drawn(("generate", count), build, given, seed, averaged)

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
        images = pictures.to_pictures(images, self.image_shape)
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
        """Result of a compiled function whose draws depend on `seed` alone."""
        check_integer("seed", seed, -(2**63))
        with contextlib.ExitStack() as stack:
            stack.enter_context(replaced(fresh_seeds(self._seed_states(), seed)))
            if averaged:
                stack.enter_context(replaced(self._averages()))
            return np.array(compiled(self, key, build)(given))

    def _averages(self):
        """Pairs of a weight and its average; none before the first step."""
        optimizer = getattr(self, "generator_optimizer", None)
        optimizer = getattr(optimizer, "inner_optimizer", optimizer)
        if not getattr(optimizer, "use_ema", False) or not int(optimizer.iterations):
            return []
        averages = optimizer._model_variables_moving_average
        return list(zip(optimizer._trainable_variables, averages, strict=True))

    def get_config(self):
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "loss": registry.to_plain(self.adversarial_loss),
            "penalty": registry.to_plain(self.penalty),
            "num_classes": self.num_classes,
            "discriminator_steps": self.discriminator_steps,
        }
