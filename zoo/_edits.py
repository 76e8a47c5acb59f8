"""What entries that edit pictures have in common."""

import numpy as np

from keras_genai.data.emoji_edits import ATTRIBUTES, KINDS, TONES
from keras_genai.data.pictures import to_float
from keras_genai.evaluation.emoji import skin_tones

CONSENT = (
    "Edit pictures of real people only with their consent, and say of what it makes "
    "that it is made: its PNG files say so in their metadata."
)
SHOWN = 12  # pictures on a sheet, a row each
COLUMNS = (*TONES, "man", "woman")  # what is asked of each, behind it as it was
_CHUNK = 200  # pictures edited at once


def score(model, splits, seed=0, **options):
    """How near edited pictures are to the real ones, of motifs that never train.

    Errors are mean absolute differences of colours in [0, 1].

    Args:
        model: `Diffusion` given `Label` and an `Image`.
        splits: `Splits` of `keras_genai.data.emoji_edits`.
        seed: int, of the draws and of the shuffled attributes.
        **options: of `restore`.

    Returns:
        dict of str to float. Of skin tones: `absolute_error`; `absolute_error_copy`,
        that of the picture as it was; `absolute_error_share`, the one over the other;
        `absolute_error_shuffled`, with the tones of others asked for; `tones_right`,
        the share of pictures with the tone asked for; `tones_right_floor`, that of the
        real ones; `tones_right_shuffled`, with the tones of others asked for. Where
        they are in the data: `gender_error`, `gender_error_copy`, `gender_error_share`,
        and likewise of `hair`.
    """
    test = splits.test
    before, truth = (to_float(test[key]).numpy() for key in ("condition", "images"))
    asked, of_tones = test["labels"], test["kinds"] == "tone"
    made = edited(model, before, asked, seed, **options)
    mixed = np.random.default_rng(seed).permutation(asked[of_tones])
    others = edited(model, before[of_tones], mixed, seed, **options)
    tones, real = asked[of_tones], truth[of_tones]
    figures = _errors("absolute_error", made[of_tones], before[of_tones], real)
    figures |= {
        "absolute_error_shuffled": _error(others, real),
        "tones_right": float((skin_tones(made[of_tones]) == tones).mean()),
        "tones_right_floor": float((skin_tones(real) == tones).mean()),
        "tones_right_shuffled": float((skin_tones(others) == tones).mean()),
    }
    for kind in KINDS[1:]:
        chosen = test["kinds"] == kind
        if chosen.any():
            parts = (each[chosen] for each in (made, before, truth))
            figures |= _errors(f"{kind}_error", *parts)
    return {**figures, "pictures": float(len(made))}


def edited(model, images, asked, seed=0, **options):
    """Pictures as a model edits them, some at a time.

    Args:
        model: see `score`.
        images: float32 `(N, H, W, C)` in [0, 1].
        asked: int `(N,)`, what is asked of each.
        seed: int.
        **options: of `restore`.

    Returns:
        float32 `(N, H, W, C)` in [0, 1].
    """
    made = [
        model.restore(
            images[first : first + _CHUNK],
            labels=asked[first : first + _CHUNK],
            seed=seed + first,
            progress=False,
            **options,
        )
        for first in range(0, len(images), _CHUNK)
    ]
    return np.concatenate(made)


def show(model, seed, source, **options):
    """Pictures that never train, each in a row with its edits.

    Args:
        model: see `score`.
        seed: int.
        source: callable that returns `Splits` of `keras_genai.data.emoji_edits`.
        **options: of `restore`.

    Returns:
        float32 `(R, 8, H, W, C)` in [0, 1]: a picture; it in the five tones; as man;
        as woman.
    """
    arrays = source(batch_size=2, stand_in=True).test
    images = np.unique(arrays["condition"], axis=0)
    places = np.linspace(0, len(images) - 1, min(SHOWN, len(images))).astype(int)
    before = to_float(images[places]).numpy()
    asked = [ATTRIBUTES.index(name) for name in COLUMNS]
    made = edited(
        model,
        np.repeat(before, len(asked), axis=0),
        np.tile(np.array(asked, "int32"), len(before)),
        seed,
        **options,
    )
    rows = made.reshape(len(before), len(asked), *before.shape[1:])
    return np.concatenate([before[:, None], rows], axis=1)


def _errors(name, made, before, truth):
    own, copy = _error(made, truth), _error(before, truth)
    return {name: own, f"{name}_copy": copy, f"{name}_share": own / copy}


def _error(images, truth):
    return float(np.abs(images - truth).mean())
