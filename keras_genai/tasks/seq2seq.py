"""Tasks that turn one sequence into another: translation, summaries, answers."""

import keras
import numpy as np
import tensorflow as tf

from keras_genai.checks import check_integer
from keras_genai.data.held import as_rows, columns, in_batches
from keras_genai.data.parallel_text import pair_batch
from keras_genai.samplers.generation import check_stream
from keras_genai.samplers.session import Session, bucket
from keras_genai.samplers.settings import GenerationSettings
from keras_genai.samplers.text import Prompts, read_stop
from keras_genai.samplers.tokens import check_sampler
from keras_genai.samplers.writing import written
from keras_genai.tasks.logits import LogitsTask
from keras_genai.tasks.turns import INSTRUCTION
from keras_genai.tasks.values import need, table_rows


class Seq2SeqLM(LogitsTask):
    """A model of the next token, given a whole other sequence and all tokens before.

    Subclasses fill in `encode`, `read`, `empty_cache` and `decode`; calling the model
    and `generate` then work.

    Attributes:
        vocabulary_size: int, V, of both sides.
        tokenizer: a `Tokenizer` or `None`. Needed for text only.
        context: int or `None`. The largest number of tokens on each side; `None` is
            unlimited.
        generation: `GenerationSettings`, what `generate` does by itself.
        jit_generate: bool. Whether the decoding loop is compiled with XLA.
        turns: `Turns`, how a conversation with it is written down.

    Call arguments:
        inputs: dict of `inputs`, int `(B, S)`; `inputs_mask`, bool or int `(B, S)`,
            true at real tokens; and `targets`, int `(B, T)`, what the decoder reads:
            its start token and the text up to its last token but one.
        training: bool.

    Returns:
        float32 logits of the next token, `(B, T, V)`.
    """

    context = None
    writes = True
    jit_generate = True
    turns = INSTRUCTION
    generation = GenerationSettings()

    @property
    def decoding(self):
        return str(self.generation)

    @property
    def num_outputs(self):
        return self.vocabulary_size

    def loader(self, pairs, batch_size=16, length=None, shuffle=True, seed=0):
        """Batches for `fit` of pairs of texts.

        Args:
            pairs: list, generator or data set of pairs of str: what is read, and what
                is to be written.
            batch_size: int.
            length: int or `None` (the model's context). Most tokens of each side.
            shuffle: bool. Whether each epoch has another order.
            seed: int, of the order.

        Returns:
            `keras_genai.data.DataLoader`.

        Raises:
            ValueError: if the model has no tokenizer, or a sample is no pair.
        """
        sides = [
            self.target.read(side, "pairs")
            for side in columns(as_rows(pairs, "pairs"), 2, "pairs")
        ]
        most = length or self.context
        # One shape for all batches: XLA compiles each anew.
        longest = [max(len(row) for row in side) + 1 for side in sides]
        lengths = [min(size, most) if most else size for size in longest]
        collate = pair_batch(self.tokenizer, lengths, max_lengths=lengths)
        rows = list(zip(*sides, strict=True))
        return in_batches(rows, len(rows), batch_size, shuffle, seed, collate)

    def looked_up(self, x, y=None):
        need(x, {"inputs", "inputs_mask", "targets"})
        tokens = [
            table_rows(name, x[name], self.vocabulary_size, self.context)
            for name in ("inputs", "targets")
        ]
        return [*tokens, *super().looked_up(x, y)]

    def call(self, inputs, training=False):
        memory = self.encode(inputs["inputs"], inputs["inputs_mask"])
        return self.read(inputs["targets"], memory)

    def input_specs(self):
        tokens = keras.InputSpec("int32", shape=(None, None))
        return dict.fromkeys(("inputs", "inputs_mask", "targets"), tokens)

    def encode(self, inputs, inputs_mask):
        """All that the decoder will look at of a sequence.

        Args:
            inputs: int `(B, S)`.
            inputs_mask: bool or int `(B, S)`, true at real tokens.

        Returns:
            A nest of tensors, the batch on axis 0: the memory.
        """
        raise NotImplementedError

    def read(self, targets, memory):
        """Logits after every token of `targets`, read at once.

        Args:
            targets: int `(B, T)`.
            memory: what `encode` returned.

        Returns:
            float32 `(B, T, V)`.
        """
        raise NotImplementedError

    def empty_cache(self, batch_size, length):
        """dict: an empty cache of the decoder. See `CausalLM.initial_cache`."""
        raise NotImplementedError

    def decode(self, tokens, positions, cache, index):
        """Reads tokens into the cache and predicts the next. See `CausalLM.decode`.

        The cache also has the `memory`. It is one row for each of the sequences,
        while tokens may come in several rows a sequence, next to each other, when
        beam search tries several candidates.
        """
        raise NotImplementedError

    def initial_cache(self, batch_size, length, inputs, inputs_mask):
        """`empty_cache` and the memory of `inputs`."""
        memory = self.encode(inputs, inputs_mask)
        return {**self.empty_cache(batch_size, length), "memory": memory}

    def generate(
        self, inputs, max_length=None, sampler=None, seed=0, stop=(), stream=False
    ):
        """Writes what follows from each input.

        A batch of unequal inputs gives what each gives alone (with `Sample`, the draws
        differ from row to row). Inputs and lengths of similar size, and all numbers of
        a sampler, share one compiled function.

        Args:
            inputs: a str, a list of str, a 1-D sequence of int tokens, or a list of
                those. Text is framed as the tokenizer frames it.
            max_length: int or `None` (that of `generation`). Tokens of the decoder at
                most, counted as transformers does: its start token is one.
            sampler: `Greedy`, `Sample` or `Beam`, with its own rules; or `None`, what
                `generation` says.
            seed: int. With the row and the place in the text, decides every draw.
            stop: int tokens and str that end a text, besides the end tokens.
            stream: bool. If `True`, yields pieces while they are made.

        Returns:
            Results of the kind and nesting of `inputs`: str, or int32 arrays of the
            tokens after the start token, a stop token the last of them if one came.
            With `stream`, an iterator over such pieces.

        Raises:
            TypeError: if an argument is of a wrong type.
            ValueError: if `inputs` is empty, too long, or has tokens outside of the
                vocabulary, if text is asked for without a tokenizer, if `max_length`
                is not from 2 to the context, if nobody says what the decoder starts
                with, or if `Beam` is to stream.
        """
        settings = self.generation
        prompts = Prompts(inputs, self.tokenizer, self.vocabulary_size)
        stop = self._all_stops(stop)
        sampler = settings.sampler() if sampler is None else sampler
        max_length = self._check_generate(prompts.tokens, max_length, sampler)
        check_stream(stream, sampler)
        check_integer("seed", seed, -(2**63))
        start = np.array([self._start_token()], "int32")
        starts = [start] * len(prompts.tokens)
        encoded = self._padded(prompts.tokens)
        session = Session(self, starts, sampler, max_length, stop[0], seed, encoded)
        return written(session, prompts, starts, stop, self.tokenizer, stream)

    def _all_stops(self, stop):
        """`read_stop`, but the settings' end tokens count before the tokenizer's."""
        ends = self.generation.end_tokens
        if ends is None:
            return read_stop(stop, self.tokenizer, self.vocabulary_size)
        given = stop if isinstance(stop, list | tuple | set) else (stop,)
        tokens, texts = read_stop([*given, *ends], self.tokenizer, self.vocabulary_size)
        end = getattr(self.tokenizer, "end_token", None)
        return tokens - ({end} - {*ends, *given}), texts

    def _start_token(self):
        start = self.generation.decoder_start_token
        if start is None:
            start = getattr(self.tokenizer, "start_token", None)
        if start is None:
            raise ValueError(
                "`generation.decoder_start_token` must be an int, because the "
                f"tokenizer has no start token. Received: {self.tokenizer!r}"
            )
        if start >= self.vocabulary_size:
            raise ValueError(
                "`generation.decoder_start_token` must be below "
                f"{self.vocabulary_size}. Received: {start}"
            )
        return start

    def _check_generate(self, rows, max_length, sampler):
        check_sampler(sampler)
        if max_length is None:
            max_length = self.generation.max_length
            if self.context is not None:
                max_length = min(max_length, self.context)
        check_integer("max_length", max_length, 2)
        self._check_length("max_length", max_length)
        self._check_length("inputs", max(len(row) for row in rows))
        return max_length

    def _check_length(self, name, length):
        if self.context is not None and length is not None and length > self.context:
            raise ValueError(
                f"`{name}` must have at most context={self.context} tokens. "
                f"Received: {length}"
            )

    def _refuse_float16(self):
        """For architectures whose published weights overflow in it."""
        if self.compute_dtype == "float16":
            raise ValueError(
                f"`dtype` of a {type(self).__name__} must be float32 or bfloat16, or "
                "mixed with it, because float16 overflows. "
                f"Received: dtype={self.dtype_policy.name!r}"
            )

    def _padded(self, rows):
        """`(tokens, is_real)`: int32 and bool `(B, S)`, S one of a few lengths."""
        length = bucket(max(len(row) for row in rows), least=16)
        if self.context is not None:
            length = min(length, self.context)
        tokens = np.zeros((len(rows), length), "int32")
        is_real = np.zeros((len(rows), length), bool)
        for number, row in enumerate(rows):
            tokens[number, : len(row)] = row
            is_real[number, : len(row)] = True
        return tf.constant(tokens), tf.constant(is_real)
