"""Modality: what a sample is, how people hand one in, and how they get one back."""

import dataclasses
import io
import pathlib

import numpy as np

from keras_genai import registry
from keras_genai.files.writing import write_bytes


@dataclasses.dataclass(frozen=True)
class Modality:
    """A kind of sample. This one is of arrays of which nothing more is known.

    What people hold is *read* into the arrays of a batch; what a model makes is a
    value, which can be *written* to a file and, in part, *shown*. A task says what its
    samples are in `target`, and what they are made from in `given`; everything that
    trains, logs, samples and saves asks there, and nowhere else. A subclass is a frozen
    dataclass: its fields are its config, which every file of a model holds.

    Attributes:
        key: str. What it is called in a batch.
        suffix: str. Of its files, with the dot.
        suffixes: tuple of str. Of all files that it can write.
        options: tuple of str. What may be asked of samples of this kind, as the
            command line spells it.
        conditions: tuple of str. The same of samples that are made from this kind.
        spoken: bool. Whether a terminal can show all of one.
        noun: str. What people call several of them.
        numbers: int. How many numbers one of them is.
        argument: str. What `generate` and its likes call it, where samples are made
            from it.
        null: int, what a batch has where any sample of this kind may be meant; `None`
            of kinds that cannot be left open.
    """

    key = "samples"
    suffix = ".npy"
    options = ("count", "out")
    conditions = ()
    spoken = False
    noun = "samples"
    numbers = 1
    null = None

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        registry.adopt(cls)

    def get_config(self):
        return {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self)
        }

    def speaking(self, tokenizer):
        """The same in the tokens of a tokenizer, where it is made of tokens."""
        return self

    @property
    def argument(self):
        return self.key

    @property
    def suffixes(self):
        return (self.suffix,)

    @property
    def fields(self):
        """dict of `keras_genai.modalities.fields.Field`: what a batch has of it."""
        return {}

    def read(self, value, name=None):
        """What a person holds, as an array with a row a sample.

        Args:
            value: what there is.
            name: str or `None` (`key`), what errors call it.
        """
        return np.asarray(value)

    def batch(self, rows):
        """What a batch has of what `read` returned: dict of arrays, see `fields`."""
        return {self.key: rows}

    def rows(self, value, count, name=None):
        """What a person holds, a row for each of so many samples; one serves them all.

        Args:
            value: what there is, see `read`.
            count: int.
            name: str or `None` (`argument`), what errors call it.

        Raises:
            ValueError: if there are more or fewer, or as `read` says.
        """
        name = name or self.argument
        array = self.read(value, name)
        if len(array) == 1:
            array = np.repeat(array, count, axis=0)
        if len(array) != count:
            raise ValueError(
                f"`{name}` must be one, or as many as there are samples, {count}. "
                f"Received: {len(array)}"
            )
        return array

    def anything(self, count):
        """Rows that leave open what is meant.

        Raises:
            ValueError: if this kind cannot be left open.
        """
        if self.null is None:
            raise ValueError(f"`{self.argument}` must be given. Received: None")
        field = self.fields[self.key]
        return np.full((count, *field.shape), self.null, field.dtype)

    def in_turn(self, count):
        """Rows for samples of which nobody said what they shall be made from."""
        return self.anything(count)

    def told(self, tensor):
        """What a network is told of a batch of this kind, a tensor in `fields`."""
        return tensor

    def size(self, value):
        """int: how many samples a value holds."""
        return len(value)

    def said(self, value):
        """str: what a terminal can show of a value; empty if it is to be looked at."""
        return ""

    def encode(self, value):
        """bytes: the file of a value."""
        buffer = io.BytesIO()
        np.save(buffer, np.asarray(value), allow_pickle=False)
        return buffer.getvalue()

    def picture(self, value):
        """bytes of a PNG to look at, or `None` where there is nothing to be seen."""
        return None

    def write(self, path, value):
        """Writes a value as a file, whole or not at all.

        Args:
            path: path. Its suffix is this modality's, whatever it was.
            value: what the model made.

        Returns:
            `pathlib.Path` of the file.
        """
        path = pathlib.Path(path).with_suffix(self.suffix)
        write_bytes(path, self.encode(value))
        return path

    def wished(self, asked, count):
        """Arguments of `generate` for samples that are made from this kind.

        Args:
            asked: dict, what a person asked for, by the names in `conditions`.
            count: int, how many samples.
        """
        return {}

    def unit(self, spec):
        """What a batch is counted in, and how many of them a row holds.

        Args:
            spec: nest of `tf.TensorSpec`, of a batch.

        Returns:
            `(name, count)`: str, such as "examples" or "tokens", and int.
        """
        return "examples", 1

    @property
    def sizes(self):
        """dict of arguments of a model that data of this kind decide, by name."""
        return {}

    def fits(self, name, size):
        """bool: whether data whose `sizes` have this one suit a model of this kind."""
        return size == self.sizes[name]


def target_of(model):
    """The `Modality` of what a model makes, of any `keras.Model`."""
    return getattr(model, "target", None) or Modality()
