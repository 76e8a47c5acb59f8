"""CycleGAN: two sets of pictures, translated into each other without pairs."""

import functools
import math

import keras
import tensorflow as tf
from keras import ops

from keras_genai.checks import check_integer, check_number, check_size
from keras_genai.layers.patches import PatchesToScores
from keras_genai.layers.pool import ImagePool
from keras_genai.losses import LeastSquares, lazily
from keras_genai.modalities.image import Image
from keras_genai.registry import register
from keras_genai.tasks.adversarial import GAN
from keras_genai.tasks.drawing import to_networks, to_pictures
from keras_genai.tasks.pictures import check_image_shape

LEAST_SQUARES = LeastSquares()

normal = functools.partial(keras.initializers.RandomNormal, stddev=0.02)


@register
class CycleGAN(GAN):
    """Translators from A to B and back that undo each other.

    `"condition"` of a batch holds pictures of domain A, `"images"` those of domain B;
    rows do not belong together.

    Args:
        image_shape: `(H, W, C)` of B, H and W divisible by 4.
        condition_shape: `(H, W, C')` of A.
        width: int. Channels at full size.
        num_blocks: int. Residual blocks in a generator; 9 for pictures of 256.
        loss: object of `keras_genai.losses`.
        cycle_weight: float. Weight of the error after going there and back.
        identity_weight: float. Weight of the change to a picture that is of the wanted
            domain already; only between equal numbers of channels.
        pool_size: int. Earlier fakes that the discriminators see again; 0 for none.
        penalty: object of `keras_genai.losses`, or `None`.
        discriminator_steps: int >= 1.

    Call arguments:
        inputs: dict of a batch, see above; float in [0, 1].
        training: bool.

    Returns:
        float32 `(B, *image_shape)` in [0, 1]: `"condition"`, translated to B.

    Raises:
        ValueError: if the shapes do not fit each other, and as `GAN`.

    Reference: Zhu et al. 2017, sections 3 and 4, https://arxiv.org/abs/1703.10593
    """

    transient = ("pool_a/pictures", "pool_a/seen", "pool_b/pictures", "pool_b/seen")

    def __init__(
        self,
        image_shape,
        condition_shape,
        width=64,
        num_blocks=9,
        loss=LEAST_SQUARES,
        cycle_weight=10.0,
        identity_weight=5.0,
        pool_size=0,
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
        height, width_, channels = self.image_shape
        if condition_shape[:2] != (height, width_) or height % 4 or width_ % 4:
            raise ValueError(
                "`image_shape` and `condition_shape` must have the same height and "
                "width, divisible by 4. "
                f"Received: {image_shape=}, {condition_shape=}"
            )
        if channels != condition_shape[-1]:
            identity_weight = 0.0
        check_size("width", width)
        check_size("num_blocks", num_blocks, 0, 512)
        check_integer("pool_size", pool_size, 0)
        for name, value in (
            ("cycle_weight", cycle_weight),
            ("identity_weight", identity_weight),
        ):
            check_number(name, value, "a number >= 0", lambda x: 0 <= x < math.inf)
        self.condition_shape = condition_shape
        self.width = width
        self.num_blocks = num_blocks
        self.cycle_weight = cycle_weight
        self.identity_weight = identity_weight
        self.pool_size = pool_size
        translator = functools.partial(
            _Translator, width=width, num_blocks=num_blocks, dtype=self.dtype_policy
        )
        self.generator = _Pair(
            translator(self.image_shape, condition_shape[-1], name="a"),
            translator(condition_shape, channels, name="b"),
            dtype=self.dtype_policy,
            name="generator",
        )
        judge = functools.partial(PatchesToScores, width=width, dtype=self.dtype_policy)
        self.discriminator = _Pair(
            judge(condition_shape, name="a"),
            judge(self.image_shape, name="b"),
            dtype=self.dtype_policy,
            name="discriminator",
        )
        self.generator.build()
        self.discriminator.build()
        if pool_size:
            self.pool_a = ImagePool(
                pool_size, condition_shape, dtype="float32", name="pool_a"
            )
            self.pool_b = ImagePool(
                pool_size, self.image_shape, dtype="float32", name="pool_b"
            )
        self.track("cycle_error")
        self.built = True

    @property
    def given(self):
        return *super().given, Image(self.condition_shape, "condition")

    def prepare(self, inputs):
        batch = self.read(inputs)
        return {
            "a": to_networks(batch["condition"]),
            "b": to_networks(batch["images"]),
        }

    def draw_fake(self, real, training=False):
        return {"a": self.generator.a(real["b"]), "b": self.generator.b(real["a"])}

    def discriminator_loss(self, real, fake, training=False):
        if self.pool_size and training:
            fake = {"a": self.pool_a(fake["a"]), "b": self.pool_b(fake["b"])}
        return sum(
            self.adversarial_loss.discriminator(judge(real[key]), judge(fake[key]))
            for key, judge in self._judges()
        )

    def generator_loss(self, real, fake, training=False):
        loss = sum(
            self.adversarial_loss.generator(judge(fake[key]))
            for key, judge in self._judges()
        )
        back = self.draw_fake(fake)
        cycle_error = _distance(back, real)
        self.trackers["cycle_error"].update_state(cycle_error)
        loss += self.cycle_weight * cycle_error
        if self.identity_weight:
            same = {"a": self.generator.a(real["a"]), "b": self.generator.b(real["b"])}
            loss += self.identity_weight * _distance(same, real)
        return loss

    def discriminator_penalty(self, real, fake):
        if self.penalty is None:
            return None
        penalty = lazily(
            self.discriminator_optimizer.iterations,
            self.penalty.every,
            lambda: sum(
                self.penalty(judge, real[key], fake[key], self.seeds)
                for key, judge in self._judges()
            ),
            scale=self.discriminator_optimizer.scale_loss(1.0),
        )
        self.trackers["discriminator_penalty"].update_state(penalty)
        return penalty

    def _judges(self):
        return (("a", self.discriminator.a), ("b", self.discriminator.b))

    def call(self, inputs, training=False):
        return to_pictures(self.draw_fake(self.prepare(inputs), training)["b"])

    def compared(self, real, fake):
        return real["b"], fake["b"]

    def generate(self, count=16, labels=None, seed=0, averaged=False):
        """Not possible without pictures: use `translate`."""
        raise ValueError(
            "`generate` needs pictures in this model: use `translate(images)`. "
            f"Received: {count=}"
        )

    def translate(self, images, to="b", averaged=False):
        """Pictures of one domain as pictures of the other.

        Args:
            images: float in [0, 1], `(N, *condition_shape)` to get B and
                `(N, *image_shape)` to get A.
            to: `"b"` or `"a"`.
            averaged: bool, as in `generate` of other GANs.

        Returns:
            float32 array in [0, 1], of the other shape.

        Raises:
            ValueError: if `to` is unknown or `images` of another shape or range.
        """
        self._check_domain("to", to)
        shape = self.condition_shape if to == "b" else self.image_shape
        images = Image(shape).read(images)
        translator = getattr(self.generator, to)

        def build():
            return lambda images: to_pictures(translator(2.0 * images - 1.0))

        key = ("translate", to)
        return self._drawn(key, build, tf.constant(images), 0, averaged)

    def discriminate(self, images, domain="b"):
        """How likely pictures are taken to be real ones of a domain.

        Args:
            images: float in [0, 1], `(N, *image_shape)` for B, `(N, *condition_shape)`
                for A.
            domain: `"b"` or `"a"`.

        Returns:
            float32 array `(N,)` in [0, 1], mean over patches. See `GAN.discriminate`.

        Raises:
            ValueError: if `domain` is unknown or `images` of another shape or range.
        """
        self._check_domain("domain", domain)
        shape = self.image_shape if domain == "b" else self.condition_shape
        images = Image(shape).read(images)
        judge = getattr(self.discriminator, domain)

        def build():
            def probabilities(images):
                chance = self.adversarial_loss.probability(judge(2.0 * images - 1.0))
                return ops.mean(chance, axis=(1, 2, 3))

            return probabilities

        key = ("discriminate", domain)
        return self._drawn(key, build, tf.constant(images), 0, False)

    @staticmethod
    def _check_domain(name, value):
        if value not in ("a", "b"):
            raise ValueError(f'`{name}` must be "a" or "b". Received: {value!r}')

    def get_config(self):
        config = super().get_config()
        del config["num_classes"]
        return {
            **config,
            "condition_shape": self.condition_shape,
            "width": self.width,
            "num_blocks": self.num_blocks,
            "cycle_weight": self.cycle_weight,
            "identity_weight": self.identity_weight,
            "pool_size": self.pool_size,
        }


class _Pair(keras.layers.Layer):
    """Two networks, for or to the domains A and B."""

    def __init__(self, a, b, **kwargs):
        super().__init__(**kwargs)
        self.a = a
        self.b = b

    def build(self, input_shape=None):
        self.a.build()
        self.b.build()


class _Translator(keras.layers.Layer):
    """Two halvings, residual blocks, two doublings."""

    def __init__(self, input_shape, channels, width, num_blocks, **kwargs):
        super().__init__(**kwargs)
        self.picture = input_shape
        self.num_blocks = num_blocks
        make = functools.partial(_convolution, policy=self.dtype_policy)
        self.convolutions = [
            make(width, 7, 1, "first"),
            make(2 * width, 3, 2, "down_0"),
            make(4 * width, 3, 2, "down_1"),
            *(
                make(4 * width, 3, 1, f"block_{index}_{half}")
                for index in range(num_blocks)
                for half in "ab"
            ),
            make(2 * width, 3, 2, "up_0", kind=keras.layers.Conv2DTranspose),
            make(width, 3, 2, "up_1", kind=keras.layers.Conv2DTranspose),
        ]
        self.norms = [_norm(f"{each.name}_norm") for each in self.convolutions]
        self.last = make(channels, 7, 1, "last", use_bias=True)

    def build(self, input_shape=None):
        shape = (None, *self.picture)
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)
            norm.build(shape)
        self.last.build(shape)

    def call(self, images):
        steps = list(zip(self.convolutions, self.norms, strict=True))
        x = images
        for convolution, norm in steps[:3]:
            x = ops.relu(norm(convolution(x)))
        blocks = steps[3:-2]
        for (one, norm_one), (two, norm_two) in zip(
            blocks[::2], blocks[1::2], strict=True
        ):
            inner = ops.relu(norm_one(one(x)))
            x = x + norm_two(two(inner))
        for convolution, norm in steps[-2:]:
            x = ops.relu(norm(convolution(x)))
        return ops.tanh(ops.cast(self.last(x), "float32"))


def _convolution(
    filters, size, stride, name, policy, kind=keras.layers.Conv2D, use_bias=False
):
    return kind(
        filters,
        size,
        strides=stride,
        padding="same",
        use_bias=use_bias,  # most are followed by a norm
        kernel_initializer=normal(),
        dtype=policy,
        name=name,
    )


def _norm(name):
    return keras.layers.GroupNormalization(-1, dtype="float32", name=name)


def _distance(one, other):
    """Mean absolute difference, added over both domains."""
    return sum(ops.mean(ops.abs(one[key] - other[key])) for key in ("a", "b"))
