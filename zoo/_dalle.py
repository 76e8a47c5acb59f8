"""What codecs of emoji, and the entries of DALL-E on them, have in common."""

import numpy as np

from keras_genai.data.pictures import to_float
from keras_genai.evaluation.emoji import skin_tones
from zoo import _captions, _emoji, _variational

CANDIDATES = 8  # pictures of each caption that a ranker chooses from


def score_codec(model, splits):
    """Error of unseen emoji over the data's variance, use of codes, tones that stay.

    Args:
        model: `VQVAE` or `DVAE`.
        splits: `Splits` of `keras_genai.data.emoji`.

    Returns:
        dict of str to float, see `_variational.score_codes`; `tones_right`, the share
        of skin tones that are read from decoded test pictures, which is the most that a
        model of the codes can reach, and `tones_right_floor`, that of the real ones.
    """
    test = splits.test
    if "tones" not in test:  # a user's pictures
        return _variational.score_codes(model, splits)
    toned = test["tones"] >= 0
    images, tones = test["images"][toned], test["tones"][toned]
    real = to_float(images).numpy()
    return {
        **_variational.score_codes(model, splits),
        "tones_right": _share(skin_tones(model.reconstruct(images)) == tones),
        "tones_right_floor": _share(skin_tones(real) == tones),
    }


def score(model, splits, seed=0, ranker=None, **options):
    """Obedience of drawn emoji, and what captions tell of the codes of real ones.

    Args:
        model: `DALLE`.
        splits: `Splits` of `keras_genai.data.emoji`.
        seed: int, of the pictures and of the shuffled captions.
        ranker: `Contrastive` or `None`. If given, the best by it of several candidates
            are scored, too.
        **options: of `generate`.

    Returns:
        dict of str to float, see `_emoji.score` and `told`; with a ranker also
        `tones_right_ranked` and `motifs_right_ranked`.
    """
    figures = {
        **_emoji.score(model, splits, seed, **options),
        **told(model, splits, seed),
    }
    if ranker is not None:
        best = {"candidates": CANDIDATES, "rank_by": ranker}
        ranked = _emoji.score(model, splits, seed, **options, **best)
        for name in ("tones_right", "motifs_right", "nearest"):
            if name in ranked:  # not all of a user's pictures
                figures[f"{name}_ranked"] = ranked[name]
    return figures


def score_digits(model, splits, seed=0, **options):
    """The same of digits that stand where a caption says; see `_captions.score`."""
    return {
        **_captions.score(model, splits, seed, **options),
        **told(model, splits, seed),
    }


def told(model, splits, seed=0):
    """What captions tell of the codes of test pictures.

    Args:
        model: `DALLE`.
        splits: `Splits` of pictures with captions.
        seed: int, of the shuffled captions.

    Returns:
        dict of str to float: `nats_per_code` of test pictures with their captions;
        `caption_gain`, nats a picture that the codes cost less with its caption than
        without one; `caption_gain_shuffled`, the same with captions of others;
        `codes_used` by these pictures.
    """
    images, tokens = splits.test["images"], splits.test["tokens"]
    other = np.random.default_rng(seed).permutation(len(tokens))
    free, asked, shuffled = (
        model.score(images, prompts) for prompts in (None, tokens, tokens[other])
    )
    return {
        "nats_per_code": float(asked.mean()),
        "caption_gain": float((free - asked).mean() * model.length),
        "caption_gain_shuffled": float((free - shuffled).mean() * model.length),
        "codes_used": float(len(np.unique(model.codec.tokenize(images)))),
    }


def _share(right):
    return float(np.mean(right))
