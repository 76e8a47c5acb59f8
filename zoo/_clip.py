"""What entries that tell which text fits a picture have in common."""

import functools

import numpy as np

from keras_genai.data.emoji import emoji
from keras_genai.modalities.captioned import Captioned
from keras_genai.networks.vit import ViT
from zoo import _emoji

FIRST = 5  # pictures that are looked at


def vit(
    patch=32,
    image_depth=12,
    image_width=768,
    image_heads=12,
    activation="quick_gelu",
    dtype=None,
):
    """A `ViT` whose sizes have other names than those of the network of texts.

    Args:
        patch, activation, dtype: of `ViT`.
        image_depth, image_width, image_heads: its `depth`, `width` and `num_heads`.
    """
    return ViT(
        patch=patch,
        depth=image_depth,
        width=image_width,
        num_heads=image_heads,
        activation=activation,
        dtype=dtype,
    )


def score(model, splits, seed=0):
    """How often the picture that a text is of is among the nearest of all test ones.

    Args:
        model: `Contrastive`.
        splits: `Splits` of `keras_genai.data.emoji`, or of other captioned pictures.
        seed: int, of the shuffled captions.

    Returns:
        dict of str to float, shares of captions: `recall_at_5` and `recall_at_1`, of
        all test captions among all test pictures; the same of motifs that never train,
        among all, with `_new_motif`; `recall_at_5_shuffled`, beside captions of others;
        `recall_at_5_chance`; and `captions_recall_at_5`, the share of pictures whose
        caption is among the nearest. `pictures` is how many there are.
    """
    test = splits.test
    cosines = model.similarity(test["images"], test["tokens"]).T
    own = ranks(cosines)
    shuffled = np.random.default_rng(seed).permutation(len(cosines))
    return {
        "recall_at_5": _share(own < FIRST),
        "recall_at_1": _share(own < 1),
        **_of_new_motifs(own, test.get("new_motifs")),
        "recall_at_5_shuffled": _share(ranks(cosines[shuffled]) < FIRST),
        "recall_at_5_chance": FIRST / len(cosines),
        "captions_recall_at_5": _share(ranks(cosines.T) < FIRST),
        "pictures": float(len(cosines)),
    }


def _of_new_motifs(own, new):
    """dict of figures of what never trains; empty for data that do not tell it."""
    if new is None:
        return {}
    return {
        "recall_at_5_new_motif": _share(own[new] < FIRST),
        "recall_at_1_new_motif": _share(own[new] < 1),
    }


def ranks(scores):
    """How many answers score at least as high as the right one.

    Args:
        scores: float `(N, N)`: of a row, the answer of its own number is right.

    Returns:
        int `(N,)`, from 0.
    """
    own = np.diag(scores)[:, None]
    return (scores >= own).sum(axis=1) - 1


def retrieve(model, seed, count=40, prompts=_emoji.SHOWN, source=None):
    """The pictures of a test set that fit texts best, the nearest first.

    Without data of one's own they are those of the stand-in.

    Args:
        model: `Contrastive`.
        seed: int; nothing is drawn.
        count: int, of the pictures of all texts together.
        prompts: sequence of str; the same one again says nothing more.
        source: source of `keras_genai.data.emoji`, or `None`.

    Returns:
        `Captioned`.
    """
    source = source or functools.partial(emoji, stand_in=True)
    images = source(batch_size=2).test["images"]
    prompts = [*dict.fromkeys(prompts)]
    found = model.rank(prompts, images, k=max(1, count // len(prompts)))
    captions = np.repeat(prompts, found.places.shape[1])
    return Captioned(images[found.places.ravel()], captions.tolist())


def _share(right):
    return float(np.mean(right))
