"""Networks that learn from each other: the only `train_step` of the library."""

import contextlib

import keras
import numpy as np
import tensorflow as tf

from keras_genai import replicas
from keras_genai.checks import check_seed
from keras_genai.losses import lazily
from keras_genai.samplers.session import compiled
from keras_genai.tasks.drawing import fresh_seeds, replaced, to_pictures
from keras_genai.tasks.two_optimizers import TwoOptimizerTask, trainable


class AdversarialTask(TwoOptimizerTask):
    """Generators of pictures, and discriminators that they learn from.

    Networks see pictures in [-1, 1]; users, in [0, 1]. Losses take whole batches, so
    that penalties on gradients can be added. A step trains the discriminators
    `discriminator_steps` times, each time on fakes of their own, then the generators on
    the last of these.

    A subclass has the fields `loss` and `penalty`, objects of `keras_genai.losses`, and
    says what fakes are and what is thought of them: `draw_fake`, `discriminator_loss`,
    `generator_loss`, `slope_penalty`.

    Attributes:
        seeds: `keras_genai.replicas.SeedGenerator`, of all noise.
        trackers: dict of `keras.metrics.Mean` by name, see `track`.
        discriminator_steps: int.
    """

    jit_generate = False  # convolutions are faster outside of XLA on a CPU
    weighted = False  # the losses are of whole batches
    discriminator_steps = 1

    def make(self):
        self.seeds = replicas.SeedGenerator(name="seeds")
        self.trackers = {}
        self.validated = []
        self.track("discriminator_loss")
        self.track("generator_loss")
        if self.penalty is not None:
            self.track("discriminator_penalty", validated=False)

    def track(self, name, validated=True):
        """Makes a mean that the logs show, updated in `self.trackers[name]`.

        Args:
            name: str.
            validated: bool. Whether it is taken of validation data, too.
        """
        self.trackers[name] = keras.metrics.Mean(name=name)
        if validated:
            self.validated.append(name)

    @property
    def metrics(self):
        """What logs show; first what `evaluate` returns, in its order."""
        return sorted(super().metrics, key=lambda metric: self._is_of_training(metric))

    @property
    def metrics_names(self):
        return [m.name for m in self.metrics if not self._is_of_training(m)]

    def _is_of_training(self, metric):
        return metric.name in self.trackers and metric.name not in self.validated

    # What a subclass fills in.

    def prepare(self, inputs):
        """A batch as the networks see it.

        Returns:
            dict of tensors by the keys of the modalities; pictures in [-1, 1].

        Raises:
            ValueError: if something is missing or of a wrong shape.
        """
        batch = self.read(inputs)
        return {key: field.centred(batch[key]) for key, field in self.fields.items()}

    def draw_fake(self, real, training=False):
        """Fakes for a batch.

        Args:
            real: what `prepare` returned.
            training: bool.

        Returns:
            float32 `(B, *image_shape)` in [-1, 1], or a nest of such.
        """
        raise NotImplementedError

    def compared(self, real, fake):
        """The pictures of a batch and the fakes that metrics see, both in [-1, 1]."""
        return real[self.target.key], fake

    def discriminator_loss(self, real, fake, training=False):
        """float32 scalar, without penalty. Args as `draw_fake` takes and returns."""
        raise NotImplementedError

    def generator_loss(self, real, fake, training=False):
        """float32 scalar, without penalty. Args as `draw_fake` takes and returns."""
        raise NotImplementedError

    def slope_penalty(self, real, fake):
        """float32 scalar: `penalty` of the discriminators at a batch."""
        raise NotImplementedError

    def generator_penalty(self, real, fake):
        """float32 scalar, or `None`; in training only."""
        return None

    def discriminator_penalty(self, real, fake):
        """float32 scalar, or `None`; in training only."""
        if self.penalty is None:
            return None
        penalty = lazily(
            self.discriminator_optimizer.iterations,
            self.penalty.every,
            lambda: self.slope_penalty(real, fake),
            scale=self.discriminator_optimizer.scale_loss(1.0),
        )
        self.trackers["discriminator_penalty"].update_state(penalty)
        return penalty

    # Training.

    def train_step(self, data):
        inputs, _, _ = keras.utils.unpack_x_y_sample_weight(data)
        real = self.prepare(inputs)
        for _ in range(self.discriminator_steps - 1):
            self._train_discriminators(real, self.draw_fake(real, training=True))
        with tf.GradientTape() as tape:
            fake = self.draw_fake(real, training=True)
            with tape.stop_recording():
                self._train_discriminators(real, fake)
                self._compare(real, fake)
            loss = self.generator_loss(real, fake, training=True)
            self.trackers["generator_loss"].update_state(loss)
            penalty = self.generator_penalty(real, fake)
            loss = loss if penalty is None else loss + penalty
            loss = self.generator_optimizer.scale_loss(replicas.share(loss))
        _descend(tape, loss, self.generators, self.generator_optimizer)
        return self.get_metrics_result()

    def _train_discriminators(self, real, fake):
        fake = tf.nest.map_structure(tf.stop_gradient, fake)
        with tf.GradientTape() as tape:
            loss = self.discriminator_loss(real, fake, training=True)
            self.trackers["discriminator_loss"].update_state(loss)
            penalty = self.discriminator_penalty(real, fake)
            loss = loss if penalty is None else loss + penalty
            loss = self.discriminator_optimizer.scale_loss(replicas.share(loss))
        _descend(tape, loss, self.discriminators, self.discriminator_optimizer)

    def _compare(self, real, fake):
        for metric in self.picture_metrics:
            metric.update_state(*map(to_pictures, self.compared(real, fake)))

    def get_metrics_result(self):
        # Not a mean of its own: one more sum in a graph rounds the others differently.
        result = super().get_metrics_result()
        both = result["discriminator_loss"] + result["generator_loss"]
        return {**result, "loss": both}

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
        real = self.prepare(inputs)
        fake = self.draw_fake(real, training=training)
        return to_pictures(self.compared(real, fake)[1])

    # Use.

    def drawn(self, key, build, given, seed=0, averaged=False):
        """What a compiled function draws, by `seed` alone.

        It takes any number of rows, and is traced at most twice.

        Args:
            key, build: see `keras_genai.samplers.session.compiled`.
            given: tuple of nests of tensors, what the function is called with.
            seed: int. The state of training stays as it is.
            averaged: bool. Whether averaged weights draw, if there are some.

        Returns:
            array.
        """
        check_seed(seed)
        with contextlib.ExitStack() as stack:
            stack.enter_context(replaced(fresh_seeds(self._seed_states(), seed)))
            if averaged:
                stack.enter_context(replaced(self.averages()))
            function = compiled(self, key, build, reduce_retracing=True)
            return np.array(function(*given))


def _descend(tape, loss, networks, optimizer):
    weights = trainable(networks)
    optimizer.apply(tape.gradient(loss, weights), weights)
