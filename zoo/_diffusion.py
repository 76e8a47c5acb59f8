"""What the diffusion entries of the zoo have in common."""

import keras
import numpy as np

from keras_genai.data.pictures import to_float
from keras_genai.schedules import warmup_cosine
from zoo import _images
from zoo._averaging import averaged

SHOWN = 16  # restored pictures on a sheet


def adam(steps, rate=1e-3, clip=1.0):
    """Adam as diffusion models are trained: averaged weights, a falling rate.

    Args:
        steps: int. Length of the run.
        rate: float. The highest learning rate.
        clip: float. Largest global norm of the gradient.
    """
    return keras.optimizers.Adam(
        warmup_cosine(rate, 200, steps, final=0.05),
        beta_2=0.99,
        global_clipnorm=clip,
        **averaged(steps),
    )


def score(model, splits, count=1000, pictures=128, **options):
    """Quality of samples, and the variational bound where it is meant.

    Args:
        model: `Diffusion`.
        splits: `Splits`.
        count: int. Pictures to draw.
        pictures: int. Held-out pictures of the bound, at most; 0 leaves it out.
        **options: of `generate`.
    """
    figures = _images.score(model, splits, count=count, **options)
    if not pictures:
        return figures
    arrays = splits.held_out if splits.test is None else splits.test
    given = {kind.argument: arrays[kind.key][:pictures] for kind in model.given}
    bits = model.variational_bound(
        arrays["images"][:pictures], steps=1000, draws=50, **given
    )
    return {**figures, "bound_bits_per_dimension": float(np.mean(bits))}


def score_restoration(model, splits, factor=None, **options):
    """How near restored pictures are to the truth. See `_images.score_restoration`.

    Args:
        model: `Diffusion` that is given pictures.
        splits: `Splits` with conditions.
        factor: int or `None`. How much the conditions were shrunk.
        **options: of `restore`.
    """

    def restore(condition, seed):
        return model.restore(condition, seed=seed, progress=False, **options)

    return _images.score_restoration(restore, splits, factor=factor)


def show_restored(model, seed, source, **options):
    """Damaged pictures, what the model makes of them, and the truth, row by row.

    They are of those that are scored.

    Args:
        model: `Diffusion` that is given pictures.
        seed: int.
        source: callable that returns `Splits` of embedded data.
        **options: of `restore`.

    Returns:
        float32 `(R, 8, H, W, C)` in [0, 1]: a row of damaged pictures, one of restored
        ones, one of true ones, and again.
    """
    splits = source(batch_size=2)
    arrays = splits.held_out if splits.test is None else splits.test
    # Spread over all: neighbours are pieces of one sky.
    places = np.linspace(0, len(arrays["images"]) - 1, SHOWN).astype(int)
    damaged, truth = (
        to_float(arrays[key][places]).numpy() for key in ("condition", "images")
    )
    restored = model.restore(damaged, seed=seed, progress=False, **options)
    rows = []
    for first in range(0, len(damaged), 8):
        rows += [part[first : first + 8] for part in (damaged, restored, truth)]
    return np.stack(rows)
