"""Runs the compiled loops from the host: buckets, compiled functions, long texts."""

import collections
import functools

import numpy as np
import tensorflow as tf

from keras_genai import draws
from keras_genai.samplers import beam, loop
from keras_genai.samplers.tokens import NO_LIMIT, Beam

MOST_FUNCTIONS = 64  # of one model; XLA keeps what it compiled even if we do not
LEAST_SLOTS = 64  # a shorter cache is not faster, but one more shape
MOST_TOKENS = 2**28  # of all rows together: 1 GiB


class Session:
    """A batch of texts being written.

    The sizes that decide what is compiled are rounded up: the longest prompt to a power
    of two, the number of rows and all that is read and written to a half of one. All
    other numbers are tensors. Rows too many are copies of the first one, ended at once.

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
        copies: int. Texts of each prompt, next to each other; it is read once for all.

    Attributes:
        done: bool array of at least B. Rows that have ended; the caller may end more.

    Raises:
        ValueError: if all rows of `max_length` tokens are more than fit into memory.
    """

    def __init__(
        self, decoder, prompts, sampler, max_length, stops, seed, inputs=(), copies=1
    ):
        rows = len(prompts) * getattr(sampler, "width", 1) * copies
        if max_length > MOST_TOKENS // rows:
            raise ValueError(
                f"`max_length` must be an int <= {MOST_TOKENS // rows} for {rows} "
                f"texts at once. Received: {max_length=}"
            )
        self.decoder, self.sampler = decoder, sampler
        self.max_length = max_length
        rows = np.arange(bucket(len(prompts)))
        is_copy = rows >= len(prompts)
        rows = np.where(is_copy, 0, rows)
        self.inputs = tuple(tf.gather(each, rows) for each in inputs)
        self._copies = copies
        prompts = [prompts[row] for row in np.repeat(rows, copies)]
        is_copy = np.repeat(is_copy, copies)
        self.prompt_lengths = np.array([len(prompt) for prompt in prompts], "int32")
        self.lengths = self.prompt_lengths.copy()
        self.done = is_copy
        self.tokens = np.zeros((len(prompts), self._width()), "int32")
        for row, prompt in zip(self.tokens, prompts, strict=True):
            row[: len(prompt)] = prompt
        self.offsets = np.zeros_like(self.lengths)  # where position 0 is in each row
        self._move_windows()
        self._numbers = self._all_numbers(stops, seed)
        self._cache, self._slots = None, 0

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
        numbers = {
            "sampler": self.sampler.numbers(vocabulary_size),
            "stops": mask,
            "max_length": np.int32(self.max_length),
            "seed": draws.key(seed),
        }
        numbers = tf.nest.map_structure(tf.constant, numbers)
        numbers["source"] = None
        if self.inputs and self.inputs[0].dtype.is_integer:  # not a sound
            tokens, is_real = (tf.repeat(each, self._copies, 0) for each in self.inputs)
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
        if self.decoder.context is not None:
            # An ended row may stand beyond its last position.
            used = np.minimum(used, self.decoder.context)
        size = self._window_size(used.max())
        self._index = tf.constant(size)
        # The last window needs fewer, but another number would be compiled anew.
        self._slots = max(self._slots, self._slots_after(size))

        places = np.arange(size)[None]
        positions = np.where(places < used[:, None], places, -1).astype("int32")
        columns = np.minimum(self.offsets[:, None] + places, self.tokens.shape[1] - 1)
        window = np.take_along_axis(self.tokens, columns, axis=1)
        window = np.where(positions >= 0, window, 0)
        window = tuple(
            tf.constant(part[:: self._copies]) for part in (window, positions)
        )
        found = self._function(name, size)(
            window, self.inputs, self._text(), self._numbers
        )
        self._part()
        return found

    def _part(self):
        """Texts of one prompt differ from now on, and are read by themselves."""
        self.inputs = tuple(tf.repeat(each, self._copies, 0) for each in self.inputs)
        self._copies = 1

    def _width(self):
        """Places in a row of `tokens`: as many as slots, if one cache is enough."""
        context, longest = self.decoder.context, self.lengths.max()
        if context is not None and self.max_length > context:
            return bucket(self.max_length, LEAST_SLOTS)
        return self._slots_after(self._window_size(longest))

    def _slots_after(self, size):
        """Slots for a window and all that may be written before the next one."""
        steps = self.max_length - int(self.lengths[~self.done].min())
        if self.decoder.context is not None:
            steps = min(steps, self.decoder.context)
        return bucket(size + steps, LEAST_SLOTS)

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

    def _function(self, name, *sizes):
        shapes = (*self.tokens.shape, self._slots, *sizes)
        sources = tuple(tuple(each.shape) for each in self.inputs)
        key = (name, self.sampler.structure, shapes, sources, self._copies)
        build = functools.partial(self._build, name)
        is_outside = _is_outside_xla(self.decoder, name == "prefill", len(self.lengths))
        return compiled(self.decoder, key, build, False if is_outside else None)

    def _build(self, name):
        decoder, sampler = self.decoder, self.sampler
        batch, slots = len(self.done) // self._copies, self._slots
        if name == "advance":
            return functools.partial(loop.advance, decoder, sampler)

        run = {"prefill": loop.prefill, "search": beam.search}[name]

        def start(window, inputs, text, numbers):
            cache = decoder.initial_cache(batch, slots, *inputs)
            return run(decoder, sampler, window, cache, text, numbers)

        return start


def _is_outside_xla(decoder, reads, rows):
    """Whether something runs outside of XLA, see `layers.reading.read_in`.

    Args:
        decoder: see `Session`.
        reads: bool. Whether it only reads, or else writes.
        rows: int.
    """
    if reads:
        return getattr(decoder, "reads_outside_xla", False)
    return rows > 1 and getattr(decoder, "writes_outside_xla", False)


def compiled(owner, key, build, jit_compile=None, **options):
    """The function that `build()` makes, compiled once for an object and a key.

    It lives in a plain attribute of the object that Keras neither tracks nor saves,
    and dies with it, or when `MOST_FUNCTIONS` others have been called since.

    Args:
        owner: object; `owner.jit_generate` says whether XLA compiles, `True` without.
        key: hashable, all that the function depends on besides its arguments.
        build: function without arguments that returns one.
        jit_compile: bool, or `None`: as the owner says.
        options: of `tf.function`.
    """
    functions = vars(owner).get("_compiled_loops")
    if functions is None:
        functions = collections.OrderedDict()
        object.__setattr__(owner, "_compiled_loops", functions)
    if jit_compile is None:
        jit_compile = getattr(owner, "jit_generate", True)
    key = (key, jit_compile)
    function = functions.pop(key, None)
    if function is None:
        function = tf.function(
            build(), jit_compile=jit_compile, autograph=False, **options
        )
    functions[key] = function  # the last one used is the last one to go
    while len(functions) > MOST_FUNCTIONS:
        functions.popitem(last=False)
    return function


def _power_of_two(number):
    return 1 << max(0, int(number) - 1).bit_length()


def bucket(number, least=1):
    """The next of 1, 2, 3, 4, 6, 8, 12, 16, 24, ...: at most a third is lost.

    Args:
        number: int.
        least: int, one of these. The smallest that comes back.
    """
    whole = _power_of_two(max(number, least))
    three_quarters = whole // 4 * 3
    return three_quarters if max(number, least) <= three_quarters else whole
