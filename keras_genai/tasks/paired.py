"""pix2pix: a picture from another one that shows the same, such as its sketch."""

from typing import ClassVar

import keras
import tensorflow as tf
from keras import ops

from keras_genai.declared import NotNegative
from keras_genai.modalities.base import Modality
from keras_genai.modalities.image import Image
from keras_genai.registry import register
from keras_genai.tasks.drawing import to_pictures, translated
from keras_genai.tasks.gan import GAN


@register
class Pix2Pix(GAN):
    """Conditional GAN from pictures to pictures.

    Args:
        generator: network called as denoisers are, with `noisy`, `time` and
            `condition`, a dict that holds the picture to be translated as `condition`;
            noise and time are 0. It returns numbers of which the hyperbolic tangent is
            the picture. `Pix2PixGenerator`, or a `UNet`.
        discriminator: see `GAN`; it is given the same dict, as `PatchDiscriminator`
            wants it.
        target: `Image`.
        given: `Image` with another key, what pictures are made from.
        loss, penalty, discriminator_steps: see `GAN`.
        l1_weight: float. Weight of the mean absolute error.

    Call arguments:
        inputs: dict of a batch: `"images"`, float `(B, H, W, C)`, and what is given, by
            its key, in [0, 1].
        training: bool.

    Returns:
        float32 `(B, H, W, C)` in [0, 1].

    Raises:
        ValueError: if one picture is not given, or as `GAN`.

    Reference: Isola et al. 2017, section 3, https://arxiv.org/abs/1611.07004
    """

    generator: keras.Model
    discriminator: keras.Model
    target: Image
    given: tuple[Modality, ...]
    l1_weight: NotNegative = 100.0

    verbs: ClassVar = ("edit",)

    def make(self):
        super().make()
        self.track("absolute_error")

    @property
    def source(self):
        """`Image`: what is translated."""
        return source_of(self.given)

    @property
    def network_sizes(self):
        return {**super().network_sizes, **shapes_of(self.source, self.target)}

    def condition(self, real):
        return {"condition": real[self.source.key]}

    def draw_fake(self, real, training=False):
        return self._translated(real[self.source.key], training)

    def _translated(self, images, training=False):
        return translated(self.generator, images, self.image_shape, training)

    def generator_loss(self, real, fake, training=False):
        error = ops.mean(ops.abs(real[self.target.key] - fake))
        self.trackers["absolute_error"].update_state(error)
        return super().generator_loss(real, fake, training) + self.l1_weight * error

    def generate(self, count=16, labels=None, seed=0, averaged=False):
        """Not possible without a condition: use `translate`."""
        raise ValueError(
            "`generate` needs a condition in this model: use `translate(condition)`. "
            f"Received: {count=}"
        )

    def translate(self, condition, seed=0, averaged=False):
        """Makes a picture of each condition.

        Args:
            condition: uint8, or float in [0, 1], `(N, H, W, C')`.
            seed: int. Decides the dropout.
            averaged: bool, as in `generate` of other GANs.

        Returns:
            float32 array `(N, H, W, C)` in [0, 1].

        Raises:
            ValueError: if `condition` is of another shape or range.
        """
        condition = self.source.read(condition, "condition")
        images = tf.constant(self.fields[self.source.key].centred(condition))

        def build():
            return lambda images: to_pictures(self._translated(images))

        return self.drawn(("translate",), build, (images,), seed, averaged)

    def discriminate(self, images, condition):
        """How likely the discriminator takes pictures to be real, mean over patches.

        Args:
            images: uint8, or float in [0, 1], `(N, H, W, C)`.
            condition: likewise `(N, H, W, C')`, what they belong to.

        Returns:
            float32 array `(N,)` in [0, 1]. See `GAN.discriminate`.

        Raises:
            ValueError: if an argument is of a wrong shape or range.
        """
        images = self.target.read(images)
        condition = self.source.read(condition, "condition")
        if len(images) != len(condition):
            raise ValueError(
                "`images` and `condition` must be as many. "
                f"Received: {len(images)} and {len(condition)}"
            )
        return self.probabilities({self.target.key: images, self.source.key: condition})


def shapes_of(source, target):
    """dict of what fields of a network must be that translates between pictures.

    Args:
        source: `Image`, what it reads.
        target: `Image`, what it makes, which denoisers call a sample.
    """
    return {
        "condition_shape": source.shape,
        "image_shape": target.shape,
        "sample_shape": target.shape,
    }


def source_of(given):
    """The `Image` that is translated.

    Args:
        given: tuple of `Modality`.

    Raises:
        ValueError: if it is anything else than one `Image`.
    """
    if len(given) != 1 or not isinstance(given[0], Image):
        raise ValueError(
            f"`given` must be one Image, of what is translated. Received: {given}"
        )
    return given[0]
