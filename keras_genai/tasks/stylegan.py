"""StyleGAN: mixed styles, even steps between them, and adaptive augmentation."""

import dataclasses
import math
from typing import Annotated, Any

import keras
from keras import ops

from keras_genai.checks import check_number
from keras_genai.declared import Share, part
from keras_genai.layers.adaptive_augmentation import AdaptiveAugmentation
from keras_genai.losses import R1, PathLength, lazily
from keras_genai.networks.stylegan2 import StyleGAN2Generator
from keras_genai.registry import register
from keras_genai.tasks.gan import GAN


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


@register
class StyleGAN(GAN):
    """A GAN whose generator makes styles of noise, and pictures of styles.

    In training, pictures have two styles, from some layer on the second; penalties
    on the slopes of both networks are taken lazily; and the discriminator sees
    augmented pictures, the more the surer it is.

    Args:
        generator: `StyleGAN2Generator`, or a network with its `map` and `synthesize`.
        discriminator, target, given, loss, discriminator_steps: see `GAN`.
        penalty: see `GAN`.
        path_length: `PathLength` or `None`.
        mixing: float. Share of the pictures in training that have two styles.
        adaptation: `Adaptation`.

    Call arguments and returns: as `GAN`.

    Raises:
        TypeError, ValueError: as `GAN`.

    Reference: Karras et al. 2020, sections 2 to 4, https://arxiv.org/abs/1912.04958,
        and https://arxiv.org/abs/2006.06676
    """

    generator: StyleGAN2Generator
    penalty: Annotated[Any, part("every", "keras_genai.losses")] | None = R1(
        weight=1.0, every=16
    )
    path_length: PathLength | None = PathLength()
    mixing: Share = 0.9
    adaptation: Adaptation = Adaptation()

    transient = ("path_mean", "augmentation/probability")

    def make(self):
        super().make()
        self.augmentation = AdaptiveAugmentation(
            self.adaptation.target,
            self.adaptation.probability,
            self.adaptation.speed,
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
        if self.path_length is not None:
            self.track("generator_penalty", validated=False)
        self.track("augmentation", validated=False)

    def draw(self, count, condition=None, training=False):
        styles = self.draw_styles(count, condition, mix=training)
        return self.generator.synthesize(styles, self._noise(count))

    def draw_styles(self, count, condition=None, mix=False):
        """Styles of fresh noise.

        Args:
            count, condition: see `draw`.
            mix: bool. Whether `mixing` of them have a second style from some layer on.

        Returns:
            float32 `(count, L, D)`.
        """
        layers, size = self.generator.num_styles, self.generator.latent
        twice = 2 if mix else 1
        latents = keras.random.normal(
            (twice * count, size), dtype="float32", seed=self.seeds
        )
        condition = keras.tree.map_structure(
            lambda rows: ops.concatenate(twice * [rows]), condition or {}
        )
        drawn = self.generator.map(latents, condition)[:, None]  # (twice * count, 1, D)
        styles = ops.broadcast_to(drawn[:count], (count, layers, size))
        if not mix:
            return styles
        chance, place = (
            keras.random.uniform((count, 1), dtype="float32", seed=self.seeds)
            for _ in range(2)
        )
        first = ops.floor(1.0 + place * (layers - 1))
        first = ops.where(chance < self.mixing, first, float(layers))
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
        real_score = self.score(
            self.augmentation(real[self.target.key]), real, training
        )
        fake_score = self.score(self.augmentation(fake), real, training)
        self.augmentation.adjust(real_score)
        self.trackers["augmentation"].update_state(self.augmentation.probability)
        return self.loss.discriminator(real_score, fake_score)

    def generator_loss(self, real, fake, training=False):
        fake = self.augmentation(fake) if training else fake
        return self.loss.generator(self.score(fake, real, training))

    def generator_penalty(self, real, fake):
        if self.path_length is None:
            return None
        mean = ops.convert_to_tensor(self.path_mean)
        value, mean = lazily(
            self.generator_optimizer.iterations,
            self.path_length.every,
            lambda: self._path_penalty(real, fake, mean),
            mean,
            scale=self.generator_optimizer.scale_loss(1.0),
        )
        self.path_mean.assign(mean)
        self.trackers["generator_penalty"].update_state(value)
        return value

    def _path_penalty(self, real, fake, mean):
        """What `path_length` returns, of fresh styles for the first half of a batch."""
        # Half a batch is enough, and it costs as much as all else together.
        count = ops.shape(fake)[0]
        count = max(count // 2, 1) if isinstance(count, int) else count
        condition = {key: rows[:count] for key, rows in self.condition(real).items()}
        styles, noise = self.draw_styles(count, condition, mix=True), self._noise(count)
        return self.path_length(
            lambda styles: self.generator.synthesize(styles, noise),
            styles,
            keras.random.normal(
                (count, *self.image_shape), dtype="float32", seed=self.seeds
            ),
            mean,
        )
