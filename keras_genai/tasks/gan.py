"""GAN: pictures from noise, by a network that learns from another one's judgement."""

import math
from typing import Annotated, Any

import keras
import tensorflow as tf
from keras import ops

from keras_genai.checks import MOST_NUMBERS, check_size
from keras_genai.declared import Size, part
from keras_genai.losses import NonSaturating
from keras_genai.modalities.base import Modality
from keras_genai.modalities.image import Image
from keras_genai.registry import register
from keras_genai.samplers.session import compiled
from keras_genai.tasks import pictures
from keras_genai.tasks.adversarial import AdversarialTask
from keras_genai.tasks.drawing import to_pictures

SCORED_AT_ONCE = 256  # pictures


@register
class GAN(AdversarialTask):
    """A generator of pictures (or videos), and a discriminator that it learns from.

    What makes it an LSGAN, a WGAN-GP, a GAN of classes is in its parts: the loss, the
    penalty, the networks, what is given. A subclass may draw and score in its own way:
    `draw` and `score`.

    A step trains the discriminator `discriminator_steps` times, each time on fakes of
    its own, then the generator on the last of these. Averaged weights come from
    `generator_optimizer` with `use_ema=True`.

    Args:
        generator: network with a `latent`, D, called with `latents`, float32
            `(B, D)`, `condition` and `training`, which returns pictures in [-1, 1].
        discriminator: network called with pictures in [-1, 1], `condition` and
            `training`, which returns float32 `(B, ...)`, higher for real. `condition`
            is a dict of what is given, by the keys of its modalities.
        target: `Image` or `Video`.
        given: `Label` or nothing. With it, both networks see labels.
        loss: object of `keras_genai.losses`: `NonSaturating`, `Wasserstein`, `Hinge`
            or `LeastSquares`.
        penalty: `GradientPenalty` or `R1` of `keras_genai.losses`, or `None`.
        discriminator_steps: int >= 1.

    Call arguments:
        inputs: dict of a batch: `"images"`, float `(B, *image_shape)` in [0, 1], and
            `"labels"`, int `(B,)`, if there are classes.
        training: bool.

    Returns:
        float32 `(B, *image_shape)` in [0, 1]: as many fakes, of the same classes.

    Raises:
        TypeError: if a part is none of its kind.
        ValueError: if an argument is out of range, if a discriminator that normalises
            by the batch is under a penalty, or if a batch is of another shape.

    Reference: Goodfellow et al. 2014, algorithm 1, https://arxiv.org/abs/1406.2661
    """

    generator: keras.Model
    discriminator: keras.Model
    target: Image
    given: tuple[Modality, ...] = ()
    loss: Annotated[Any, part("generator", "keras_genai.losses")] = NonSaturating()
    penalty: Annotated[Any, part("every", "keras_genai.losses")] | None = None
    discriminator_steps: Size = 1

    def check(self):
        super().check()
        by_batch = getattr(self.discriminator, "normalizes_batches", False)
        if by_batch and self.penalty is not None:
            raise ValueError(
                "`norm` of a discriminator must not be of the batch under a penalty, "
                "which looks at the slope at each picture by itself. "
                f"Received: norm={self.discriminator.norm!r}, penalty={self.penalty}"
            )

    def condition(self, real):
        """What networks are told beside their inputs: dict of tensors.

        Args:
            real: what `prepare` returned.
        """
        return {kind.key: real[kind.key] for kind in self.given}

    def draw(self, count, condition=None, training=False):
        """Pictures from fresh noise.

        Args:
            count: int or int scalar tensor.
            condition: dict of tensors with `count` rows, or `None`: nothing is given.
            training: bool.

        Returns:
            float32 `(count, *image_shape)` in [-1, 1].
        """
        latents = keras.random.normal(
            (count, self.generator.latent), dtype="float32", seed=self.seeds
        )
        return self.generator(latents, condition, training=training)

    def score(self, images, real, training=False):
        """The discriminator's opinion.

        Args:
            images: float32 `(B, *image_shape)` in [-1, 1].
            real: what `prepare` returned; holds what is given.
            training: bool.

        Returns:
            float32 `(B, ...)`, higher for real.
        """
        return self.discriminator(images, self.condition(real), training=training)

    def draw_fake(self, real, training=False):
        count = ops.shape(real[self.target.key])[0]
        return self.draw(count, self.condition(real), training=training)

    def discriminator_loss(self, real, fake, training=False):
        return self.loss.discriminator(
            self.score(real[self.target.key], real, training),
            self.score(fake, real, training),
        )

    def generator_loss(self, real, fake, training=False):
        return self.loss.generator(self.score(fake, real, training))

    def slope_penalty(self, real, fake):
        return self.penalty(
            lambda images: self.score(images, real),
            real[self.target.key],
            fake,
            self.seeds,
        )

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
        check_size("count", count, 1, MOST_NUMBERS // math.prod(self.image_shape))
        labels = pictures.to_labels(labels, count, self.num_classes)
        condition = {} if labels is None else {"labels": tf.constant(labels)}

        def build():
            return lambda count, condition: to_pictures(self.draw(count, condition))

        given = tf.constant(count), condition
        return self.drawn(("generate",), build, given, seed, averaged)

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
        batch = {self.target.key: images}
        labels = pictures.own_labels(labels, len(images), self.num_classes)
        if labels is not None:
            batch["labels"] = labels
        return self.probabilities(batch)

    def probabilities(self, batch):
        """float32 array `(N,)` for a dict of arrays with the keys of a batch."""

        def build():
            def probabilities(batch):
                real = self.prepare(batch)
                return chances(self.loss, self.score(real[self.target.key], real))

            return probabilities

        function = compiled(self, ("discriminate",), build)
        return pictures.by_batch(function, batch, SCORED_AT_ONCE)


def chances(loss, score):
    """float32 `(B,)` in [0, 1], of scores `(B, ...)`: the mean over a picture's."""
    chance = loss.probability(score)
    return ops.mean(ops.reshape(chance, (ops.shape(chance)[0], -1)), axis=1)
