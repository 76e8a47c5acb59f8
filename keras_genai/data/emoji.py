"""Emoji with captions: Twemoji's pictures, people among them in five skin tones.

What a caption says of a tone can be read from pixels, so that it is measured whether a
model obeys. A pair of a motif and a tone is held out whose motif and whose tone train,
but not together; a few motifs never train.
"""

import numpy as np
import tensorflow as tf

from keras_genai.data import tokenizers
from keras_genai.data.augmentation import Translate
from keras_genai.data.captioned_pictures import source
from keras_genai.data.emoji_sheet import (
    COLOURS,
    SIDE,
    TONES,
    Picture,
    catalogue,
    read_pictures,
)
from keras_genai.data.image_splits import floats, validation_loader
from keras_genai.data.loading import DataLoader, Splits
from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Text

__all__ = [
    "COLOURS",
    "LENGTH",
    "SIDE",
    "TONES",
    "Picture",
    "catalogue",
    "emoji",
    "source",
]

LENGTH = 24  # tokens of a caption
VOCABULARY = 1_000
_SHIFT = Translate(2)


def emoji(
    batch_size,
    seed=0,
    data_dir=None,
    *,
    augment=False,
    stand_in=False,
):
    """Twemoji: 3,786 colour pictures of 32 x 32, each with another caption.

    Of 316 motifs there are five skin tones. 32 of them never train: 11 validate and 21
    test. Of each other motif one tone tests, and of every third another one validates.
    Where these lie the hash of a motif's name decides, so that it is the same in every
    run. All else trains, pictures of two people in two tones included; those of them
    whose motif is new are in no part.

    Args:
        batch_size: see `keras_genai.data.images`; likewise the next.
        seed: int.
        data_dir: path of the folder `twemoji`, or of one that has it: clean32.png and
            emoji.json of the npm package emoji-datasource-twitter 16.0.0.
        augment: bool. If `True`, training pictures are moved by up to two pixels.
        stand_in: bool. If `True`, 48 pictures that are drawn here: shapes in the tones.

    Returns:
        `Splits`. Batches are dicts of `"images"`, float32 `(B, 32, 32, 3)` in [0, 1],
        on white, and `"tokens"`, int32 `(B, 24)`, 0 where nothing is. `held_out` and
        `test` also have `"rows"`, int32 `(N,)`, places in `catalogue`; and what these
        say: `"captions"`, str `(N,)`; `"tones"`, int32 `(N,)`, -1 for none; and
        `"new_motifs"`, bool `(N,)`.

    Raises:
        FileNotFoundError: if the files are not there.
        OSError: if the sheet is no picture.
        ValueError: if the files do not belong together.

    Reference: https://github.com/twitter/twemoji; the graphics are of Twitter, Inc. and
        other contributors, CC BY 4.0; the sheet is of https://github.com/iamcal/emoji-data
    """
    pictures = catalogue(data_dir, stand_in)
    images = read_pictures(data_dir, stand_in)
    parts = np.array([picture.part for picture in pictures])
    captions = np.array([picture.caption for picture in pictures])
    tokenizer = tokenizers.wordpiece(
        captions[parts == "train"].tolist(), VOCABULARY, lowercase=True
    )
    text = Text(tokenizer, length=LENGTH)
    tokens = text.read(captions.tolist())

    def part(name):
        rows = np.flatnonzero(parts == name)
        chosen = [pictures[row] for row in rows]
        return {
            "images": images[rows],
            "tokens": tokens[rows],
            "rows": rows.astype("int32"),
            "captions": captions[rows],
            "tones": np.array([picture.tone for picture in chosen], "int32"),
            "new_motifs": np.array([picture.is_new_motif for picture in chosen]),
        }

    train, held_out = _batched(part("train")), part("validation")
    return Splits(
        DataLoader(
            train, batch_size, seed=seed, transform=_moved if augment else floats
        ),
        validation_loader(_batched(held_out), batch_size),
        tokenizer,
        held_out=held_out,
        test=part("test"),
        name="emoji",
        kinds=(Image((SIDE, SIDE, 3)), text),
    )


def _batched(arrays):
    return {key: arrays[key] for key in ("images", "tokens")}


def _moved(batch, seed):
    batch = floats(batch)
    # What comes in from outside is white: of the negative it is black.
    return {
        **batch,
        "images": 1.0 - _SHIFT(1.0 - batch["images"], tf.cast(seed, "int64")),
    }
