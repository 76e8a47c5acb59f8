"""The network of a discrete VAE: pictures as a small grid of codes, and back."""

import functools
from typing import Annotated

import keras
from keras import ops

from keras_genai.checks import check_size
from keras_genai.declared import LATER, ImageShape, Size, Sizes
from keras_genai.layers.convolution import ResidualBlock
from keras_genai.layers.latent import GumbelSoftmax
from keras_genai.networks.base import Network
from keras_genai.registry import register

Blocks = Annotated[int, functools.partial(check_size, least=0, most=64)]


@register
class DiscreteAutoencoder(Network):
    """Convolutions to logits of a code at each place of a grid, and back.

    In training codes are drawn softly, so that gradients reach their logits; else each
    is the likeliest one.

    Args:
        image_shape: `(H, W, C)`, sides divisible by 2 for each of `filters`.
        num_codes: int, K.
        latent_size: int, D. Length of a code's vector.
        filters: tuple of int. Channels of the encoder's layers, each of which halves
            the picture; the decoder's are the same in reverse.
        residual_blocks: int. Residual blocks at the grid's size, on both ways.
        hard: bool. Whether the decoder sees drawn codes and not mixtures of them, with
            the gradient of mixtures (straight-through).

    Call arguments:
        images: float `(B, H, W, C)` in [0, 1].
        temperature: float or scalar tensor > 0, see `GumbelSoftmax`.
        training: bool. Whether codes are drawn.

    Returns:
        dict of `reconstruction`, float32 `(B, H, W, C)`; `logits`, float32
        `(B, h, w, K)`; `codes`, int32 `(B, h, w)`, the likeliest ones.

    Raises:
        ValueError: if a side cannot be halved so often.

    Reference: Ramesh et al. 2021, section 2.1, https://arxiv.org/abs/2102.12092
    """

    casts_inputs = False  # pictures stay float32

    image_shape: ImageShape = LATER
    num_codes: Size = 512
    latent_size: Size = 64
    filters: Sizes = (32, 64)
    residual_blocks: Blocks = 1
    hard: bool = False

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
        widest = self.filters[-1]
        sizes = {"kernel_size": 4, "strides": 2, "padding": "same", "dtype": policy}
        halve = functools.partial(keras.layers.Conv2D, activation="relu", **sizes)
        double = functools.partial(
            keras.layers.Conv2DTranspose, activation="relu", **sizes
        )

        def refine(name):
            return [
                ResidualBlock(widest, dtype=policy, name=f"{name}_block_{i}")
                for i in range(self.residual_blocks)
            ]

        self.encoder = [
            *(halve(n, name=f"encoder_{i}") for i, n in enumerate(self.filters)),
            *refine("encoder"),
            keras.layers.Conv2D(self.num_codes, 1, dtype=policy, name="logits"),
        ]
        self.decoder = [
            keras.layers.Conv2D(widest, 1, dtype=policy, name="input"),
            *refine("decoder"),
            *(double(n, name=f"decoder_{i}") for i, n in enumerate(self.filters[::-1])),
            keras.layers.Conv2DTranspose(
                channels, 3, padding="same", dtype=policy, name="output"
            ),
        ]
        _build(self.encoder, channels)
        _build(self.decoder, self.latent_size)
        self.codebook = keras.layers.Embedding(
            self.num_codes,
            self.latent_size,
            embeddings_initializer=keras.initializers.RandomNormal(stddev=1.0),
            dtype=policy,
            name="codebook",
        )
        self.codebook.build()
        self.relax = GumbelSoftmax(self.hard, seed=0, name="gumbel_softmax")

    def call(self, images, temperature=1.0, training=False):
        logits = self.encode(images)
        shares = self.relax(logits, temperature=temperature, training=training)
        return {
            "reconstruction": self.decode(shares),
            "logits": logits,
            "codes": likeliest(logits),
        }

    def encode(self, images):
        """How probable each code is at each place.

        Args:
            images: float `(B, H, W, C)` in [0, 1].

        Returns:
            float32 logits `(B, h, w, K)`.
        """
        x = ops.cast(images, "float32") - 0.5
        for layer in self.encoder:
            x = layer(x)
        return ops.cast(x, "float32")

    def decode(self, shares):
        """float32 `(B, H, W, C)`: pictures of mixtures of codes `(B, h, w, K)`."""
        table = ops.cast(self.codebook.embeddings, self.compute_dtype)
        return self._draw(ops.matmul(ops.cast(shares, self.compute_dtype), table))

    def decode_codes(self, codes):
        """float32 `(B, H, W, C)`: pictures of codes, int `(B, h, w)`."""
        return self._draw(self.codebook(codes))

    def _draw(self, x):
        for layer in self.decoder:
            x = layer(x)
        return ops.cast(x, "float32") + 0.5


def likeliest(logits):
    """int32 `(...)`: the likeliest code of logits `(..., K)`."""
    return ops.cast(ops.argmax(logits, axis=-1), "int32")


def _build(layers, channels):
    """Builds layers that follow each other, from so many channels on."""
    for layer in layers:
        layer.build((None, None, None, channels))
        channels = getattr(layer, "filters", channels)
