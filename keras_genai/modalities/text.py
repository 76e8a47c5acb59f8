"""Text: strings, read and written as tokens. Label: classes, which have names."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

from keras_genai.checks import check_integer
from keras_genai.modalities.base import Modality
from keras_genai.modalities.fields import Labels, Tokens
from keras_genai.padding import pad_sequence
from keras_genai.registry import register

WRITING = ("max_length", "temperature", "top_k", "top_p")


class Readable(Modality):
    """What people read: its values are str."""

    suffix = ".txt"
    spoken = True
    noun = "texts"
    options = ("out",)

    def size(self, value):
        return 1

    def said(self, value):
        return value

    def encode(self, value):
        return f"{self.said(value)}\n".encode()


@register
@dataclasses.dataclass(frozen=True)
class Text(Readable):
    """Text in tokens.

    Args:
        tokenizer: `Tokenizer`, or `None` where tokens are handed in.
        vocabulary_size: int or `None` (that of the tokenizer).
        length: int or `None`. Tokens of each text in a batch, 0 where nothing is;
            without, texts are of any length.
        generated: bool. Whether a model writes it token by token.
    """

    tokenizer: Any = None
    vocabulary_size: int | None = None
    length: int | None = None
    generated: bool = False

    key, argument = "tokens", "prompts"
    conditions = ("prompt",)
    null = 0

    def __post_init__(self):
        if self.tokenizer is None:
            return
        if self.vocabulary_size is None:
            size = self.tokenizer.vocabulary_size
            object.__setattr__(self, "vocabulary_size", size)
        if self.length is not None and self.tokenizer.pad_token != 0:
            # Or else a token that means something, unless it is the byte 0.
            first = self.tokenizer.decode([0])
            if first.strip("\0"):
                raise ValueError(
                    "`tokenizer` must have padding for its token 0, for texts of one "
                    f"`length`. Received: {first!r} there"
                )

    @property
    def options(self):
        return (*WRITING, "out") if self.generated else ("out",)

    def speaking(self, tokenizer):
        return dataclasses.replace(self, tokenizer=tokenizer)

    @property
    def sizes(self):
        return {"vocabulary_size": self.vocabulary_size, "text_length": self.length}

    def fits(self, name, size):
        if name == "vocabulary_size":
            return size <= self.vocabulary_size
        return super().fits(name, size)

    @property
    def fields(self):
        return {self.key: Tokens(self.length, self.vocabulary_size)}

    def read(self, value, name=None):
        """Texts as tokens.

        Args:
            value: str, or sequence of str; with a length also int tokens `(N, length)`.
            name: see `Modality`.

        Returns:
            int32 `(N, length)`; without a length a list of int32 arrays.

        Raises:
            ValueError: without a tokenizer, or if a text has too many tokens.
        """
        name = name or "texts"
        texts = [value] if isinstance(value, str) else list(value)
        if self.length is not None and not any(isinstance(text, str) for text in texts):
            tokens = np.asarray(value)
            self.fields[self.key].check(name, tokens)
            return tokens.astype("int32")
        if self.tokenizer is None or not all(isinstance(text, str) for text in texts):
            came = "no tokenizer" if self.tokenizer is None else repr(value)[:80]
            raise ValueError(
                f"`{name}` must be a str, or a list of str, for a model with a "
                f"tokenizer. Received: {came}"
            )
        tokenizer = self.tokenizer.written if self.generated else self.tokenizer
        rows = [np.asarray(row, "int32") for row in tokenizer.encode_batch(texts)]
        if self.length is None:
            return rows
        if self.tokenizer.pad_token == 0 and not all(row.all() for row in rows):
            padding = self.tokenizer.decode([0]) or "padding"
            raise ValueError(
                f"`{name}` must be without {padding!r}, which stands for nothing. "
                f"Received: {texts!r:.60}"
            )
        longest = max((len(row) for row in rows), default=0)
        if longest > self.length:
            raise ValueError(
                f"`{name}` must have at most {self.length} tokens. Received: one of "
                f"{longest}"
            )
        return pad_sequence(rows, length=self.length)

    def wished(self, asked, count):
        return {"prompts": [asked["prompt"]] * count} if "prompt" in asked else {}

    def unit(self, spec):
        inputs = spec[0] if isinstance(spec, tuple) else spec
        own = inputs.get(self.key) if isinstance(inputs, dict) else None
        first = tf.nest.flatten(spec)[0] if own is None else own
        if first.dtype.is_integer and first.shape.rank == 2 and first.shape[1]:
            return "tokens", first.shape[1]
        return super().unit(spec)


@register
@dataclasses.dataclass(frozen=True)
class Label(Readable):
    """One of several classes.

    Args:
        num_classes: int.
        names: tuple of str, or `None` where classes are numbers only.

    Raises:
        TypeError: if `num_classes` is not an int.
        ValueError: if it is below 1, or if there are not as many names.
    """

    num_classes: int
    names: tuple[str, ...] | None = None

    key = "labels"
    conditions = ("label",)

    def __post_init__(self):
        check_integer("num_classes", self.num_classes, 1)
        if self.names is None:
            return
        object.__setattr__(self, "names", tuple(self.names))
        words = [name for name in self.names if isinstance(name, str)]
        if len(words) != len(self.names) or len(words) != self.num_classes:
            raise ValueError(
                f"`names` must be {self.num_classes} str, one for each class. "
                f"Received: {str(self.names)[:80]}"
            )

    @property
    def words(self):
        """tuple of str: the names of all classes, made up where they have none."""
        return self.names or tuple(f"LABEL_{i}" for i in range(self.num_classes))

    @property
    def null(self):
        return self.num_classes

    @property
    def sizes(self):
        return {"num_classes": self.num_classes}

    @property
    def fields(self):
        return {self.key: Labels(self.num_classes)}

    def read(self, value, name=None):
        """Classes, by their numbers or names, as int32 `(N,)`."""
        values = np.ravel(np.asarray(value))
        if self.names is not None and values.dtype.kind == "U":
            values = np.array([self._number(each, name) for each in values])
        self.fields[self.key].check(name or self.key, values)
        return values.astype("int32")

    def rows(self, value, count, name=None):
        """int32 `(count,)`: classes, or one for all. See `Modality`."""
        name, given = name or self.key, np.asarray(value)
        if given.dtype.kind == "U":
            given = self.read(given, name).reshape(given.shape)
        if given.ndim == 0:
            given = np.full((count,), given)
        good = given.dtype.kind in "iu" and given.shape == (count,)
        if not good or given.min() < 0 or given.max() >= self.num_classes:
            raise ValueError(
                f"`{name}` must be an int, or {count} ints, from 0 to "
                f"{self.num_classes - 1}. Received: {name}={value!r}"
            )
        return given.astype("int32")

    def in_turn(self, count):
        return np.arange(count, dtype="int32") % self.num_classes

    def wished(self, asked, count):
        if "label" in asked:
            return {"labels": np.full(count, asked["label"])}
        return {"labels": self.in_turn(count)}

    def _number(self, word, name):
        if word not in self.names:
            raise ValueError(
                f"`{name or self.key}` must be of {', '.join(self.names)}. "
                f"Received: {word}"
            )
        return self.names.index(word)
