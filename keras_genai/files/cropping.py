"""Pictures of any size at the size that a network reads."""

import numpy as np


def scaled_and_cropped(picture, size):
    """The middle of a picture whose shorter side was scaled to fit, bicubically.

    Args:
        picture: `PIL.Image.Image` of mode L or RGB.
        size: `(height, width)`.

    Returns:
        uint8 `(height, width, C)`.

    Reference: what `CLIPImageProcessor` of transformers does with PIL, for squares
    """
    from PIL import Image

    height, width = size
    wide, high = picture.size
    # As large as needed to cover the wanted size.
    if width * high >= height * wide:
        scaled = (width, max(height, int(width * high / wide)))
    else:
        scaled = (max(width, int(height * wide / high)), height)
    if scaled != picture.size:
        picture = picture.resize(scaled, Image.Resampling.BICUBIC)
    left, top = (scaled[0] - width) // 2, (scaled[1] - height) // 2
    picture = picture.crop((left, top, left + width, top + height))
    pixels = np.asarray(picture)
    return pixels if pixels.ndim == 3 else pixels[:, :, None]
