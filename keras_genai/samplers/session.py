"""Runs the compiled loops from the host: buckets, compiled functions, long texts."""

import functools

import numpy as np
import tensorflow as tf

from keras_genai.samplers import beam, loop
from keras_genai.samplers.tokens import NO_LIMIT, Beam


class Session:
    """A batch of texts being written.

    The lengths that decide what is compiled are rounded up: the longest prompt to a
    power of two, `max_length` to a quarter of one. All other numbers are tensors.

    A text that has used all positions of its decoder is read again from the last
    half of them and goes on; the other rows of the batch keep what they see, so that
    a row is the same in any company.

    Args:
        decoder: a `CausalLM`, or what follows the same protocol.
        prompts: list of int32 arrays, each of at least one token and below
            `max_length`. Of one beyond the decoder's context the last half of the
            context is read.
        sampler: `Greedy`, `Sample` or `Beam`.
        max_length: int. Tokens, prompt included.
        stops: set of int. Tokens that end a text.
        seed: int.
        inputs: tuple of tensors, handed to `decoder.initial_cache`: of an encoder the
            tokens, int32 `(B, S)`, and which of them are real, bool `(B, S)`.

    Attributes:
        done: bool array `(B,)`. Rows that have ended; the caller may end more.
    """

    def __init__(self, decoder, prompts, sampler, max_length, stops, seed, inputs=()):
        self.decoder, self.sampler, self.inputs = decoder, sampler, inputs
        self.max_length = max_length
        self.prompt_lengths = np.array([len(prompt) for prompt in prompts], "int32")
        self.lengths = self.prompt_lengths.copy()
        self.done = np.zeros(len(prompts), bool)
        self.tokens = np.zeros((len(prompts), bucket(max_length)), "int32")
        for row, prompt in zip(self.tokens, prompts, strict=True):
            row[: len(prompt)] = prompt
        self.offsets = np.zeros_like(self.lengths)  # where position 0 is in each row
        self._move_windows()
        self._numbers = self._all_numbers(stops, seed)
        self._cache = None

    def advance(self, budget=NO_LIMIT):
        """Appends up to `budget` tokens to every row that has not ended.

        Beam search knows no budget: it writes to the end.
        """
        if isinstance(self.sampler, Beam):
            self._keep(self._start("search"))
            return
        while budget > 0 and not self.done.all():
            before = self.lengths
            self._move_windows()
            if self._cache is None:
                text, self._cache = self._start("prefill")
            else:
                text = self._go_on(budget)
            self._keep(text)
            budget -= int((self.lengths - before).max())

    def generated(self, row):
        """int32 array: the tokens of a row after its prompt."""
        return self.tokens[row, self.prompt_lengths[row] : self.lengths[row]]

    def _all_numbers(self, stops, seed):
        vocabulary_size = self.decoder.vocabulary_size
        mask = np.zeros(vocabulary_size, bool)
        mask[list(stops)] = True
        seed = int(seed) & (2**64 - 1)
        numbers = {
            "sampler": self.sampler.numbers(vocabulary_size),
            "stops": mask,
            "max_length": np.int32(self.max_length),
            "seed": np.array([seed & 0xFFFFFFFF, seed >> 32], "uint32"),
        }
        numbers = tf.nest.map_structure(tf.constant, numbers)
        numbers["source"] = None
        if self.inputs:
            tokens, is_real = self.inputs
            numbers["source"] = tf.where(is_real, tokens, -1)
        return numbers

    def _text(self):
        return loop.Text(
            tf.constant(self.tokens), tf.constant(self.lengths), tf.constant(self.done)
        )

    def _keep(self, text):
        self.tokens, self.lengths, self.done = (np.array(part) for part in text)

    def _move_windows(self):
        """Rows without a position left forget all but the last half of the context."""
        context = self.decoder.context
        if context is None:
            return
        stuck = ~self.done & (self.lengths - self.offsets > context)
        if stuck.any():
            kept = self.lengths - max(1, context // 2)
            self.offsets = np.where(stuck, kept, self.offsets).astype("int32")
            self._cache = None

    def _start(self, name):
        """Calls a function that begins with the windows and an empty cache."""
        used = self.lengths - self.offsets
        free = bucket(self.max_length)
        if self.decoder.context is not None:
            # An ended row may stand beyond its last position.
            used = np.minimum(used, self.decoder.context)
            free = min(free, self.decoder.context)
        size = self._window_size(used.max())
        self._index = tf.constant(size)
        self._shapes = (len(self.done), size, size + free, self.tokens.shape[1])

        places = np.arange(size)[None]
        positions = np.where(places < used[:, None], places, -1).astype("int32")
        columns = np.minimum(self.offsets[:, None] + places, self.tokens.shape[1] - 1)
        window = np.take_along_axis(self.tokens, columns, axis=1)
        window = tf.constant(np.where(positions >= 0, window, 0))
        return self._function(name)(
            (window, tf.constant(positions)), self.inputs, self._text(), self._numbers
        )

    def _window_size(self, longest):
        # What an encoder's decoder begins with is mostly a single token.
        size = max(1 if self.inputs else 16, _power_of_two(longest))
        if self.decoder.context is None:
            return size
        if self.max_length > self.decoder.context:  # the size of the windows to come
            size = max(size, _power_of_two(self.decoder.context // 2))
        return min(size, self.decoder.context)

    def _go_on(self, budget):
        text, self._cache, self._index = self._function("advance")(
            self._text(),
            tf.constant(self.offsets),
            self._cache,
            self._index,
            tf.constant(min(budget, 2**30)),  # index + budget must fit into an int32
            self._numbers,
        )
        return text

    def _function(self, name):
        key = (name, self.sampler.structure, self._shapes)
        return compiled(self.decoder, key, functools.partial(self._build, name))

    def _build(self, name):
        decoder, sampler = self.decoder, self.sampler
        batch, _, slots, _ = self._shapes
        if name == "advance":
            return functools.partial(loop.advance, decoder, sampler)

        run = {"prefill": loop.prefill, "search": beam.search}[name]

        def start(window, inputs, text, numbers):
            cache = decoder.initial_cache(batch, slots, *inputs)
            return run(decoder, sampler, window, cache, text, numbers)

        return start


def compiled(decoder, key, build):
    """The function that `build()` makes, compiled once for a decoder and a key.

    It lives and dies with the decoder: in a plain attribute that Keras neither tracks
    nor saves.
    """
    functions = vars(decoder).get("_compiled_loops")
    if functions is None:
        functions = {}
        object.__setattr__(decoder, "_compiled_loops", functions)
    jit_compile = getattr(decoder, "jit_generate", True)
    if (key, jit_compile) not in functions:
        functions[key, jit_compile] = tf.function(
            build(), jit_compile=jit_compile, autograph=False
        )
    return functions[key, jit_compile]


def _power_of_two(number):
    return 1 << max(0, int(number) - 1).bit_length()


def bucket(number):
    """The next of 16, 20, 24, 28, 32, 40, 48, 56, 64, ...: at most a fifth is lost."""
    quarter = max(4, _power_of_two(number) // 8)
    return max(16, -(-number // quarter) * quarter)
