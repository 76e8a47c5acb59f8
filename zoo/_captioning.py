"""What entries that say what a picture shows have in common."""

import dataclasses
import functools

import numpy as np
import tensorflow as tf

from keras_genai.data import captions
from keras_genai.data.emoji import TONES
from keras_genai.data.loader import ChangedLoader
from keras_genai.evaluation.diversity import unique_share
from keras_genai.evaluation.picture_attention_plot import plot_picture_attention
from keras_genai.evaluation.translation import bleu
from zoo import _speech, _translation
from zoo._averaging import averaged
from zoo._captions import MIDDLE
from zoo.entry import Recipe

TOGETHER = 64  # pictures that are looked at together
KNOWN = 4_096  # training pictures that the floor knows, where they are made anew
SHOWN, PLOTTED = 8, 4  # pictures of a sample, and of a plot
NOTES = (
    "It learned from 3,215 emoji and knows their words only: of a photograph it says "
    "what emoji it looks like. It names skin tones because the captions of emoji do, "
    "and of a yellow person none."
)


def recipe(steps, rate=1e-3, batch_size=64, **more):
    """How captioners are trained: as translators, without XLA, weights averaged."""

    def compile(steps=steps):
        return _translation.compiled(
            rate,
            max(1, steps // 20),
            steps,
            jit_compile=False,
            weight_decay=0.05,
            clip=1.0,
            **averaged(steps),
        )

    return Recipe(
        compile,
        batch_size=batch_size,
        steps=steps,
        steps_per_execution=5,
        log_every=50,
        validate_every=500,
        **more,
    )


def fits(config, splits):
    """Room for the longest caption of the data, and its two ends: see `Entry`."""
    room = splits.kind("tokens").length + 2
    settings = config["generation"]
    longest = max(settings.max_length, room)
    changes = {"generation": dataclasses.replace(settings, max_length=longest)}
    if "context" in config:
        changes["context"] = max(config["context"], room)
    return changes


def as_pairs(model, splits, batch_size, seed):
    """The same data for a model that writes token by token: see `Entry.feed`."""
    change = functools.partial(_as_pairs, splits.tokenizer)
    train, validation = (
        ChangedLoader(loader, change) for loader in (splits.train, splits.validation)
    )
    return dataclasses.replace(splits, train=train, validation=validation)


def _as_pairs(tokenizer, batch):
    images = batch["images"]
    mask = tf.ones(tf.shape(images)[:2], "bool")
    return _speech.read_and_written(tokenizer, images, mask, batch["tokens"])


def score(model, splits, seed=0):
    """How well unseen pictures are told in words.

    Args:
        model, splits, seed: see `score_matches`.

    Returns:
        dict of str to float: that of `score_matches`; and of all test pictures `bleu`,
        and `bleu_floor`, of the captions of the nearest training pictures.
    """
    texts = _texts(model, splits)
    return {
        **_score(model, splits, seed, texts),
        "bleu": bleu(texts.found, texts.truth),
        "bleu_floor": bleu(texts.nearest, texts.truth),
    }


def score_matches(model, splits, seed=0):
    """How often what is said of unseen pictures is right, to the last token.

    Captions are written by the settings of the model, with its beams.

    Args:
        model: `Seq2SeqLM` given an `Image`.
        splits: `Splits` of `keras_genai.data.emoji`, or of other captioned pictures.
        seed: int, of the shuffled captions.

    Returns:
        dict of str to float, of motifs and tones that train, but not together, or
        where there are none of all test pictures: `exact_match`, the share of captions
        that are right; `tone_word_right`, the share that end with the right tone; both
        with `_floor` behind, of the captions of the nearest training pictures, by
        pixels; `exact_match_shuffled`, beside captions of others; `exact_blank`, of
        what is said of a blank picture. With `_new_motif` behind, of motifs that never
        train. Of all: `distinct`, the share of captions that differ, and `pictures`,
        how many there are.
    """
    return _score(model, splits, seed, _texts(model, splits))


@dataclasses.dataclass(frozen=True)
class _Texts:
    """Lists of str: true captions, a model's, and those of the nearest pictures."""

    truth: list
    found: list
    nearest: list


def _texts(model, splits):
    images = splits.test["images"]
    return _Texts(
        _again(model.tokenizer, splits.test["captions"].tolist()),
        told(model, images),
        nearest_captions(splits, images),
    )


def _score(model, splits, seed, texts):
    test, tokenizer = splits.test, model.tokenizer
    truth, found, nearest = texts.truth, texts.found, texts.nearest
    blank = told(model, blank_of(test["images"])) * len(truth)
    other = np.random.default_rng(seed).permutation(len(truth))
    right = {
        "exact_match": _matches(found, truth),
        "tone_word_right": _tones_match(tokenizer, found, truth),
        "exact_match_floor": _matches(nearest, truth),
        "tone_word_right_floor": _tones_match(tokenizer, nearest, truth),
        "exact_match_shuffled": _matches(found, [truth[place] for place in other]),
        "exact_blank": _matches(blank, truth),
    }
    groups = {"": np.ones(len(truth), bool)}
    if "tones" in test:
        toned, new = test["tones"] >= 0, test["new_motifs"]
        groups = {"": toned & ~new, "_new_motif": toned & new}
    else:
        right = {key: each for key, each in right.items() if "tone_" not in key}
    return {
        **{
            f"{key}{name}": _share(each[rows])
            for name, rows in groups.items()
            for key, each in right.items()
        },
        "distinct": unique_share(found),
        "pictures": float(len(truth)),
    }


def score_digits(model, splits, seed=0):
    """How often what is said of digits is true, of pairs that never train.

    There are several true captions of a picture: two digits may be named in either
    order, and that one is bright or dim may be left out.

    Args:
        model: `Seq2SeqLM` given an `Image`.
        splits: `Splits` of `captioned_digits`; of other ones see
            `score_matches`.
        seed: int, of the pictures of others.

    Returns:
        dict of str to float: `captions_right`, the share of captions that are true;
        `captions_right_floor`, of those of the nearest training pictures, by pixels;
        `captions_right_shuffled`, beside pictures of others; `captions_right_blank`, of
        what is said of a blank picture; `distinct`, the share that differ; `pictures`.
    """
    if "scenes" not in splits.test:
        return score_matches(model, splits, seed)
    images = splits.test["images"]
    true = true_captions(images, splits.test["scenes"])
    found, nearest = told(model, images), nearest_captions(splits, images)
    other = np.random.default_rng(seed).permutation(len(images))
    blank = told(model, blank_of(images)) * len(images)
    return {
        "captions_right": _true(found, true),
        "captions_right_floor": _true(nearest, true),
        "captions_right_shuffled": _true(found, [true[place] for place in other]),
        "captions_right_blank": _true(blank, true),
        "distinct": unique_share(found),
        "pictures": float(len(images)),
    }


def true_captions(images, index):
    """All that can rightly be said of pictures of two digits.

    Args:
        images: uint8 `(N, 16, 16, 1)`.
        index: int `(N,)`, places in `keras_genai.data.captions.scenes()`.

    Returns:
        list of sets of str.
    """
    light = captions.crops(images, index).max(axis=(2, 3, 4)) / 255  # (N, 2)
    bright, dim = (captions.GLOWS.index(name) for name in ("bright", "dim"))
    seen = np.where(light > MIDDLE, bright, dim).tolist()
    return [
        {
            dataclasses.replace(
                captions.scenes()[place], glows=(one, two), backwards=backwards
            ).caption
            for one in (0, first)
            for two in (0, second)
            for backwards in (False, True)
        }
        for place, (first, second) in zip(index, seen, strict=True)
    ]


def told(model, images):
    """list of str: what a model says of pictures, some at a time."""
    with _translation.uncompiled(model):
        return model.caption(images, batch_size=TOGETHER)


def blank_of(images):
    """float32 `(1, H, W, C)`: a picture of the commonest value alone, the background.

    Args:
        images: uint8 `(N, H, W, C)`.
    """
    common = np.bincount(images.ravel(), minlength=1).argmax()
    return np.full((1, *images.shape[1:]), common / 255, "float32")


def nearest_captions(splits, images):
    """The captions of those training pictures that are nearest, by pixels.

    Args:
        splits: `Splits` of pictures with captions, fed or not.
        images: uint8 `(N, H, W, C)`.

    Returns:
        list of N str.
    """
    known, tokens = known_pictures(splits)
    flat = known.reshape(len(known), -1)
    asked = images.reshape(len(images), -1).astype("float32") / 255
    # Of the squared distance, one's own square is the same for all.
    apart = np.square(flat).sum(axis=1) - 2 * asked @ flat.T
    found = tokens[apart.argmin(axis=1)]
    return [splits.tokenizer.decode(row[row > 0]) for row in found]


def known_pictures(splits):
    """Training pictures, float32 `(N, H, W, C)`, and their captions in tokens."""
    content = splits.train.content
    if "images" in content:
        tokens = np.asarray(content["tokens"])
        first = tokens[:, 0] if tokens.ndim == 3 else tokens  # of several captions
        return np.asarray(content["images"], "float32") / 255, first
    images, tokens, count = [], [], 0
    for batch in splits.train.evaluation():
        if not isinstance(batch, dict):  # as it is fed
            batch = {"images": batch[0]["inputs"], "tokens": batch[1]}
        images.append(np.asarray(batch["images"]))
        tokens.append(np.asarray(batch["tokens"]))
        count += len(images[-1])
        if count >= KNOWN:
            break
    return np.concatenate(images), np.concatenate(tokens)


def write(model, seed, source):
    """What test pictures show and what the model says of them, one a line.

    Args:
        model: `Seq2SeqLM` given an `Image`.
        seed: int; nothing is drawn.
        source: source of captioned pictures.

    Returns:
        str.
    """
    splits = source(batch_size=2)
    images = splits.test["images"][_spread(splits, SHOWN)]
    tokens = splits.test["tokens"][_spread(splits, SHOWN)]
    truth = [splits.tokenizer.decode(row[row > 0]) for row in tokens]
    pairs = zip(truth, told(model, images), strict=True)
    return "\n".join(f"{text} -> {answer}" for text, answer in pairs)


def plot(model, source):
    """Where the model looks in test pictures, word by word: PNG bytes."""
    splits = source(batch_size=2)
    images = splits.test["images"][_spread(splits, PLOTTED)]
    with _translation.uncompiled(model):
        return plot_picture_attention(model, images)


def _spread(splits, count):
    """int `(count,)`: places in the test data, from all of it."""
    size = len(splits.test["images"])
    return np.arange(min(count, size)) * size // min(count, size)


def _again(tokenizer, texts):
    """Texts as the tokenizer spells them: "medium - dark"."""
    return [tokenizer.decode(row) for row in tokenizer.encode_batch(texts)]


def _matches(found, truth):
    return np.array([a == b for a, b in zip(found, truth, strict=True)])


def _tones_match(tokenizer, found, truth):
    """bool `(N,)`: whether texts end with the tone that the true ones end with."""
    tones = {*_again(tokenizer, TONES)}

    def tone(text):
        last = text.rpartition(", ")[2]
        return last if last in tones else None

    pairs = [(tone(a), tone(b)) for a, b in zip(found, truth, strict=True)]
    return np.array([ours is not None and ours == true for ours, true in pairs])


def _true(found, true):
    return _share([text in several for text, several in zip(found, true, strict=True)])


def _share(right):
    return float(np.mean(right)) if len(right) else float("nan")
