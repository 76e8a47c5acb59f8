"""The latents of an autoencoder, as another model noises and denoises them."""

import numpy as np
from keras import ops


def shape(codec):
    """`(h, w, D)` of a trained `VQVAE`'s latents."""
    return (*codec.grid_shape, codec.latent_size)


def scale(codec):
    """1 over the standard deviation of the codebook, a float."""
    return 1 / max(float(np.std(codec.quantizer.codebook)), 1e-6)


def encode(codec, images):
    """float32 `(B, h, w, D)`, before they are rounded to codes.

    Args:
        codec: `VQVAE`.
        images: float32 `(B, H, W, C)` in [0, 1].
    """
    return ops.cast(codec.features_of(images), "float32")


def decode(codec, latents):
    """Pictures in [0, 1], float32 `(B, H, W, C)`; latents become their nearest codes.

    Args:
        codec: `VQVAE`.
        latents: float32 `(B, h, w, D)`.
    """
    return codec.pictures_of(codec.quantizer.encode(latents))
