"""Furniture made of points, with captions that can be counted: embedded, made by rules.

A caption says what a piece is, how many legs or boards it has, and may say its shape
and whether it is low or tall. Pieces are made anew in every step; some kinds never
train, so that it is measured whether a model composes.
"""

import dataclasses
import functools
import itertools

import numpy as np
import tensorflow as tf

from keras_genai.checks import check_size
from keras_genai.data import tokenizers
from keras_genai.data.furniture_parts import assemble
from keras_genai.data.image_splits import FIXED
from keras_genai.data.loading import DataLoader, Splits
from keras_genai.modalities.points import Points
from keras_genai.modalities.text import Label, Text

KINDS = ("table", "stool", "chair", "bench", "shelf", "lamp")
SHAPES = ("", "round", "square", "long")
LENGTH = 16  # tokens of a caption; those here have up to twelve
_NUMBERS = ("", "one", "two", "three", "four", "five", "six")
_VOCABULARY = 200  # more than there are words and letters
_EACH = {"validation": 6, "test": 10}  # pieces of each caption
_CHUNK = 64  # pieces made at once


@dataclasses.dataclass(frozen=True, order=True)
class Design:
    """A piece of furniture but for its sizes.

    Attributes:
        kind: str, one of `KINDS`.
        shape: str of `SHAPES`: of the top, the seat or the shade; `""` where there is
            but one.
        count: int. Boards of a shelf, legs of anything else.
        back: bool.
        arms: bool.
        tall: bool. If `False`, it is low.
    """

    kind: str
    shape: str
    count: int
    back: bool = False
    arms: bool = False
    tall: bool = False

    def caption(self, shape=True, height=True):
        """What is said of it, such as "a tall round table with three legs".

        Args:
            shape: bool. Whether its shape is said; of what is long it always is.
            height: bool. Whether it is said that it is low or tall.
        """
        size = ("tall" if self.tall else "low") if height else ""
        form = self.shape if shape or self.shape == "long" else ""
        noun = "board" if self.kind == "shelf" else "leg"
        parts = [f"{_NUMBERS[self.count]} {noun}{'s' * (self.count > 1)}"]
        parts += ["a back"] * self.back + ["arms"] * self.arms
        if self.kind == "lamp":
            parts.append(" ".join(filter(None, ["a", form, "shade"])))
            form = ""
        words = " ".join(filter(None, ["a", size, form, self.kind]))
        return f"{words} with {_listed(parts)}"

    @property
    def captions(self):
        """tuple of str: all that may be said of it."""
        said = itertools.product((True, False), repeat=2)
        return tuple(sorted({self.caption(*each) for each in said}))

    @property
    def is_new(self):
        """bool: whether nothing like it trains, be it low or tall."""
        return dataclasses.replace(self, tall=False) in _NEW

    @property
    def part(self):
        """str: "train", "validation" or "test"."""
        low = dataclasses.replace(self, tall=False)
        if low in _NEW:
            return _NEW[low]
        form = SHAPES.index(self.shape) + self.back + self.arms
        mixed = self.count + form + KINDS.index(self.kind)
        if mixed % 3 or self.tall != (self.count % 2 == 0):
            return "train"
        return "test" if mixed % 2 else "validation"


# Of each, its kind trains with as many legs and with its shape, but not with both.
_NEW = {
    Design("table", "square", 5): "test",
    Design("stool", "round", 4): "test",
    Design("chair", "square", 3, back=True, arms=True): "test",
    Design("chair", "round", 6, back=True): "test",
    Design("lamp", "square", 3): "test",
    Design("shelf", "", 4, back=True): "test",
    Design("table", "round", 6): "validation",
    Design("stool", "square", 3): "validation",
    Design("chair", "round", 5, back=True): "validation",
    Design("lamp", "round", 4): "validation",
    Design("shelf", "", 3): "validation",
}


def _listed(parts):
    """str such as "four legs, a back and arms"."""
    if len(parts) == 1:
        return parts[0]
    return f"{', '.join(parts[:-1])} and {parts[-1]}"


@functools.cache
def designs():
    """tuple of every `Design` that there is."""
    forms = SHAPES[1:3]
    lows = [
        *(Design("table", form, n) for form in forms for n in (1, 3, 4, 5, 6)),
        *(Design("table", "long", n) for n in (4, 6)),
        *(Design("stool", form, n) for form in forms for n in (1, 3, 4, 5)),
        *(
            Design("chair", form, n, back=True, arms=arms)
            for form in forms
            for n in (3, 4, 5, 6)
            for arms in (False, True)
        ),
        *(Design("bench", "", n, back=back) for n in (4, 6) for back in (False, True)),
        *(
            Design("shelf", "", n, back=back)
            for n in (2, 3, 4, 5)
            for back in (False, True)
        ),
        *(Design("lamp", form, n) for form in forms for n in (1, 3, 4, 5)),
    ]
    return tuple(
        dataclasses.replace(low, tall=tall) for low in lows for tall in (False, True)
    )


def furniture(batch_size, seed=0, data_dir=None, *, points=512, stand_in=False):
    """Tables, stools, chairs, benches, shelves and lamps of points, with captions.

    Training pieces are made anew in every step: sizes, and points on the surfaces. Of
    the 112 designs, 77 train, each under all captions that fit it. 22 more never train,
    whether low or tall, and of others one height does not: 15 designs validate and 20
    test, six and ten pieces of each. Captions of these say everything.

    Args:
        batch_size: see `keras_genai.data.images`; likewise the next two.
        seed: int.
        data_dir: unused.
        points: int, on each piece.
        stand_in: bool. If `True`, few designs, of 48 points.

    Returns:
        `Splits`. Batches are dicts of `"points"`, float32 `(B, points, 3)` in [0, 1]:
        right, back and up, where the floor is 0; `"tokens"`, int32 `(B, 16)`, 0 where
        nothing is; and `"labels"`, int32 `(B,)`, places in `KINDS`. `held_out` and
        `test` also have `"designs"`, int32 `(N,)`, places in `designs()`, and
        `"captions"`, str `(N,)`.

    Raises:
        TypeError: if `points` is not an int.
        ValueError: if it is out of range.
    """
    check_size("points", points)
    points = 48 if stand_in else points
    tokenizer, said, tokens = _read_captions()
    every = designs()
    kept = range(0, len(every), 3) if stand_in else range(len(every))
    parts = {
        part: [place for place in kept if every[place].part == part]
        for part in ("train", "validation", "test")
    }
    pairs = [
        (place, said[caption])
        for place in parts["train"]
        for caption in every[place].captions
    ]
    chosen, captions = np.array(pairs, "int32").T
    held_out, test = (
        _fixed(parts[part], 1 if stand_in else _EACH[part], points, said, tokens)
        for part in ("validation", "test")
    )
    return Splits(
        DataLoader(
            {"designs": chosen, "captions": captions},
            batch_size,
            seed=seed,
            transform=_making(points, tokens),
        ),
        _validation_loader(held_out, batch_size),
        tokenizer,
        held_out=held_out,
        test=test,
        name="furniture",
        kinds=(
            Points(points),
            Text(tokenizer, length=LENGTH),
            Label(len(KINDS), KINDS),
        ),
    )


def pieces(places, points=512, seed=0):
    """Pieces of furniture of given designs, with sizes of their own.

    Args:
        places: int `(N,)`, places in `designs()`.
        points: int, P, on each.
        seed: int.

    Returns:
        float32 `(N, P, 3)` in [0, 1].
    """
    made = []
    for number, first in enumerate(range(0, len(places), _CHUNK)):
        some = tf.constant(places[first : first + _CHUNK], "int32")
        made.append(_made(some, points, tf.constant([seed, number], "int64")).numpy())
    return np.concatenate(made)


@functools.cache
def _read_captions():
    """Tokenizer, dict of a caption's place, and all in tokens, int32 `(N, LENGTH)`."""
    captions = sorted({caption for each in designs() for caption in each.captions})
    tokenizer = tokenizers.wordpiece(captions, _VOCABULARY, lowercase=True)
    places = {caption: place for place, caption in enumerate(captions)}
    return tokenizer, places, Text(tokenizer, length=LENGTH).read(captions)


@functools.cache
def _columns():
    """dict of arrays with a row a design: what `assemble` is told."""
    every = designs()
    return {
        "kind": np.array([KINDS.index(each.kind) for each in every], "int32"),
        "shape": np.array([SHAPES.index(each.shape) for each in every], "int32"),
        "count": np.array([each.count for each in every], "int32"),
        "back": np.array([each.back for each in every]),
        "arms": np.array([each.arms for each in every]),
        "tall": np.array([each.tall for each in every]),
    }


def _made(places, points, seed):
    with tf.device("CPU:0"):
        said = {key: tf.gather(column, places) for key, column in _columns().items()}
    made = _assembling(points)(said, seed)
    return tf.ensure_shape(made, (*places.shape, points, 3))


@functools.cache
def _assembling(points):
    """`assemble` of so many points, traced once in a process."""
    signature = {
        key: tf.TensorSpec((None,), column.dtype) for key, column in _columns().items()
    }
    return tf.function(
        lambda said, seed: assemble(said, points, seed),
        input_signature=[signature, tf.TensorSpec((2,), "int64")],
        autograph=False,
    )


def _making(points, tokens):
    """The loader's function from a batch of designs and captions to what they are."""
    with tf.device("CPU:0"):
        tokens = tf.constant(tokens)
        kinds = tf.constant(_columns()["kind"])

    def transform(batch, seed):
        return {
            "points": _made(batch["designs"], points, seed),
            "tokens": tf.gather(tokens, batch["captions"]),
            "labels": tf.gather(kinds, batch["designs"]),
        }

    return transform


def _fixed(places, each, points, said, tokens):
    """Pieces of designs, the same ones in every run, under all that is said of them."""
    places = np.repeat(np.array(places, "int32"), each)
    captions = [designs()[place].caption() for place in places]
    return {
        "points": pieces(places, points, FIXED),
        "tokens": tokens[[said[caption] for caption in captions]],
        "labels": _columns()["kind"][places],
        "designs": places,
        "captions": np.array(captions),
    }


def _validation_loader(arrays, batch_size):
    """Batches in the data's order, all of one size. See `image_splits`."""
    count = len(arrays["points"])
    kept = {key: arrays[key] for key in ("points", "tokens", "labels")}
    size = count // -(-count // batch_size)
    return DataLoader(kept, size, shuffle=False, drop_remainder=True)
