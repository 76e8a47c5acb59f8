"""What entries that draw what a caption says have in common."""

import numpy as np

from keras_genai.data import captions, images
from keras_genai.data.pictures import to_float
from keras_genai.evaluation.images import frechet_distance
from keras_genai.modalities.captioned import Captioned
from zoo import _images

CHUNK = 100  # pictures generated at once
MIDDLE = 0.7  # brightness between what is bright and what is dim


def score(model, splits, seed=0, **options):
    """How often a picture shows what its caption says, of pairs that never trained.

    Each caption of the test data is drawn, and the digits are read where they should
    be.

    Args:
        model: `Diffusion` given `Text`.
        splits: `Splits` of `captioned_digits`; of other ones see `score_others`.
        seed: int, of the pictures and of the reader.
        **options: of `generate`.

    Returns:
        dict of str to float: `captions_right`, the share of pictures on which both
        digits are read; `captions_right_floor`, that of real test pictures;
        `captions_right_shuffled`, of the drawn ones beside captions of others;
        `digits_right`; `glows_right`, the share of those digits called bright or dim
        that are.
    """
    if "scenes" not in splits.test:
        return score_others(model, splits, seed, **options)
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


def score_others(model, splits, seed=0, **options):
    """How near pictures of a user's captions are to the real ones.

    Args:
        model: object with `generate(count, prompts=, seed=)`.
        splits: `Splits` of `keras_genai.data.captioned_pictures`.
        seed: int, of the pictures, of the shuffled captions and of the extractor.
        **options: of `generate`.

    Returns:
        dict of str to float. Of half of the test captions, `frechet_distance` from the
        real pictures of the other half, and `frechet_floor`, that of the real ones of
        the same captions, both with the extractor's name behind; of all, `nearest`, the
        share of pictures nearer to the real one of their caption than to that of any
        other, `nearest_shuffled`, beside captions of others; and `pictures`.
    """
    test = splits.test
    drawn = drawn_of(model, test["captions"].tolist(), seed, options)
    real = to_float(test["images"]).numpy()
    random = np.random.default_rng(seed)
    order, other = random.permutation(len(real)), random.permutation(len(real))
    extractor = _images.train_classifier(splits, seed)
    return {
        **frechet_distances(extractor, drawn, real, order),
        "nearest": nearest(drawn, real),
        "nearest_shuffled": nearest(drawn, real[other]),
        "pictures": float(len(drawn)),
    }


def drawn_of(model, captions, seed=0, options=None):
    """A picture of each caption, drawn some at a time.

    Args:
        model: object with `generate(count, prompts=, seed=)`.
        captions: list of str.
        seed: int.
        options: dict, more arguments of `generate`, or `None`.

    Returns:
        float32 `(N, H, W, C)` in [0, 1].
    """
    drawn = []
    for number, first in enumerate(range(0, len(captions), CHUNK)):
        prompts = captions[first : first + CHUNK]
        own = dict(options or {}, seed=seed + number)
        drawn.append(model.generate(len(prompts), prompts=prompts, **own))
    return np.concatenate(drawn)


def nearest(drawn, real):
    """float: the share of pictures nearer to their own real one than to all others.

    Args:
        drawn, real: float `(N, H, W, C)`.
    """
    first, second = (each.reshape(len(each), -1) for each in (drawn, real))
    # Of the squared distance, one's own square is the same for all.
    apart = np.square(second).sum(axis=1) - 2 * first @ second.T
    return float((apart.argmin(axis=1) == np.arange(len(first))).mean())


def frechet_distances(extractor, drawn, real, order):
    """Distances of drawn and of real pictures from real ones of other captions.

    Args:
        extractor: see `keras_genai.evaluation.classifier`.
        drawn, real: float `(N, H, W, C)`, of the same captions.
        order: int `(N,)`. The first half is compared with the second.

    Returns:
        dict of str to float: `frechet_distance` and `frechet_floor`, with the
        extractor's name behind.
    """
    half = len(order) // 2
    mine, others = order[:half], order[half:]
    drawn, played, reference = (
        extractor.features(each) for each in (drawn[mine], real[mine], real[others])
    )
    return {
        f"frechet_distance_{extractor.name}": frechet_distance(reference, drawn),
        f"frechet_floor_{extractor.name}": frechet_distance(reference, played),
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
