"""Pictures with captions: scikit-learn's digits, one or two, where a text says."""

import dataclasses
import functools
import itertools

import numpy as np
import tensorflow as tf

from keras_genai.data import embedded_images, pictures, tokenizers
from keras_genai.data.captioned_pictures import source
from keras_genai.data.image_splits import FIXED, validation_loader
from keras_genai.data.loading import DataLoader, Splits
from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Text

__all__ = ["Scene", "captioned_digits", "crops", "scenes", "source"]

WORDS = (
    *("zero", "one", "two", "three", "four"),
    *("five", "six", "seven", "eight", "nine"),
)
GLOWS = ("", "bright", "dim")  # where nothing is said, it is one of the others
BRIGHTNESS = (1.0, 0.4)  # of what is bright, and of what is dim
SIDE, DIGIT = 16, 8  # pixels, of a picture and of a digit
LENGTH = 12  # tokens of a caption; those here have up to eight
_ALONE = 10  # times that each caption of a single digit is in the training data
_APART = 3  # digits so far apart, the second the larger one, never train together
_VOCABULARY = 200  # more than there are words and letters


@dataclasses.dataclass(frozen=True)
class Scene:
    """What a caption says.

    Attributes:
        digits: tuple of one or two int: the one on the left, or above, first.
        glows: tuple of as many int, places in `GLOWS`.
        upright: bool. Whether the first of two is above the second.
        backwards: bool. Whether the caption begins with the second of two.
    """

    digits: tuple
    glows: tuple
    upright: bool = False
    backwards: bool = False

    @property
    def caption(self):
        """str, such as "a bright three left of a seven"."""
        names = [_named(*each) for each in zip(self.digits, self.glows, strict=True)]
        if len(names) == 1:
            return names[0]
        if self.backwards:
            relation = "below" if self.upright else "right of"
            return f"{names[1]} {relation} {names[0]}"
        relation = "above" if self.upright else "left of"
        return f"{names[0]} {relation} {names[1]}"

    @property
    def places(self):
        """tuple of `(row, column)`: the upper left pixels of the digits."""
        middle, far = (SIDE - DIGIT) // 2, SIDE - DIGIT
        if len(self.digits) == 1:
            return ((middle, middle),)
        if self.upright:
            return (0, middle), (far, middle)
        return (middle, 0), (middle, far)

    @property
    def is_new(self):
        """bool: whether these two digits never stand like this in training."""
        if len(self.digits) == 1:
            return False
        first, second = self.digits
        return (second - first) % len(WORDS) == _APART


def _named(digit, glow):
    words = [*GLOWS[glow].split(), WORDS[digit]]
    return " ".join(["an" if words[0][0] in "aeiou" else "a", *words])


@functools.cache
def scenes():
    """tuple of every `Scene` that there is."""
    digits, glows = range(len(WORDS)), range(len(GLOWS))
    alone = [
        Scene((digit,), (glow,)) for digit, glow in itertools.product(digits, glows)
    ]
    pairs = [
        Scene((first, second), (one, other), upright, backwards)
        for upright, backwards in itertools.product((False, True), repeat=2)
        for first, second in itertools.product(digits, repeat=2)
        for one, other in itertools.product(glows, repeat=2)
    ]
    return (*alone, *pairs)


def crops(images, index):
    """The digits in pictures of two.

    Args:
        images: array `(N, 16, 16, C)`.
        index: int `(N,)`, places in `scenes()` of pictures with two digits.

    Returns:
        array `(N, 2, 8, 8, C)`, the one on the left, or above, first.
    """
    cut = [
        [image[row : row + DIGIT, column : column + DIGIT] for row, column in places]
        for image, places in zip(
            images, (scenes()[each].places for each in index), strict=True
        )
    ]
    return np.stack(cut)


def captioned_digits(batch_size, seed=0, data_dir=None, *, stand_in=False):
    """Pictures of one or two digits, 16 x 16 grey, with a caption each: embedded.

    A caption says which digits there are, which of two is left of, right of, above or
    below the other, and of some whether they are bright or dim. Training pictures are
    made anew in every step, from the training digits. Held-out pictures show digits
    that never train, in pairs that never train: 180 of them validate and 360 test.

    Args:
        batch_size: see `keras_genai.data.images`; likewise the next two.
        seed: int.
        data_dir: unused.
        stand_in: bool. If `True`, one in 20 of the captions.

    Returns:
        `Splits`. Batches are dicts of `"images"`, float32 `(B, 16, 16, 1)` in [0, 1],
        and `"tokens"`, int32 `(B, 12)`, 0 where nothing is. `held_out` and `test` have
        `"scenes"`, too, int32 `(N,)`: places in `scenes()`.
    """
    found = embedded_images.digits(few=stand_in)
    tokenizer, tokens = _read_captions()
    kept = np.arange(0, len(scenes()), 20 if stand_in else 1)
    is_new = np.array([scenes()[each].is_new for each in kept])
    train, new = _often(kept[~is_new]), kept[is_new]
    held_out = _fixed(found["validation"], new[::2], tokens)
    return Splits(
        DataLoader(
            {"scenes": train},
            batch_size,
            seed=seed,
            transform=_painting(found["train"], tokens),
        ),
        validation_loader(held_out, batch_size),
        tokenizer,
        held_out=held_out,
        test=_fixed(found["test"], new, tokens),
        name="captioned_digits",
        kinds=(Image((SIDE, SIDE, 1)), Text(tokenizer, length=LENGTH)),
    )


@functools.cache
def _read_captions():
    """The tokenizer of all captions, and they in its tokens, int32 `(N, LENGTH)`."""
    captions = [scene.caption for scene in scenes()]
    tokenizer = tokenizers.wordpiece(captions, _VOCABULARY, lowercase=True)
    return tokenizer, Text(tokenizer, length=LENGTH).read(captions)


def _often(index):
    """Scenes of one epoch: those of a single digit are few, and come several times."""
    alone = [each for each in index if len(scenes()[each].digits) == 1]
    return np.concatenate([index, np.repeat(alone, _ALONE - 1)]).astype("int32")


def _painting(arrays, tokens):
    """The loader's function from a batch of scenes to pictures and captions.

    Args:
        arrays: dict of `"images"`, uint8 `(N, 8, 8, 1)`, and `"labels"`, int `(N,)`.
        tokens: int32 `(S, LENGTH)`, of all scenes.
    """
    order = np.argsort(arrays["labels"], kind="stable")
    counts = np.bincount(arrays["labels"], minlength=len(WORDS))
    ranges = np.stack([np.cumsum(counts) - counts, counts], axis=1)
    digits = [scene.digits * (3 - len(scene.digits)) for scene in scenes()]
    glows = [scene.glows * (3 - len(scene.glows)) for scene in scenes()]
    kinds = [scene.upright if len(scene.digits) == 2 else 2 for scene in scenes()]
    with tf.device("CPU:0"):
        sprites = tf.constant(arrays["images"][order])
        ranges, digits, glows, kinds, tokens = (
            tf.constant(table, "int32")
            for table in (ranges, digits, glows, kinds, tokens)
        )

    def digit(index, place, seed):
        own = tf.random.split(seed, 2)
        shape = tf.shape(index)
        row = tf.gather(ranges, tf.gather(digits, index)[:, place])  # (B, 2)
        drawn = tf.random.stateless_uniform(shape, own[0])
        drawn = tf.cast(drawn * tf.cast(row[:, 1], "float32"), "int32")
        image = pictures.to_float(tf.gather(sprites, row[:, 0] + drawn))
        said = tf.gather(glows, index)[:, place]
        coin = tf.random.stateless_uniform(shape, own[1], 1, len(GLOWS), "int32")
        glow = tf.gather(BRIGHTNESS, tf.where(said == 0, coin, said) - 1)
        return image * glow[:, None, None, None]

    def transform(batch, seed):
        index, own = batch["scenes"], tf.random.split(seed, 2)
        first, second = digit(index, 0, own[0]), digit(index, 1, own[1])
        margin = [(SIDE - DIGIT) // 2] * 2
        beside = tf.pad(tf.concat([first, second], 2), [[0, 0], margin, [0, 0], [0, 0]])
        above = tf.pad(tf.concat([first, second], 1), [[0, 0], [0, 0], margin, [0, 0]])
        alone = tf.pad(first, [[0, 0], margin, margin, [0, 0]])
        kind = tf.gather(kinds, index)[:, None, None, None]
        images = tf.where(kind == 0, beside, tf.where(kind == 1, above, alone))
        return {"images": images, "tokens": tf.gather(tokens, index)}

    return transform


def _fixed(arrays, index, tokens):
    """Pictures of scenes, the same ones in every run, as uint8 with their captions."""
    batch = {"scenes": tf.constant(index, "int32")}
    made = _painting(arrays, tokens)(batch, tf.constant([FIXED, 0], "int64"))
    return {
        "images": pictures.to_bytes(made["images"]).numpy(),
        "tokens": made["tokens"].numpy(),
        "scenes": np.asarray(index, "int32"),
    }
