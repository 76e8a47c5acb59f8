"""StyleGAN2, sized for small pictures, with adaptive augmentation."""

import dataclasses
import math

import keras
from keras import ops

from keras_genai import registry
from keras_genai.checks import check_number, check_size
from keras_genai.layers.adaptive_augmentation import AdaptiveAugmentation
from keras_genai.layers.strided import num_stages
from keras_genai.losses import R1, NonSaturating, PathLength, lazily
from keras_genai.models.stylegan2_networks import Discriminator, Generator
from keras_genai.registry import register
from keras_genai.tasks.adversarial import GAN
from keras_genai.tasks.pictures import check_image_shape

NON_SATURATING = NonSaturating()
PENALTY = R1(weight=1.0, every=16)
PATH_LENGTH = PathLength()
MIXED = 0.9  # of the pictures in training have two styles


@register
@dataclasses.dataclass(frozen=True)
class Adaptation:
    """Adaptive augmentation: see `AdaptiveAugmentation`.

    Args:
        target: float or `None`.
        probability: float. Where it begins; 0 with `target=None` switches it off.
        speed: float.
    """

    target: float | None = 0.6
    probability: float = 0.0
    speed: float = 1e-5

    def __post_init__(self):
        if self.target is not None:
            check_number(
                "target",
                self.target,
                "a number in [-1, 1], or `None`",
                lambda value: -1 <= value <= 1,
            )
        check_number(
            "probability",
            self.probability,
            "a number in [0, 1)",
            lambda value: 0 <= value < 1,
        )
        check_number(
            "speed", self.speed, "a number >= 0", lambda value: 0 <= value < math.inf
        )

    def get_config(self):
        return dataclasses.asdict(self)


ADAPTATION = Adaptation()


@register
class StyleGAN2(GAN):
    """Styles from noise, and pictures from styles by modulated convolutions.

    The generator has a mapping network, per-layer styles with mixing, noise inputs and
    skip connections to the picture; the discriminator is residual and sees the
    deviation within its batch. Training adds R1 and path-length penalties, both
    lazily, and adaptive augmentation.

    Args:
        image_shape: `(H, W, C)`, H and W divisible by 4.
        latent: int. Length of noise and styles.
        width: int. Channels at full size; they double with every halving, up to 8
            times as many.
        mapping_depth: int. Layers of the mapping network.
        num_classes: int or `None`.
        loss: object of `keras_genai.losses`.
        penalty: object of `keras_genai.losses`, or `None`.
        path_length: `PathLength` or `None`.
        adaptation: `Adaptation`.
        discriminator_steps: int >= 1.

    Call arguments and returns: as `GAN`.

    Raises:
        ValueError: as `GAN`.

    Reference: Karras et al. 2020, sections 2 to 4, https://arxiv.org/abs/1912.04958,
        and https://arxiv.org/abs/2006.06676
    """

    transient = ("path_mean", "augmentation/probability")

    def __init__(
        self,
        image_shape,
        latent=128,
        width=32,
        mapping_depth=4,
        num_classes=None,
        loss=NON_SATURATING,
        penalty=PENALTY,
        path_length=PATH_LENGTH,
        adaptation=ADAPTATION,
        discriminator_steps=1,
        **kwargs,
    ):
        super().__init__(
            image_shape, loss, penalty, num_classes, discriminator_steps, **kwargs
        )
        check_size("latent", latent)
        check_size("width", width)
        check_size("mapping_depth", mapping_depth, 0, 64)
        if not isinstance(path_length, PathLength | None):
            raise TypeError(
                "`path_length` must be a PathLength or `None`. "
                f"Received: {path_length=}"
            )
        if not isinstance(adaptation, Adaptation):
            raise TypeError(
                f"`adaptation` must be an Adaptation. Received: {adaptation=}"
            )
        check_image_shape(image_shape)
        num_stages(*self.image_shape[:2])  # checks that they are divisible by 4
        self.latent = latent
        self.width = width
        self.mapping_depth = mapping_depth
        self.path_length = path_length
        self.adaptation = adaptation
        policy = self.dtype_policy
        self.generator = Generator(
            self.image_shape,
            latent,
            width,
            mapping_depth,
            num_classes,
            dtype=policy,
            name="generator",
        )
        self.discriminator = Discriminator(
            self.image_shape, width, num_classes, dtype=policy, name="discriminator"
        )
        self.generator.build()
        self.discriminator.build()
        self.augmentation = AdaptiveAugmentation(
            adaptation.target,
            adaptation.probability,
            adaptation.speed,
            name="augmentation",
        )
        self.path_mean = self.add_weight(
            (),
            "zeros",
            dtype="float32",
            trainable=False,
            aggregation="mean",  # of what each replica has seen
            name="path_mean",
        )
        if path_length is not None:
            self.track("generator_penalty", validated=False)
        self.track("augmentation", validated=False)
        self.built = True

    def draw(self, count, labels=None, training=False):
        styles = self._draw_styles(count, labels, training)
        return self.generator.synthesize(styles, self._noise(count))

    def _draw_styles(self, count, labels, mix):
        """float32 `(count, L, latent)`, with a second style from some layer on."""
        layers = self.generator.num_styles
        twice = 2 if mix else 1
        latents = keras.random.normal(
            (twice * count, self.latent), dtype="float32", seed=self.seeds
        )
        if labels is not None:
            labels = ops.tile(labels, (twice,))
        drawn = self.generator.map(latents, labels)[:, None]  # (twice * count, 1, D)
        styles = ops.broadcast_to(drawn[:count], (count, layers, self.latent))
        if not mix:
            return styles
        chance, place = (
            keras.random.uniform((count, 1), dtype="float32", seed=self.seeds)
            for _ in range(2)
        )
        first = ops.floor(1.0 + place * (layers - 1))
        first = ops.where(chance < MIXED, first, float(layers))
        is_second = ops.arange(layers, dtype="float32")[None] >= first
        return ops.where(is_second[..., None], drawn[count:], styles)

    def _noise(self, count):
        """Noise inputs of all layers, `(count, h, w, 1)` each."""
        return [
            keras.random.normal((count, *size, 1), dtype="float32", seed=self.seeds)
            for size in self.generator.noise_sizes
        ]

    def discriminator_loss(self, real, fake, training=False):
        if not training:
            return super().discriminator_loss(real, fake)
        real_score = self.score(self.augmentation(real["images"]), real, training)
        fake_score = self.score(self.augmentation(fake), real, training)
        self.augmentation.adjust(real_score)
        self.trackers["augmentation"].update_state(self.augmentation.probability)
        return self.adversarial_loss.discriminator(real_score, fake_score)

    def generator_loss(self, real, fake, training=False):
        fake = self.augmentation(fake) if training else fake
        return self.adversarial_loss.generator(self.score(fake, real, training))

    def generator_penalty(self, real, fake):
        if self.path_length is None:
            return None

        def penalty():
            # Half a batch is enough, and it costs as much as all else together.
            count = ops.shape(fake)[0]
            count = max(count // 2, 1) if isinstance(count, int) else count
            labels = real["labels"][:count] if "labels" in real else None
            styles = self._draw_styles(count, labels, mix=True)
            noise = self._noise(count)
            return self.path_length(
                lambda styles: self.generator.synthesize(styles, noise),
                styles,
                keras.random.normal(
                    (count, *self.image_shape), dtype="float32", seed=self.seeds
                ),
                mean,
            )

        mean = ops.convert_to_tensor(self.path_mean)
        value, mean = lazily(
            self.generator_optimizer.iterations,
            self.path_length.every,
            penalty,
            mean,
            scale=self.generator_optimizer.scale_loss(1.0),
        )
        self.path_mean.assign(mean)
        self.trackers["generator_penalty"].update_state(value)
        return value

    def get_config(self):
        return {
            **super().get_config(),
            "latent": self.latent,
            "width": self.width,
            "mapping_depth": self.mapping_depth,
            "path_length": registry.to_plain(self.path_length),
            "adaptation": registry.to_plain(self.adaptation),
        }
