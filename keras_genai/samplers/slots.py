"""Rows of texts that come and go while others are written: continuous batching.

All rows write their next key and value to the same slot of the cache, whose number
goes round: the cache is a ring. A text that joins is read alone first, into a draft,
and put where it would be had it been written along with the others. Attention looks at
the positions that are stored with the keys, not at slots, so that nothing else is
needed; and a ring as long as the longest text is never overrun.

The last token of a prompt is not read with the others: the first step does that, as
every step reads the last token of each row.

What lives long is in variables, which a program that XLA compiles changes in place.
"""

import functools
from typing import Any

import numpy as np
import tensorflow as tf

from keras_genai import draws
from keras_genai.samplers import slot_programs
from keras_genai.samplers.prefixes import Prefixes
from keras_genai.samplers.ring import Layout, moved
from keras_genai.samplers.row_sampler import neutral, row_numbers
from keras_genai.samplers.session import compiled
from keras_genai.samplers.slot_programs import MOST_ENDS, STEP, Rows, Said

CHUNKS = (16, 32, 64, 128, 256)  # tokens of a prompt that are read at once


class Slots:
    """Rows of a cache in which texts are written, each as if it were alone.

    Args:
        decoder: `CausalLM`, `Seq2SeqLM` or what follows the same protocol.
        length: int. Most tokens of a text.
        rules: tuple of rules that all rows have, before those of their samplers.
        ends: set of int. The tokens that `rules` know as ends of a text.
        sources: `None`, or int: most tokens that an encoder reads.
        prefix_bytes: int. Bytes that are kept of texts, for others that begin with the
            same tokens. What an encoder reads is never used again.

    Attributes:
        rows, ring: int. Texts and slots that there are now; 0 before `resize`.
        draft_slots: int. Slots of the text that is being read.
        text: `Rows` of NumPy arrays.
    """

    def __init__(
        self, decoder, length, rules=(), ends=(), sources=None, prefix_bytes=0
    ):
        self.decoder, self.length, self.sources = decoder, length, sources
        self.rules = tuple(rules)
        size = decoder.vocabulary_size
        numbers = tuple(rule.numbers(size) for rule in self.rules)
        self._rule_numbers = tf.nest.map_structure(tf.constant, numbers)
        self._ends = tf.constant(np.isin(np.arange(size), list(ends)))
        longest = max(CHUNKS)
        short = [chunk for chunk in CHUNKS if chunk >= min(length, longest)]
        self.draft_slots = short[0] if length <= longest else -(-length // 256) * 256
        self._layout = Layout.of(decoder, self.draft_slots, sources)
        self.rows = self.ring = self._index = 0
        self._cache: list = []
        self._programs: dict = {}
        self._draft = self._variables(1, self.draft_slots)
        self._prompt: Any = None
        self._prefixes = None
        if prefix_bytes and not sources:
            has_state = None in self._layout.slot_axes
            self._prefixes = Prefixes(prefix_bytes, only_whole=has_state)

    # What is there.

    def nbytes(self, rows, ring):
        """int: bytes of the keys, values and states of so many rows and slots."""
        return self._layout.nbytes(rows, ring, self.sources)

    @property
    def draft_bytes(self):
        """int: bytes of those of the text that is being read."""
        return self.nbytes(1, self.draft_slots)

    def can_have(self, ring):
        """bool: whether there may be so many slots, and it makes a difference."""
        if set(self._layout.slot_axes) == {None}:
            return False
        return self._layout.is_kept(self.decoder, ring, self.sources)

    def resize(self, rows, ring, kept=()):
        """Makes the cache larger or smaller.

        Args:
            rows: int. Texts at once.
            ring: int. Slots, at least as many as the longest text will have tokens.
            kept: sequence of int. The rows that stay, as the first ones.
        """
        taken = np.zeros(rows, "int32")
        taken[: len(kept)] = kept
        if not kept:
            self._cache = []
            self._cache = self._variables(rows, ring)
        else:
            for place, axis in enumerate(self._layout.slot_axes):
                # One after the other: there is never all of it twice. And not compiled,
                # or each pair of sizes would be.
                part = moved(self._cache[place], taken, -self._index, axis, ring)
                self._cache[place] = tf.Variable(part, trainable=False)
                del part
        self._index = 0
        text, numbers = self._blank(rows, ring)
        for new, old in zip(text, getattr(self, "text", text), strict=True):
            width = min(new.shape[-1], old.shape[-1]) if new.ndim > 1 else None
            for row, before in enumerate(kept):
                if width is None:
                    new[row] = old[before]
                else:
                    new[row, :width] = old[before, :width]
        for name, new in numbers.items():
            for row, before in enumerate(kept):
                new[row] = self._numbers[name][before]
        self.rows, self.ring = rows, ring
        self._late = np.zeros(rows, "int32")  # steps since a row was done
        self.text, self._numbers, self._sent = text, numbers, None

    # Joining.

    def begin(self, prompt, inputs=()):
        """Begins to read a text that is to join. There may be one at a time.

        Args:
            prompt: int32 array. What it is written behind.
            inputs: tuple of tensors `(1, ...)`, what an encoder reads.

        Returns:
            int: tokens of it that are known from before.
        """
        self._prompt, self._read = np.asarray(prompt, "int32"), 0
        self._source = np.full(self.sources or 0, -1, "int32")
        if inputs:
            real = np.asarray(inputs[1])[0]
            self._source[: len(real)] = np.where(real, np.asarray(inputs[0])[0], -1)
        shapes = tuple(tuple(each.shape) for each in inputs)
        run = self._function("begin", *shapes, build=self._build(slot_programs.begin))
        run(self._draft, inputs)
        if self._prefixes is not None:
            prefix, self._read = self._prefixes.find(self._prompt[:-1])
            if self.draft_slots - self._read < CHUNKS[0]:  # no room to read the rest
                self._read = 0
            elif prefix is not None:
                self._load(prefix)
        return self._read

    def read(self):
        """Reads some more tokens of that text.

        Returns:
            bool: whether all are read, so that it may be put into a row.
        """
        left = len(self._prompt) - 1 - self._read
        if left > 0:
            room = self.draft_slots - self._read
            sizes = [size for size in CHUNKS if size <= room] or CHUNKS[:1]
            size = next((size for size in sizes if size >= left), sizes[-1])
            count = min(size, left)
            tokens = np.zeros((1, size), "int32")
            tokens[0, :count] = self._prompt[self._read : self._read + count]
            places = np.arange(size)[None]
            positions = np.where(places < count, self._read + places, -1)
            run = self._function("read", size, build=self._build(slot_programs.read))
            run(
                self._draft,
                tf.constant(tokens),
                tf.constant(positions.astype("int32")),
                tf.constant(self._read),
            )
            self._read += count
        return self._read >= len(self._prompt) - 1

    def insert(self, row, sampler, max_length, ends, seed, wanted=-1):
        """Lets the text that has been read be written in a row.

        Args:
            row: int, one that is free.
            sampler: `Greedy` or `Sample`, see `row_numbers`.
            max_length: int. Tokens at most, prompt included.
            ends: set of int, tokens that end it.
            seed: int.
            wanted: int. How many of the likeliest tokens are said; -1: nothing.
        """
        self._fill(row, row_numbers(sampler, self.decoder.vocabulary_size))
        length = len(self._prompt)
        text = self.text
        text.tokens[row] = 0
        text.tokens[row, :length] = self._prompt
        text.lengths[row], text.max_lengths[row] = length, max_length
        text.ends[row] = -1
        text.ends[row, : len(ends)] = sorted(ends)
        text.seeds[row], text.wanted[row] = draws.key(seed), wanted
        text.source[row], text.done[row] = self._source, False
        self._late[row] = 0
        sizes = self.rows, self.ring
        run = self._function("insert", *sizes, build=self._build(slot_programs.insert))
        numbers = map(tf.constant, (row, self._index, length - 1))
        run(self._cache, self._draft, *numbers)
        if self._prefixes is not None:
            parts = [part.value() for part in self._draft]
            self._keep(self._prompt[:-1], lambda: parts)
        self._prompt = None

    def free(self, row, keep=False):
        """Ends what is written in a row.

        Args:
            row: int.
            keep: bool. Whether its text may be of use for others that begin with it.
        """
        if keep and self._prefixes is not None:
            length = int(self.text.lengths[row]) - 1  # the last token was never read
            sizes = self.rows, self.ring
            run = self._function("take", *sizes, build=self._build(slot_programs.take))
            index = (self._index - int(self._late[row])) % self.ring
            numbers = map(tf.constant, (row, index, length))
            tokens = self.text.tokens[row, :length].copy()
            self._keep(tokens, lambda: run(self._cache, *numbers))
        self.text.done[row] = True
        self.text.wanted[row] = -1
        self._fill(row, neutral(self.decoder.vocabulary_size))

    def forget(self):
        """Forgets the texts that are kept for others."""
        if self._prefixes is not None:
            self._prefixes.clear()

    # Writing.

    def step(self, budget=STEP):
        """Writes up to `budget` tokens, at most `STEP`, to every row that is not done.

        Returns:
            `Said`, of NumPy arrays, or `None` if nobody wants it.
        """
        sizes = self.rows, self.ring
        run = self._function("step", *sizes, build=self._build(slot_programs.step))
        tokens, lengths, done, index, said = run(
            self._cache,
            tf.nest.map_structure(tf.constant, self.text),
            self._sent_numbers(),
            (self._ends, self._rule_numbers),
            tf.constant(self._index),
            tf.constant(min(budget, STEP)),
        )
        steps = (int(index) - self._index) % self.ring
        self._late += steps - (np.array(lengths) - self.text.lengths)
        self._index = int(index)
        self.text = self.text._replace(
            tokens=np.array(tokens), lengths=np.array(lengths), done=np.array(done)
        )
        wanted = (self.text.wanted >= 0).any()
        return Said(*(np.asarray(part) for part in said)) if wanted else None

    def written(self, row, begin):
        """int32 array: the tokens of a row from place `begin` on."""
        return self.text.tokens[row, begin : self.text.lengths[row]].copy()

    def _function(self, name, *sizes, build):
        """A compiled program, which knows nothing of this object."""
        rules = tuple(type(rule) for rule in self.rules)
        key = ("slots", name, self.draft_slots, self.sources, rules, *sizes)
        if key not in self._programs:  # kept, so that nobody else's pushes it out
            self._programs[key] = compiled(self.decoder, key, build)
        return self._programs[key]

    def _build(self, program):
        """What makes a program for the sizes that there are now."""
        shape = slot_programs.Shape(
            self.decoder, self._layout, self.draft_slots, self.sources, self.ring
        )
        if program is slot_programs.step:
            return functools.partial(functools.partial, program, shape, self.rules)
        return functools.partial(functools.partial, program, shape)

    # Rows on the host.

    def _variables(self, rows, ring):
        specs = self._layout.specs(rows, ring, self.sources)
        return [tf.Variable(tf.zeros(s.shape, s.dtype), trainable=False) for s in specs]

    def _blank(self, rows, ring):
        """Rows that are free, and their numbers."""
        size = self.decoder.vocabulary_size
        text = Rows(
            tokens=np.zeros((rows, ring), "int32"),
            lengths=np.ones(rows, "int32"),
            done=np.ones(rows, bool),
            max_lengths=np.ones(rows, "int32"),
            ends=np.full((rows, MOST_ENDS), -1, "int32"),
            seeds=np.zeros((rows, 2), "uint32"),
            wanted=np.full(rows, -1, "int32"),
            source=np.full((rows, self.sources or 0), -1, "int32"),
        )
        numbers = {
            name: np.repeat(number[None], rows, axis=0)
            for name, number in neutral(size).items()
        }
        return text, numbers

    def _keep(self, tokens, parts):
        """Keeps the first slots of what `parts()` returns, a cache of one row."""

        def cut():
            axes = self._layout.slot_axes
            return [
                np.array(_first(np.asarray(part), axis, len(tokens)))
                for part, axis in zip(parts(), axes, strict=True)
            ]

        self._prefixes.keep(tokens, cut)

    def _load(self, prefix):
        """Puts the known tokens of a prefix, `_read` of them, into the draft."""
        axes = self._layout.slot_axes
        for variable, part, axis in zip(self._draft, prefix.parts, axes, strict=True):
            if axis is None:
                variable.assign(part)
                continue
            whole = np.zeros(variable.shape, part.dtype)
            if part.dtype.kind in "iu":
                whole -= 1
            known = _first(part, axis, self._read)
            _first(whole, axis, self._read)[...] = known
            variable.assign(whole)

    def _fill(self, row, numbers):
        for name, number in numbers.items():
            self._numbers[name][row] = number
        self._sent = None

    def _sent_numbers(self):
        """The rows' numbers as tensors, sent anew only if there are others."""
        if self._sent is None:
            self._sent = {n: tf.constant(array) for n, array in self._numbers.items()}
        return self._sent


def _first(part, axis, count):
    """The first places of an axis of an array, all of it without one."""
    if axis is None:
        return part
    return part[(slice(None),) * axis + (slice(count),)]
