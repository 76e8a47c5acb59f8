"""How near restored pictures are to the truth, beside what needs no learning."""

import numpy as np
import tensorflow as tf

from keras_genai.data.pictures import to_bytes, to_float


def restoration_scores(restored, truth, damaged, factor=None):
    """How near restored pictures are to the truth, beside what needs no learning.

    Args:
        restored: uint8 or float pictures `(N, H, W, C)`.
        truth: the same shape.
        damaged: the same shape, what the model was given; it may leave [0, 1].
        factor: int or `None`. How much `damaged` was shrunk, if it was; the pictures
            are then enlarged by bicubic interpolation as one more baseline.

    Returns:
        dict of str to float: `psnr`, in decibels, the mean over pictures; `psnr_gain`
        over the best baseline; `psnr_copy`, `psnr_median` and `psnr_bicubic` of the
        baselines; `ssim` and `ssim_copy`, structural similarity, at most 1.

    Raises:
        ValueError: if shapes differ.

    Reference: Wang et al. 2004, Image quality assessment (SSIM)
    """
    shapes = [np.shape(each) for each in (restored, truth, damaged)]
    if len(set(shapes)) > 1 or len(shapes[0]) != 4:
        raise ValueError(
            "`restored`, `truth` and `damaged` must have one shape (N, H, W, C). "
            f"Received: {shapes}"
        )
    restored, truth, damaged = (
        to_float(each).numpy() for each in (restored, truth, damaged)
    )
    baselines = {"copy": damaged, "median": median_filter(damaged)}
    if factor is not None:
        baselines["bicubic"] = bicubic(damaged[:, ::factor, ::factor], factor)
    plain = {f"psnr_{name}": psnr(each, truth) for name, each in baselines.items()}
    own = psnr(restored, truth)
    return {
        "psnr": own,
        "psnr_gain": own - max(plain.values()),
        **plain,
        "ssim": ssim(restored, truth),
        "ssim_copy": ssim(damaged, truth),
    }


def psnr(images, truth):
    """Peak signal-to-noise ratio in decibels, the mean over pictures.

    Pictures are compared as they would be saved, with 8 bits, and a perfect one
    counts as if half a step of one colour were wrong everywhere.

    Args:
        images: float `(N, H, W, C)`, clipped to [0, 1], or uint8.
        truth: the same.

    Returns:
        float.
    """
    gap = _as_saved(images) - _as_saved(truth)
    error = np.mean(np.square(gap, dtype="float64"), axis=(1, 2, 3))
    return float(np.mean(-10 * np.log10(np.maximum(error, (0.5 / 255) ** 2))))


def ssim(images, truth):
    """Structural similarity, the mean over pictures: 1 if they are equal.

    Args:
        images, truth: see `psnr`.

    Returns:
        float.
    """
    images, truth = _as_saved(images), _as_saved(truth)
    side = min(11, *images.shape[1:3])
    found = tf.image.ssim(images, truth, 1.0, filter_size=side - 1 + side % 2)
    return float(tf.reduce_mean(found))


def median_filter(images):
    """Replaces each pixel by the median of the 3 x 3 around it, channel by channel.

    Args:
        images: float `(N, H, W, C)`.

    Returns:
        float array of the same shape.
    """
    padded = np.pad(images, [(0, 0), (1, 1), (1, 1), (0, 0)], mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(1, 2))
    return np.median(windows, axis=(-2, -1)).astype(images.dtype)


def bicubic(images, factor):
    """Enlarges pictures by bicubic interpolation.

    Args:
        images: float `(N, H, W, C)` in [0, 1].
        factor: int.

    Returns:
        float32 array `(N, factor H, factor W, C)` in [0, 1].
    """
    size = (images.shape[1] * factor, images.shape[2] * factor)
    return tf.image.resize(images, size, method="bicubic").numpy().clip(0, 1)


def _as_saved(images):
    """Pictures with 8 bits, as float32 array in [0, 1]."""
    return to_float(to_bytes(to_float(images))).numpy()
