"""Pictures of pictures: grids for people to look at, as PNG."""

import math

import numpy as np
import tensorflow as tf

_WIDTH = 512  # pixels; smaller grids are enlarged as long as they stay below


def grid(images, columns=None, enlarge=None, gap=1):
    """Many pictures as one; each video is a row of its frames.

    Args:
        images: uint8, or float in [0, 1]: pictures `(N, H, W, C)`, or videos
            `(N, F, H, W, C)`; C is 1 or 3.
        columns: int, pictures in a row, or `None`: as many as make a square, or the
            frames of a video.
        enlarge: int, how many pixels wide each pixel is drawn, or `None`: as many as
            keep the grid within 512 pixels.
        gap: int, grey pixels between pictures.

    Returns:
        uint8 array `(H', W', C)`.

    Raises:
        ValueError: if the shape is another one, or there are no pictures.
    """
    images = np.asarray(images)
    if images.ndim not in (4, 5) or 0 in images.shape or images.shape[-1] not in (1, 3):
        raise ValueError(
            "`images` must be of shape (N, H, W, C) or (N, F, H, W, C) with C 1 or 3. "
            f"Received: shape {images.shape}"
        )
    if images.ndim == 5:
        columns = columns or images.shape[1]
        images = images.reshape(-1, *images.shape[2:])
    columns = min(columns or side(len(images)), len(images))
    rows = -(-len(images) // columns)
    height, width, channels = images.shape[1:]
    if enlarge is None:
        enlarge = max(1, _WIDTH // (columns * (width + gap)))
    cells = np.full(
        (rows * columns, height * enlarge + gap, width * enlarge + gap, channels),
        128,
        "uint8",
    )
    drawn = as_bytes(images).repeat(enlarge, axis=1).repeat(enlarge, axis=2)
    cells[: len(images), gap:, gap:] = drawn
    whole = cells.reshape(rows, columns, *cells.shape[1:]).swapaxes(1, 2)
    whole = whole.reshape(rows * cells.shape[1], columns * cells.shape[2], channels)
    return np.pad(whole, [(0, gap), (0, gap), (0, 0)], constant_values=128)


def png(images, **options):
    """The bytes of a PNG file of one picture, or of a grid of several.

    Args:
        images: uint8, or float in [0, 1]: one picture `(H, W, C)`, or what `grid`
            takes.
        **options: arguments of `grid`.

    Returns:
        bytes.
    """
    images = np.asarray(images)
    whole = as_bytes(images) if images.ndim == 3 else grid(images, **options)
    return tf.io.encode_png(whole).numpy()


def side(count):
    """int: how many of so many pictures are in a row of a square."""
    return math.ceil(math.sqrt(count))


def as_bytes(images):
    """uint8 array of uint8 or float pictures; floats outside [0, 1] are clipped.

    Raises:
        ValueError: if there is something that is not a number.
    """
    images = np.asarray(images)
    if images.dtype == np.uint8:
        return images
    if not np.isfinite(images).all():
        raise ValueError("`images` must be finite. Received: NaN or infinity")
    return np.round(images.astype("float32").clip(0, 1) * 255).astype("uint8")
