"""pix2pix: a picture from another one that shows the same, such as its sketch."""

import functools
import math

import keras
import tensorflow as tf
from keras import ops

from keras_genai.checks import check_number, check_size
from keras_genai.layers.patches import PatchesToScores
from keras_genai.losses import NonSaturating
from keras_genai.modalities.image import Image
from keras_genai.registry import register
from keras_genai.tasks.adversarial import GAN
from keras_genai.tasks.drawing import to_networks, to_pictures
from keras_genai.tasks.pictures import check_image_shape

NON_SATURATING = NonSaturating()
KERNEL = 4
SLOPE = 0.2
WIDEST = 8  # times `width`

normal = functools.partial(keras.initializers.RandomNormal, stddev=0.02)


@register
class Pix2Pix(GAN):
    """Conditional GAN from pictures to pictures.

    The generator is a U-Net whose only noise is dropout, in use as in training. The
    discriminator judges overlapping patches of a picture beside its condition; the
    patches are 70 x 70 from a side of 64 on, and smaller with smaller pictures.

    Args:
        image_shape: `(H, W, C)`, H and W even.
        condition_shape: `(H, W, C')`.
        width: int. Channels at full size; they double with every halving, up to 8
            times as many.
        dropout: float. Rate behind the innermost layers.
        loss: object of `keras_genai.losses`.
        l1_weight: float. Weight of the mean absolute error.
        penalty: object of `keras_genai.losses`, or `None`.
        discriminator_steps: int >= 1.

    Call arguments:
        inputs: dict of a batch: `"images"`, float `(B, *image_shape)`, and
            `"condition"`, float `(B, *condition_shape)`, in [0, 1].
        training: bool.

    Returns:
        float32 `(B, *image_shape)` in [0, 1].

    Raises:
        ValueError: if the shapes do not fit each other, and as `GAN`.

    Reference: Isola et al. 2017, sections 3 and 6.1,
        https://arxiv.org/abs/1611.07004
    """

    def __init__(
        self,
        image_shape,
        condition_shape,
        width=64,
        dropout=0.5,
        loss=NON_SATURATING,
        l1_weight=100.0,
        penalty=None,
        discriminator_steps=1,
        **kwargs,
    ):
        super().__init__(
            image_shape,
            loss,
            penalty,
            discriminator_steps=discriminator_steps,
            **kwargs,
        )
        condition_shape = check_image_shape(condition_shape, "condition_shape")
        check_image_shape(image_shape)
        height, width_ = self.image_shape[:2]
        if condition_shape[:2] != (height, width_) or height % 2 or width_ % 2:
            raise ValueError(
                "`image_shape` and `condition_shape` must have the same even height "
                f"and width. Received: {image_shape=}, {condition_shape=}"
            )
        check_size("width", width)
        check_number("dropout", dropout, "a number in [0, 1)", lambda x: 0 <= x < 1)
        check_number(
            "l1_weight", l1_weight, "a number >= 0", lambda x: 0 <= x < math.inf
        )
        self.condition_shape = condition_shape
        self.width = width
        self.dropout_rate = dropout
        self.l1_weight = l1_weight
        policy = self.dtype_policy
        self.generator = _UNet(
            condition_shape,
            self.image_shape[-1],
            width,
            dropout,
            dtype=policy,
            name="generator",
        )
        self.generator.build()
        both = (height, width_, condition_shape[-1] + self.image_shape[-1])
        self.discriminator = PatchesToScores(
            both, width, dtype=policy, name="discriminator"
        )
        self.discriminator.build((None, *both))
        self.track("absolute_error")
        self.built = True

    @property
    def given(self):
        return *super().given, Image(self.condition_shape, "condition")

    def prepare(self, inputs):
        condition = to_networks(self.read(inputs)["condition"])
        return {**super().prepare(inputs), "condition": condition}

    def draw_fake(self, real, training=False):
        return self.generator(real["condition"])

    def score(self, images, batch, training=False):
        return self.discriminator(ops.concatenate([batch["condition"], images], -1))

    def generator_loss(self, real, fake, training=False):
        error = ops.mean(ops.abs(real["images"] - fake))
        self.trackers["absolute_error"].update_state(error)
        score = self.score(fake, real, training)
        return self.adversarial_loss.generator(score) + self.l1_weight * error

    def generate(self, count=16, labels=None, seed=0, averaged=False):
        """Not possible without a condition: use `translate`."""
        raise ValueError(
            "`generate` needs a condition in this model: use `translate(condition)`. "
            f"Received: {count=}"
        )

    def translate(self, condition, seed=0, averaged=False):
        """Makes a picture of each condition.

        Args:
            condition: float `(N, *condition_shape)` in [0, 1].
            seed: int. Decides the dropout.
            averaged: bool, as in `generate` of other GANs.

        Returns:
            float32 array `(N, *image_shape)` in [0, 1].

        Raises:
            ValueError: if `condition` is of another shape or range.
        """
        condition = Image(self.condition_shape).read(condition, "condition")

        def build():
            return lambda condition: to_pictures(self.generator(2.0 * condition - 1.0))

        given = tf.constant(condition)
        return self._drawn(("translate",), build, given, seed, averaged)

    def discriminate(self, images, condition):
        """How likely the discriminator takes pictures to be real, mean over patches.

        Args:
            images: float `(N, *image_shape)` in [0, 1].
            condition: float `(N, *condition_shape)` in [0, 1], what they belong to.

        Returns:
            float32 array `(N,)` in [0, 1]. See `GAN.discriminate`.

        Raises:
            ValueError: if an argument is of a wrong shape or range.
        """
        images = self.target.read(images)
        condition = Image(self.condition_shape).read(condition, "condition")
        if len(images) != len(condition):
            raise ValueError(
                "`images` and `condition` must be as many. "
                f"Received: {len(images)} and {len(condition)}"
            )
        return self._probabilities({"images": images, "condition": condition})

    def get_config(self):
        config = super().get_config()
        del config["num_classes"]
        return {
            **config,
            "condition_shape": self.condition_shape,
            "width": self.width,
            "dropout": self.dropout_rate,
            "l1_weight": self.l1_weight,
        }


class _UNet(keras.layers.Layer):
    """Halves until a side is odd or 1, then doubles again beside what was seen."""

    def __init__(self, input_shape, channels, width, dropout, **kwargs):
        super().__init__(**kwargs)
        self.picture = input_shape
        side = math.gcd(*input_shape[:2])
        depth = (side & -side).bit_length() - 1  # how often it can be halved
        widths = [width * min(2**level, WIDEST) for level in range(depth)]
        # No norm next to the picture, nor where there may be one pixel to average.
        inner = range(1, depth - 1)
        self.downs = [
            keras.layers.Conv2D(
                widths[level],
                KERNEL,
                strides=2,
                padding="same",
                use_bias=level not in inner,
                kernel_initializer=normal(),
                dtype=self.dtype_policy,
                name=f"down_{level}",
            )
            for level in range(depth)
        ]
        self.ups = [
            keras.layers.Conv2DTranspose(
                widths[level - 1] if level else channels,
                KERNEL,
                strides=2,
                padding="same",
                use_bias=level == 0,
                kernel_initializer=normal(),
                dtype=self.dtype_policy,
                name=f"up_{level}",
            )
            for level in range(depth)
        ]
        self.down_norms = {str(level): _norm(f"down_norm_{level}") for level in inner}
        self.up_norms = {
            str(level): _norm(f"up_norm_{level}") for level in range(1, depth)
        }
        self.dropouts = {
            str(level): keras.layers.Dropout(
                dropout, dtype=self.dtype_policy, name=f"dropout_{level}"
            )
            for level in range(max(depth - 3, 1), depth)
        }

    def build(self, input_shape=None):
        shapes = [(None, *self.picture)]
        for level, down in enumerate(self.downs):
            down.build(shapes[-1])
            shapes.append(down.compute_output_shape(shapes[-1]))
            if str(level) in self.down_norms:
                self.down_norms[str(level)].build(shapes[-1])
        shape = shapes[-1]
        for level in reversed(range(len(self.ups))):
            self.ups[level].build(shape)
            shape = self.ups[level].compute_output_shape(shape)
            if level:
                self.up_norms[str(level)].build(shape)
                shape = (*shape[:-1], shape[-1] + shapes[level][-1])

    def call(self, images):
        x, skips = images, []
        for level, down in enumerate(self.downs):
            x = down(x)
            if str(level) in self.down_norms:
                x = self.down_norms[str(level)](x)
            x = ops.cast(ops.leaky_relu(x, SLOPE), self.compute_dtype)
            skips.append(x)
        for level in reversed(range(1, len(self.ups))):
            x = self.up_norms[str(level)](self.ups[level](x))
            if str(level) in self.dropouts:
                x = self.dropouts[str(level)](x, training=True)
            x = ops.cast(ops.relu(x), self.compute_dtype)
            x = ops.concatenate([x, skips[level - 1]], axis=-1)
        return ops.tanh(ops.cast(self.ups[0](x), "float32"))


def _norm(name):
    # Of each picture and channel: the published batches of one are just that.
    return keras.layers.GroupNormalization(-1, dtype="float32", name=name)
