"""What entries that tell which text fits a picture have in common."""

import functools

import numpy as np

from keras_genai.data.emoji import emoji
from keras_genai.modalities.captioned import Captioned
from zoo import _emoji

FIRST = 5  # pictures that are looked at


def score(model, splits, seed=0):
    """How often the picture that a text is of is among the nearest of all test ones.

    Args:
        model: `Contrastive`.
        splits: `Splits` of `keras_genai.data.emoji`.
        seed: int, of the shuffled captions.

    Returns:
        dict of str to float, shares of captions: `recall_at_5` and `recall_at_1`, of
        all test captions among all test pictures; the same of motifs that never train,
        among all, with `_new_motif`; `recall_at_5_shuffled`, beside captions of others;
        `recall_at_5_chance`; and `captions_recall_at_5`, the share of pictures whose
        caption is among the nearest. `pictures` is how many there are.
    """
    test = splits.test
    cosines = model.similarity(test["images"], test["captions"].tolist()).T
    own, new = ranks(cosines), test["new_motifs"]
    shuffled = np.random.default_rng(seed).permutation(len(cosines))
    return {
        "recall_at_5": _share(own < FIRST),
        "recall_at_1": _share(own < 1),
        "recall_at_5_new_motif": _share(own[new] < FIRST),
        "recall_at_1_new_motif": _share(own[new] < 1),
        "recall_at_5_shuffled": _share(ranks(cosines[shuffled]) < FIRST),
        "recall_at_5_chance": FIRST / len(cosines),
        "captions_recall_at_5": _share(ranks(cosines.T) < FIRST),
        "pictures": float(len(cosines)),
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
