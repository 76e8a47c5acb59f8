"""VQ-VAE: pictures as a small grid of codes, and back."""

import functools

import keras
from keras import ops

from keras_genai import replicas
from keras_genai.checks import check_number, check_size
from keras_genai.layers.latent import VectorQuantizer
from keras_genai.registry import register
from keras_genai.samplers.session import compiled
from keras_genai.tasks import pictures
from keras_genai.tasks.picture_task import PictureTask

BATCH = 256  # pictures encoded or decoded at once


@register
class VQVAE(PictureTask):
    """Autoencoder whose latents are codes of a learned codebook.

    It cannot generate by itself: a `CodePrior` of `keras_genai.tasks.prior` learns
    which codes go together.

    Args:
        image_shape: `(H, W, C)`, sides divisible by 2 for each of `filters`.
        num_codes: int.
        latent_size: int. Length of a code's vector.
        filters: tuple of int. Channels of the encoder's layers, each of which halves
            the picture; the decoder's are the same in reverse.
        commitment: float. Weight of the encoder's distance from its codes.
        data_variance: float. Variance of all pixels of the data, in [0, 1]: the
            squared error is divided by it, so that 1 is what the mean grey would cost.
        decay, restart_below: see `VectorQuantizer`.

    Call arguments:
        inputs: dict of `images`, float `(B, H, W, C)` in [0, 1]. Other keys are
            ignored.
        training: bool. Whether the codebook learns.

    Returns:
        dict of `reconstruction`, float32 `(B, H, W, C)`; `codes`, int32 `(B, h, w)`;
        `commitment`, float32 `(B, h, w)`.

    Raises:
        ValueError: if a side cannot be halved so often, or a batch is of another
            shape.

    Reference: van den Oord et al. 2017, https://arxiv.org/abs/1711.00937; sizes as in
        https://keras.io/examples/generative/vq_vae
    """

    jit_generate = False  # XLA's convolutions are slow on CPUs

    def __init__(
        self,
        image_shape,
        num_codes=128,
        latent_size=16,
        filters=(32, 64),
        commitment=0.25,
        data_variance=1.0,
        decay=0.99,
        restart_below=0.03,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)  # pictures stay float32
        pictures.check_sizes("filters", filters)
        for name, value in (("num_codes", num_codes), ("latent_size", latent_size)):
            check_size(name, value)
        check_number("commitment", commitment, "a number >= 0", lambda x: x >= 0)
        check_number("data_variance", data_variance, "above 0", lambda x: x > 0)
        self.image_shape = pictures.check_image_shape(image_shape)
        self.num_codes = num_codes
        self.latent_size = latent_size
        self.filters = tuple(filters)
        self.commitment = commitment
        self.data_variance = data_variance
        self.decay = decay
        self.restart_below = restart_below
        stride = 2 ** len(self.filters)
        height, width, _ = self.image_shape
        if height % stride or width % stride:
            raise ValueError(
                f"`image_shape` must have sides divisible by {stride} with "
                f"{len(self.filters)} `filters`. Received: {image_shape=}"
            )
        self.grid_shape = (height // stride, width // stride)
        self._make_layers()
        names = ("reconstruction", "vq_loss", "perplexity")
        self.trackers = [keras.metrics.Mean(name=name) for name in names]
        self.built = True

    def _make_layers(self):
        policy, channels = self.dtype_policy, self.image_shape[-1]
        halve = functools.partial(
            keras.layers.Conv2D,
            kernel_size=3,
            strides=2,
            padding="same",
            activation="relu",
            dtype=policy,
        )
        double = functools.partial(
            keras.layers.Conv2DTranspose,
            kernel_size=3,
            strides=2,
            padding="same",
            activation="relu",
            dtype=policy,
        )
        self.encoder = [
            *(halve(n, name=f"encoder_{i}") for i, n in enumerate(self.filters)),
            keras.layers.Conv2D(self.latent_size, 1, dtype=policy, name="latents"),
        ]
        self.decoder = [
            *(double(n, name=f"decoder_{i}") for i, n in enumerate(self.filters[::-1])),
            keras.layers.Conv2DTranspose(
                channels, 3, padding="same", dtype=policy, name="output"
            ),
        ]
        _build(self.encoder, channels)
        _build(self.decoder, self.latent_size)
        self.quantizer = VectorQuantizer(
            self.num_codes,
            self.latent_size,
            self.decay,
            self.restart_below,
            seed=0,
            name="quantizer",
        )
        self.quantizer.build()

    def call(self, inputs, training=False):
        images = self.read(inputs)["images"]
        quantized = self.quantizer(self._encode(images), training=training)
        return {
            "reconstruction": self._decode(quantized["quantized"]),
            "codes": quantized["codes"],
            "commitment": quantized["commitment"],
        }

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        images = self.read(x)["images"]
        squares = ops.square(y_pred["reconstruction"] - images)
        error = replicas.weighted_mean(squares, sample_weight)
        reconstruction = error / self.data_variance
        distance = replicas.weighted_mean(y_pred["commitment"], sample_weight)
        vq_loss = self.commitment * distance
        perplexity = self.quantizer.perplexity(y_pred["codes"])
        for tracker, value in zip(
            self.trackers, (reconstruction, vq_loss, perplexity), strict=True
        ):
            tracker.update_state(value, sample_weight=ops.shape(images)[0])
        return replicas.share(reconstruction + vq_loss)

    def metric_inputs(self, x, y_pred):
        return self.read(x)["images"], y_pred["reconstruction"]

    def features_of(self, images):
        """What is rounded to codes: float `(B, h, w, latent_size)`, in a graph."""
        return self._encode(images)

    def tokens_of(self, images):
        """`tokenize` inside a graph: int32 `(B, h, w)` of float `(B, H, W, C)`."""
        return self.quantizer.encode(self._encode(images))

    def pictures_of(self, codes):
        """`decode_tokens` inside a graph: float32 `(B, H, W, C)` of int `(B, h, w)`."""
        return ops.clip(self._decode(self.quantizer.decode(codes)), 0.0, 1.0)

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

    def _encode(self, images):
        # Centred, as the recipe has it.
        x = ops.cast(images, "float32") - 0.5
        for layer in self.encoder:
            x = layer(x)
        return x

    def _decode(self, x):
        for layer in self.decoder:
            x = layer(x)
        return ops.cast(x, "float32") + 0.5

    def get_config(self):
        return {
            **super().get_config(),
            "image_shape": list(self.image_shape),
            "num_codes": self.num_codes,
            "latent_size": self.latent_size,
            "filters": list(self.filters),
            "commitment": self.commitment,
            "data_variance": self.data_variance,
            "decay": self.decay,
            "restart_below": self.restart_below,
        }


def _build(layers, channels):
    """Builds layers that follow each other, from so many channels on."""
    for layer in layers:
        layer.build((None, None, None, channels))
        channels = layer.filters
