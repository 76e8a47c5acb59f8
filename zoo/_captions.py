"""What entries that draw what a caption says have in common."""

import numpy as np

from keras_genai.data import captions, images
from keras_genai.modalities.captioned import Captioned
from zoo import _images

MIDDLE = 0.7  # brightness between what is bright and what is dim


def score(model, splits, seed=0, **options):
    """How often a picture shows what its caption says, of pairs that never trained.

    Each caption of the test data is drawn, and the digits are read where they should
    be.

    Args:
        model: `Diffusion` given `Text`.
        splits: `Splits` of `captioned_digits`.
        seed: int, of the pictures and of the reader.
        **options: of `generate`.

    Returns:
        dict of str to float: `captions_right`, the share of pictures on which both
        digits are read; `captions_right_floor`, that of real test pictures;
        `captions_right_shuffled`, of the drawn ones beside captions of others;
        `digits_right`; `glows_right`, the share of those digits called bright or dim
        that are.
    """
    reader = _images.train_classifier(images.digits(batch_size=64), seed)
    index = splits.test["scenes"]
    prompts = [captions.scenes()[each].caption for each in index]
    drawn = model.generate(len(index), prompts=prompts, seed=seed, **options)
    real = splits.test["images"].astype("float32") / 255
    right = _right(reader, drawn, index)
    other = np.random.default_rng(seed).permutation(index)
    return {
        "captions_right": float(right.all(axis=1).mean()),
        "captions_right_floor": float(_right(reader, real, index).all(axis=1).mean()),
        "captions_right_shuffled": float(
            _right(reader, drawn, index, other).all(axis=1).mean()
        ),
        "digits_right": float(right.mean()),
        "glows_right": _glows_right(drawn, index),
    }


def draw(model, seed, count=64, prompts=(), **options):
    """Pictures of captions, as many of each one after the other.

    Args:
        model: `Diffusion` given `Text`.
        seed: int.
        count: int.
        prompts: sequence of str.
        **options: of `generate`.

    Returns:
        float32 `(count, H, W, C)` in [0, 1]; as `Captioned` if captions differ.
    """
    places = np.arange(count) * len(prompts) // count
    prompts = [prompts[place] for place in places]
    drawn = model.generate(count, prompts=prompts, seed=seed, **options)
    return Captioned(drawn, prompts) if len({*prompts}) > 1 else drawn


def _right(reader, drawn, index, said=None):
    """bool `(N, 2)`: which digits are read where these scenes have them."""
    cut = captions.crops(drawn, index)
    light = cut.max(axis=(2, 3, 4), keepdims=True)
    cut = cut / np.maximum(light, 0.1)  # the reader learned from bright ones
    read = reader.classify(cut.reshape(-1, *cut.shape[2:])).reshape(-1, 2)
    said = index if said is None else said
    return read == [captions.scenes()[each].digits for each in said]


def _glows_right(drawn, index):
    light = captions.crops(drawn, index).max(axis=(2, 3, 4))
    glows = np.array([captions.scenes()[each].glows for each in index])
    is_bright, said = light > MIDDLE, glows > 0
    return float((is_bright == (glows == 1))[said].mean())
