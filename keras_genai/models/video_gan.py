"""A GAN of short videos: DCGAN with convolutions over time, too."""

import keras

from keras_genai.checks import check_size
from keras_genai.layers.strided import PictureToScore, VectorToPicture
from keras_genai.losses import Hinge
from keras_genai.registry import register
from keras_genai.tasks.adversarial import GAN
from keras_genai.tasks.pictures import check_image_shape

HINGE = Hinge()


@register
class VideoGAN(GAN):
    """Three-dimensional convolutions from noise to a video, and back to a score.

    The discriminator is under spectral normalisation, as videos give few batches a
    second and normalising batches of few would be noisy.

    Args:
        image_shape: `(F, H, W, C)`, H and W divisible by 4. Frames are halved with
            the pictures as long as their number is even and above 2.
        latent: int. Length of the noise of a whole video.
        width: int. Channels next to the pictures; they double with every halving.
        num_classes: int or `None`.
        loss: object of `keras_genai.losses`.
        penalty: object of `keras_genai.losses`, or `None`.
        discriminator_steps: int >= 1.

    Call arguments and returns: as `GAN`.

    Raises:
        ValueError: if `image_shape` is not of four sizes, and as `GAN`.

    Reference: Vondrick et al. 2016, section 3 (one-stream model),
        https://arxiv.org/abs/1609.02612
    """

    def __init__(
        self,
        image_shape,
        latent=100,
        width=32,
        num_classes=None,
        loss=HINGE,
        penalty=None,
        discriminator_steps=1,
        **kwargs,
    ):
        super().__init__(
            image_shape, loss, penalty, num_classes, discriminator_steps, **kwargs
        )
        check_image_shape(image_shape, ranks=(4,))
        check_size("latent", latent)
        check_size("width", width)
        self.latent = latent
        self.width = width
        policy = self.dtype_policy
        self.generator = VectorToPicture(
            self.image_shape, width, num_classes, dtype=policy, name="generator"
        )
        self.discriminator = PictureToScore(
            self.image_shape,
            width,
            num_classes,
            spectral=True,
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
        return {**super().get_config(), "latent": self.latent, "width": self.width}
