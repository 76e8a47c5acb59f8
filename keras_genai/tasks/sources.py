"""What tasks read that is no text: sounds, pictures; how several go through them."""

import os

import numpy as np
import tensorflow as tf

from keras_genai.data import pictures
from keras_genai.data.arguments import check_count
from keras_genai.files.paths import as_path
from keras_genai.modalities.image import Image
from keras_genai.padding import pad_sequence
from keras_genai.samplers.session import bucket

BATCH = 16  # sounds or pictures that are read at once


class Sources:
    """What stands for `keras_genai.samplers.text.Prompts` where no text is read.

    Args:
        kind: `Modality` whose samples are float `(S, ...)`.
        value: what a person has: what `kind.read` takes, or a list of such samples.
        tokenizer: `Tokenizer` or `None`. With one, results are str.
        name: str, what errors call the value.

    Attributes:
        rows: list of float arrays `(S, ...)`.
        texts: bool or `None` if results are tokens.
        single: bool. Whether there was one, outside of a list.
        count: int, how many there are.

    Raises:
        ValueError: if there are none.
    """

    def __init__(self, kind, value, tokenizer=None, name="inputs"):
        self.single = is_one(value, len(kind.shape) if is_picture(kind) else 1)
        self.rows = _read(kind, value, name)
        self.count = len(self.rows)
        self.texts = None if tokenizer is None else True


def is_picture(kind):
    """Whether a modality is of pictures."""
    return isinstance(kind, Image)


def _read(kind, value, name):
    field = kind.fields[kind.key]
    is_read = isinstance(value, list) and all(
        np.ndim(row) == len(field.shape) and np.ndim(row) > 1 for row in value
    )
    if hasattr(value, "__len__") and not len(value) and not isinstance(value, str):
        raise ValueError(f"`{name}` must be at least one. Received: none")
    if is_picture(kind):
        return list(_pictures(kind, value, name))
    if not is_read:
        return list(kind.read(value, name))
    for row in value:
        field.check(name, np.asarray(row)[None])
    return value


def _pictures(kind, value, name):
    """float32 `(N, H, W, C)`; files and pictures of PIL may be of any size."""
    if not isinstance(value, list | tuple) and not _is_file(value):
        return kind.read(value, name)
    values = value if isinstance(value, list | tuple) else [value]
    rows = [_picture(kind, each, name) if _is_file(each) else each for each in values]
    return np.concatenate([kind.read(row, name) for row in rows])


def _is_file(value):
    return isinstance(value, str | os.PathLike) or hasattr(value, "getexif")


def _picture(kind, value, name):
    """uint8 `(H, W, C)`: a file, or a picture of PIL, cropped and resized, on white."""
    *size, channels = kind.shape
    if hasattr(value, "getexif"):
        value = np.asarray(value.convert("RGBA"))
        picture = pictures.resize(pictures.set_channels(value, 3), size)
    else:
        try:
            picture = pictures.read_one(as_path(value, name), size)
        except OSError as error:
            raise OSError(f"`{name}` cannot be read: {value}: {error}") from None
    return pictures.set_channels(picture, channels).numpy()


def is_one(value, dimensions=1):
    """Whether a person handed in one sample, and not several.

    Args:
        value: a path, or a picture of PIL; or an array, or a list of several.
        dimensions: int, of the array of a single sample.
    """
    return _is_file(value) or (
        not isinstance(value, list | tuple) and np.ndim(value) == dimensions
    )


def as_batch(rows, most=None, length=None):
    """Sequences as what an encoder reads.

    Args:
        rows: list of arrays `(S, ...)`, int tokens or float.
        most: int or `None`. The longest that there may be.
        length: int or `None`. S, where all are as long, as pictures are.

    Returns:
        `(values, is_real)`: int32 or float32 `(B, S, ...)`, and bool `(B, S)`; S is one
        of a few lengths.
    """
    lengths = np.array([len(row) for row in rows])
    if length is None:
        length = bucket(int(lengths.max()), least=16)
        length = length if most is None else min(length, most)
    dtype = "float32" if np.asarray(rows[0]).dtype.kind == "f" else "int32"
    values = pad_sequence([np.asarray(row, dtype) for row in rows], length=length)
    is_real = np.arange(length) < lengths[:, None]
    return tf.constant(values), tf.constant(is_real)


def transcribed(kind, sounds, write, batch_size=BATCH, name="sounds"):
    """What is said in sounds, or seen in pictures, those of similar length together.

    Args:
        kind: `Modality` of the sounds.
        sounds: what `kind.read` takes; pictures of files may be of any size.
        write: function of a list of arrays `(S, ...)` that returns as many texts.
        batch_size: int.
        name: str, what errors call the sounds.

    Returns:
        A text, or a list of them if there were several sounds, in their order.

    Raises:
        ValueError: if there are no sounds, or one cannot be read.
    """
    check_count("batch_size", batch_size)
    source = Sources(kind, sounds, name=name)
    order = sorted(range(source.count), key=lambda index: len(source.rows[index]))
    found = [None] * source.count
    for first in range(0, len(order), batch_size):
        chosen = order[first : first + batch_size]
        texts = write([source.rows[index] for index in chosen])
        for index, text in zip(chosen, texts, strict=True):
            found[index] = text
    return found[0] if source.single else found
