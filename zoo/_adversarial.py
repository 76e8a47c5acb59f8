"""What the GAN entries of the zoo have in common."""

import keras
import numpy as np

from keras_genai.data.pictures import to_float

SHOWN = 32  # pictures, each behind what it was made from
_CHUNK = 100


def adam(rate, critic_rate=None, beta_1=0.5, beta_2=0.999, average=0.999):
    """Arguments of `GAN.compile`: Adam for both, averaged weights for the generator.

    Args:
        rate: float, the generator's.
        critic_rate: float or `None` (the same), the discriminator's.
        beta_1, beta_2: float.
        average: float. Share of the old average that a step keeps.
    """
    return dict(
        generator_optimizer=keras.optimizers.Adam(
            rate, beta_1, beta_2, use_ema=True, ema_momentum=average
        ),
        discriminator_optimizer=keras.optimizers.Adam(
            critic_rate or rate, beta_1, beta_2
        ),
    )


def score_translation(model, splits, count=500):
    """How near translations are to the truth, over pairs that have not trained.

    Args:
        model: object with `translate(condition)`.
        splits: `Splits` whose held-out pictures are pairs.
        count: int, pairs at most.

    Returns:
        dict of str to float: the mean absolute error of pixels in [0, 1], first, and
        the peak signal-to-noise ratio in decibels, mean over pictures.
    """
    arrays = splits.test or splits.held_out
    condition, truth = (
        to_float(arrays[key][:count]).numpy() for key in ("condition", "images")
    )
    made = np.concatenate(
        [
            model.translate(condition[start : start + _CHUNK])
            for start in range(0, len(condition), _CHUNK)
        ]
    )
    squared = np.mean(np.square(made - truth), axis=(1, 2, 3))
    return {
        "absolute_error": float(np.mean(np.abs(made - truth))),
        "psnr": float(np.mean(-10 * np.log10(np.maximum(squared, 1e-10)))),
    }


def translate(model, seed, source):
    """Pictures that ship with the package, each followed by its translation.

    Args:
        model: object with `translate(condition)`.
        seed: int, where to start among them.
        source: the entry's; its stand-in has the shape of its data.

    Returns:
        float32 `(2 * SHOWN, H, W, C)` in [0, 1].
    """
    splits = source(batch_size=2, stand_in=True)
    arrays = splits.test or splits.held_out
    condition = to_float(np.roll(arrays["condition"], -seed, axis=0)[:SHOWN]).numpy()
    made = model.translate(condition)
    if condition.shape[-1] == 1:
        condition = np.repeat(condition, made.shape[-1], axis=-1)
    return np.stack([condition, made], axis=1).reshape(-1, *made.shape[1:])
