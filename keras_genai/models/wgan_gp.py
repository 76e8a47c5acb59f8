"""WGAN-GP: a critic whose slope is held near 1 by a penalty."""

import keras

from keras_genai.checks import check_size
from keras_genai.layers.strided import PictureToScore, VectorToPicture
from keras_genai.losses import GradientPenalty, Wasserstein
from keras_genai.registry import register
from keras_genai.tasks.adversarial import GAN

PENALTY = GradientPenalty()


@register
class WGANGP(GAN):
    """Wasserstein GAN with gradient penalty, for pictures of any size divisible by 4.

    Args:
        image_shape: `(H, W, C)`, H and W divisible by 4.
        latent: int. Length of the noise.
        width: int. Channels next to the picture; they double with every halving.
        num_classes: int or `None`.
        penalty: `GradientPenalty`.
        norm: `"layer"` or `None`. Normalisation in the critic; a batch's would make
            the penalty of one picture depend on the others.
        discriminator_steps: int >= 1. Steps of the critic for one of the generator.

    Call arguments and returns: as `GAN`.

    Raises:
        ValueError: if `norm` is another, and as `GAN`.

    Reference: Gulrajani et al. 2017, algorithm 1, https://arxiv.org/abs/1704.00028
    """

    def __init__(
        self,
        image_shape,
        latent=128,
        width=64,
        num_classes=None,
        penalty=PENALTY,
        norm=None,
        discriminator_steps=5,
        **kwargs,
    ):
        super().__init__(
            image_shape,
            Wasserstein(),
            penalty,
            num_classes,
            discriminator_steps,
            **kwargs,
        )
        if norm not in ("layer", None):
            raise ValueError(f'`norm` must be "layer" or `None`. Received: {norm=}')
        if not isinstance(penalty, GradientPenalty):
            raise TypeError(
                f"`penalty` must be a GradientPenalty. Received: {penalty=}"
            )
        check_size("latent", latent)
        check_size("width", width)
        self.latent = latent
        self.width = width
        self.norm = norm
        policy = self.dtype_policy
        self.generator = VectorToPicture(
            self.image_shape, width, num_classes, dtype=policy, name="generator"
        )
        self.discriminator = PictureToScore(
            self.image_shape,
            width,
            num_classes,
            norm,
            dtype=policy,
            name="discriminator",
        )
        self.generator.build((None, latent))
        self.discriminator.build((None, *self.image_shape))
        self.built = True

    def draw(self, count, labels=None, training=False):
        latents = keras.random.normal(
            (count, self.latent), dtype="float32", seed=self.seeds
        )
        return self.generator(latents, labels=labels, training=training)

    def get_config(self):
        config = super().get_config()
        del config["loss"]  # it is always the Wasserstein distance
        return {
            **config,
            "latent": self.latent,
            "width": self.width,
            "norm": self.norm,
        }
