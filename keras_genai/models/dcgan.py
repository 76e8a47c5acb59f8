"""DCGAN, and by its arguments LSGAN, SNGAN and the projection GAN of classes."""

import keras

from keras_genai.checks import check_size
from keras_genai.layers.strided import PictureToScore, VectorToPicture
from keras_genai.losses import NonSaturating
from keras_genai.registry import register
from keras_genai.tasks.adversarial import GAN

NON_SATURATING = NonSaturating()


@register
class DCGAN(GAN):
    """Deep convolutional GAN for pictures of any size divisible by 4.

    The discriminator normalises batches as DCGAN's does, unless it is under a penalty
    or spectral normalisation. With classes the generator's normalisations are
    conditional and the discriminator projects on them.

    | | loss | penalty | spectral |
    |---|---|---|---|
    | DCGAN | `NonSaturating()` | | |
    | LSGAN | `LeastSquares()` | | |
    | SNGAN | `Hinge()` | | `True` |
    | R1 | `NonSaturating()` | `R1()` | |

    Args:
        image_shape: `(H, W, C)`, H and W divisible by 4.
        latent: int. Length of the noise.
        width: int. Channels next to the picture; they double with every halving.
        num_classes: int or `None`.
        loss: object of `keras_genai.losses`.
        penalty: object of `keras_genai.losses`, or `None`.
        spectral: bool. Spectral normalisation of the discriminator.
        discriminator_steps: int >= 1.

    Call arguments and returns: as `GAN`.

    Raises:
        ValueError: as `GAN`.

    Reference: Radford et al. 2016, https://arxiv.org/abs/1511.06434; Miyato & Koyama
        2018, https://arxiv.org/abs/1802.05637
    """

    def __init__(
        self,
        image_shape,
        latent=100,
        width=64,
        num_classes=None,
        loss=NON_SATURATING,
        penalty=None,
        spectral=False,
        discriminator_steps=1,
        **kwargs,
    ):
        super().__init__(
            image_shape, loss, penalty, num_classes, discriminator_steps, **kwargs
        )
        check_size("latent", latent)
        check_size("width", width)
        self.latent = latent
        self.width = width
        self.spectral = spectral
        policy = self.dtype_policy
        self.generator = VectorToPicture(
            self.image_shape, width, num_classes, dtype=policy, name="generator"
        )
        self.discriminator = PictureToScore(
            self.image_shape,
            width,
            num_classes,
            norm=None if spectral or penalty is not None else "batch",
            spectral=spectral,
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
        return {
            **super().get_config(),
            "latent": self.latent,
            "width": self.width,
            "spectral": self.spectral,
        }
