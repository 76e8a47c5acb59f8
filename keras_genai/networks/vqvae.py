"""The network of VQ-VAE: pictures as a small grid of codes, and back."""

import functools
from typing import Annotated

import keras
from keras import ops

from keras_genai.checks import check_size
from keras_genai.declared import LATER, ImageShape, Rate, Size, Sizes
from keras_genai.layers.convolution import ResidualBlock
from keras_genai.layers.latent import VectorQuantizer
from keras_genai.networks.base import Network
from keras_genai.registry import register

Blocks = Annotated[int, functools.partial(check_size, least=0, most=64)]


@register
class QuantizedAutoencoder(Network):
    """Convolutions to a grid of vectors, of which each becomes a code, and back.

    Args:
        image_shape: `(H, W, C)`, sides divisible by 2 for each of `filters`.
        num_codes: int.
        latent_size: int, D. Length of a code's vector.
        filters: tuple of int. Channels of the encoder's layers, each of which halves
            the picture; the decoder's are the same in reverse.
        decay, restart_below: see `VectorQuantizer`.
        residual_blocks: int. Residual blocks at the grid's size, on both ways.

    Call arguments:
        images: float `(B, H, W, C)` in [0, 1].
        training: bool. Whether the codebook learns.

    Returns:
        dict of `reconstruction`, float32 `(B, H, W, C)`; `codes`, int32 `(B, h, w)`;
        `commitment`, float32 `(B, h, w)`: see `VectorQuantizer`.

    Raises:
        ValueError: if a side cannot be halved so often.

    Reference: van den Oord et al. 2017, https://arxiv.org/abs/1711.00937; sizes as in
        https://keras.io/examples/generative/vq_vae
    """

    casts_inputs = False  # pictures stay float32

    image_shape: ImageShape = LATER
    num_codes: Size = 128
    latent_size: Size = 16
    filters: Sizes = (32, 64)
    decay: Rate = 0.99
    restart_below: Rate = 0.03
    residual_blocks: Blocks = 0

    def check(self):
        stride = 2 ** len(self.filters)
        if self.image_shape[0] % stride or self.image_shape[1] % stride:
            raise ValueError(
                f"`image_shape` must have sides divisible by {stride} with "
                f"{len(self.filters)} `filters`. "
                f"Received: image_shape={self.image_shape}"
            )

    @property
    def grid_shape(self):
        """`(h, w)` of the codes of a picture."""
        stride = 2 ** len(self.filters)
        return self.image_shape[0] // stride, self.image_shape[1] // stride

    def make(self):
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
            *self._refining("encoder"),
            keras.layers.Conv2D(self.latent_size, 1, dtype=policy, name="latents"),
        ]
        self.decoder = [
            *self._refining("decoder", input=True),
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

    def _refining(self, name, input=False):
        """Layers that keep the grid's size; what comes in may have other channels."""
        widest, policy = self.filters[-1], self.dtype_policy
        first = keras.layers.Conv2D(widest, 1, dtype=policy, name="input")
        return [first] * (input and self.residual_blocks > 0) + [
            ResidualBlock(widest, dtype=policy, name=f"{name}_block_{i}")
            for i in range(self.residual_blocks)
        ]

    def call(self, images, training=False):
        quantized = self.quantizer(self.encode(images), training=training)
        return {
            "reconstruction": self.decode(quantized["quantized"]),
            "codes": quantized["codes"],
            "commitment": quantized["commitment"],
        }

    def encode(self, images):
        """What is rounded to codes.

        Args:
            images: float `(B, H, W, C)` in [0, 1].

        Returns:
            float `(B, h, w, latent_size)`.
        """
        # Centred, as the recipe has it.
        x = ops.cast(images, "float32") - 0.5
        for layer in self.encoder:
            x = layer(x)
        return x

    def decode(self, latents):
        """float32 `(B, H, W, C)`: pictures of vectors `(B, h, w, latent_size)`."""
        for layer in self.decoder:
            latents = layer(latents)
        return ops.cast(latents, "float32") + 0.5


def _build(layers, channels):
    """Builds layers that follow each other, from so many channels on."""
    for layer in layers:
        layer.build((None, None, None, channels))
        channels = getattr(layer, "filters", channels)
