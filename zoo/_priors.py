"""Models of two stages: a frozen codec, and a model of its codes."""

from keras_genai.models.gpt import GPT
from keras_genai.models.pixelcnn import PixelCNN
from keras_genai.models.vqvae import VQVAE
from keras_genai.tasks.prior import GridPrior, SequencePrior


def pixelcnn_prior(
    image_shape,
    codec=None,
    width=128,
    depth=5,
    dropout=0.0,
    num_classes=None,
    dtype=None,
    name=None,
):
    """PixelCNN over the codes of a VQ-VAE.

    Args:
        image_shape: `(H, W, C)`, of the data.
        codec: trained `VQVAE`; `None` makes an untrained one, for tests.
        width, depth, dropout, num_classes: see `PixelCNN`.
        dtype: Keras dtype policy.
        name: str or `None`.

    Returns:
        `GridPrior`.
    """
    codec = _codec(image_shape, codec)
    prior = PixelCNN(
        (*codec.grid_shape, 1),
        codec.num_codes,
        width,
        depth,
        dropout=dropout,
        num_classes=num_classes,
        dtype=dtype,
        name="prior",
    )
    return GridPrior(codec, prior, dtype=dtype, name=name)


def gpt_prior(
    image_shape,
    codec=None,
    width=128,
    depth=4,
    num_heads=4,
    dropout=0.0,
    num_classes=None,
    dtype=None,
    name=None,
):
    """GPT over the codes of a VQ-VAE, row by row.

    Args:
        image_shape: `(H, W, C)`, of the data.
        codec: trained `VQVAE`; `None` makes an untrained one, for tests.
        width, depth, num_heads, dropout: see `GPT`.
        num_classes: int or `None`.
        dtype: Keras dtype policy.
        name: str or `None`.

    Returns:
        `SequencePrior`.
    """
    codec = _codec(image_shape, codec)
    prior = GPT(
        codec.num_codes + (num_classes or 1),
        codec.grid_shape[0] * codec.grid_shape[1],
        depth,
        width,
        num_heads,
        dropout,
        dtype=dtype,
        name="prior",
    )
    return SequencePrior(codec, prior, num_classes, dtype=dtype, name=name)


def _codec(image_shape, codec):
    if codec is None:
        return VQVAE(image_shape, name="codec")
    if codec.image_shape != tuple(image_shape):
        raise ValueError(
            f"`codec` must be trained on pictures {tuple(image_shape)}. "
            f"Received: one for {codec.image_shape}"
        )
    return codec
