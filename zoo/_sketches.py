"""What entries that make pictures of sketches have in common."""

import numpy as np

from keras_genai.data.pictures import to_float
from keras_genai.evaluation.restoration import psnr

SHOWN = 24  # sketches on a sheet
LINE = 0.3  # of the strongest line, what still counts as one
_CHUNK = 100


def score(model, splits, seed=0):
    """How near pictures of sketches are to the real ones, of motifs that never train.

    Errors are mean absolute differences of colours in [0, 1].

    Args:
        model: `Pix2Pix`.
        splits: `Splits` with conditions.
        seed: int, of the dropout and of the shuffled sketches.

    Returns:
        dict of str to float: `absolute_error`; of what needs no learning,
        `absolute_error_nearest`, the picture whose sketch is the nearest that trains,
        `absolute_error_mean`, its mean colour everywhere, and `absolute_error_sketch`,
        the sketch, black on white; `absolute_error_shuffled`, of pictures of others'
        sketches; `psnr`, in decibels, and `psnr_nearest`.
    """
    arrays = splits.held_out if splits.test is None else splits.test
    sketches, truth = (to_float(arrays[key]).numpy() for key in ("condition", "images"))
    made = drawn(model, sketches, seed)
    others = np.random.default_rng(seed).permutation(len(made))
    nearest = _nearest(splits, sketches)
    mean = nearest.mean(axis=(1, 2), keepdims=True)
    return {
        "absolute_error": _error(made, truth),
        "absolute_error_nearest": _error(nearest, truth),
        "absolute_error_mean": _error(mean, truth),
        "absolute_error_sketch": _error(1 - sketches, truth),
        "absolute_error_shuffled": _error(made[others], truth),
        "psnr": psnr(made, truth),
        "psnr_nearest": psnr(nearest, truth),
        "pictures": float(len(made)),
    }


def drawn(model, sketches, seed=0):
    """float32 `(N, H, W, C)`: the pictures of sketches, some at a time."""
    return np.concatenate(
        [
            model.translate(sketches[first : first + _CHUNK], seed=seed + first)
            for first in range(0, len(sketches), _CHUNK)
        ]
    )


def show(model, seed, source):
    """Sketches that never train, what is made of them, and the truth, row by row.

    Args:
        model: see `score`.
        seed: int.
        source: callable that returns `Splits` with conditions.

    Returns:
        float32 `(R, 8, H, W, C)` in [0, 1]: a row of sketches, black on white, one of
        the model's pictures, one of the true ones, and again.
    """
    splits = source(batch_size=2, stand_in=True)
    arrays = splits.held_out if splits.test is None else splits.test
    places = np.linspace(0, len(arrays["images"]) - 1, SHOWN).astype(int)
    sketches, truth = (
        to_float(arrays[key][places]).numpy() for key in ("condition", "images")
    )
    made = drawn(model, sketches, seed)
    paper = np.broadcast_to(1 - sketches, made.shape)
    rows = []
    for first in range(0, len(made), 8):
        rows += [each[first : first + 8] for each in (paper, made, truth)]
    return np.stack(rows)


def white_on_black(drawing):
    """A drawing as the data have it: full white lines on black.

    Args:
        drawing: float `(H, W, C)` in [0, 1], lines on paper of any colours.

    Returns:
        float32 array of the same shape, of 0 and 1.
    """
    drawing = np.asarray(drawing, "float32")
    lines = np.abs(drawing - np.median(drawing))  # there is more paper than ink
    return (lines > LINE * max(lines.max(), 1e-6)).astype("float32")


def _nearest(splits, sketches):
    """float32 `(N, H, W, C)`: the training picture of the nearest sketch."""
    known = [
        (b["condition"].numpy(), b["images"].numpy()) for b in splits.train.epoch()
    ]
    conditions, images = (np.concatenate(each) for each in zip(*known, strict=True))
    first, second = (each.reshape(len(each), -1) for each in (sketches, conditions))
    # The nearest, of which one's own square is the same for all.
    apart = np.square(second).sum(axis=1) - 2 * first @ second.T
    return images[apart.argmin(axis=1)]


def _error(images, truth):
    return float(np.abs(images - truth).mean())
