"""Codecs that turn pictures into a small grid of codes, and back; VQVAE is one."""

from typing import ClassVar

import keras
from keras import ops

from keras_genai import replicas
from keras_genai.declared import NotNegative, Positive
from keras_genai.modalities.image import Image
from keras_genai.networks.vqvae import QuantizedAutoencoder
from keras_genai.registry import register
from keras_genai.samplers.session import compiled
from keras_genai.tasks import pictures
from keras_genai.tasks.picture_task import PictureTask

BATCH = 256  # pictures encoded or decoded at once


class PictureCodec(PictureTask):
    """What codecs share, which the tasks of `keras_genai.tasks.prior` build on.

    It cannot generate by itself: a `CodePrior` learns which codes go together. A
    subclass has a `network` with `grid_shape` and `num_codes`, and says `tokens_of` and
    `pictures_of`.
    """

    jit_generate: ClassVar = False  # XLA's convolutions are slow on CPUs
    makes = None

    @property
    def grid_shape(self):
        """`(h, w)` of the codes of a picture."""
        return self.network.grid_shape

    @property
    def num_codes(self):
        """int."""
        return self.network.num_codes

    def metric_inputs(self, x, y_pred):
        return self.read(x)["images"], y_pred["reconstruction"]

    def tokens_of(self, images):
        """`tokenize` inside a graph: int32 `(B, h, w)` of float `(B, H, W, C)`."""
        raise NotImplementedError

    def pictures_of(self, codes):
        """`decode_tokens` inside a graph: float32 `(B, H, W, C)` of int `(B, h, w)`."""
        raise NotImplementedError

    def tokenize(self, images):
        """The codes of pictures.

        Args:
            images: uint8, or float in [0, 1], `(N, H, W, C)`.

        Returns:
            int32 array `(N, h, w)`, from 0 to `num_codes - 1`.
        """
        images = self.target.read(images)
        encode = compiled(self, ("tokenize",), lambda: self.tokens_of)
        return pictures.by_batch(encode, images, BATCH)

    def decode_tokens(self, codes):
        """The pictures of codes.

        Args:
            codes: int `(N, h, w)`, from 0 to `num_codes - 1`.

        Returns:
            float32 array `(N, H, W, C)` in [0, 1].

        Raises:
            ValueError: for another shape, or a code that does not exist.
        """
        codes = pictures.to_codes(codes, self.grid_shape, self.num_codes)
        decode = compiled(self, ("decode_tokens",), lambda: self.pictures_of)
        return pictures.by_batch(decode, codes, BATCH)

    def reconstruct(self, images):
        """Pictures, through their codes and back.

        Args:
            images: uint8, or float in [0, 1], `(N, H, W, C)`.

        Returns:
            float32 array `(N, H, W, C)` in [0, 1].
        """
        return self.decode_tokens(self.tokenize(images))


@register
class VQVAE(PictureCodec):
    """Trains an autoencoder whose latents are codes of a learned codebook.

    Args:
        network: `QuantizedAutoencoder`.
        target: `Image`.
        commitment: float. Weight of the encoder's distance from its codes.
        data_variance: float. Variance of all pixels of the data, in [0, 1]: the
            squared error is divided by it, so that 1 is what the mean grey would cost.

    Call arguments:
        inputs: dict of `images`, float `(B, H, W, C)` in [0, 1]. Other keys are
            ignored.
        training: bool. Whether the codebook learns.

    Returns:
        dict, see `QuantizedAutoencoder`.

    Raises:
        ValueError: if a batch is of another shape.

    Reference: van den Oord et al. 2017, eq. 3, https://arxiv.org/abs/1711.00937
    """

    network: QuantizedAutoencoder
    target: Image
    commitment: NotNegative = 0.25
    data_variance: Positive = 1.0

    def make(self):
        names = ("reconstruction", "vq_loss", "perplexity")
        self.trackers = [keras.metrics.Mean(name=name) for name in names]

    @property
    def quantizer(self):
        """The `VectorQuantizer`, which has the codebook."""
        return self.network.quantizer

    @property
    def latent_size(self):
        """int, D."""
        return self.network.latent_size

    def call(self, inputs, training=False):
        return self.network(self.read(inputs)["images"], training=training)

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        images = self.read(x)["images"]
        squares = ops.square(y_pred["reconstruction"] - images)
        error = replicas.weighted_mean(squares, sample_weight)
        reconstruction = error / self.data_variance
        distance = replicas.weighted_mean(y_pred["commitment"], sample_weight)
        vq_loss = self.commitment * distance
        perplexity = self.quantizer.perplexity(replicas.gather(y_pred["codes"]))
        for tracker, value in zip(
            self.trackers, (reconstruction, vq_loss, perplexity), strict=True
        ):
            tracker.update_state(value, sample_weight=ops.shape(images)[0])
        return replicas.share(reconstruction + vq_loss)

    def features_of(self, images):
        """What is rounded to codes: float `(B, h, w, latent_size)`, in a graph."""
        return self.network.encode(images)

    def tokens_of(self, images):
        return self.quantizer.encode(self.network.encode(images))

    def pictures_of(self, codes):
        return ops.clip(self.network.decode(self.quantizer.decode(codes)), 0.0, 1.0)
