"""Tasks that write a text from something else: translations, transcripts, captions."""

import dataclasses
from typing import ClassVar

import keras
import numpy as np

from keras_genai.checks import check_integer, check_seed
from keras_genai.data import conversations
from keras_genai.data.held import columns, in_batches
from keras_genai.data.parallel_text import pair_batch
from keras_genai.data.turns import INSTRUCTION, Turns
from keras_genai.modalities.base import Modality
from keras_genai.modalities.text import Text
from keras_genai.networks.sequence_pair import SequencePairNetwork
from keras_genai.registry import register
from keras_genai.samplers.generation import check_stream
from keras_genai.samplers.session import Session
from keras_genai.samplers.settings import GenerationSettings
from keras_genai.samplers.text import Prompts, read_stop
from keras_genai.samplers.tokens import check_sampler
from keras_genai.samplers.writing import written
from keras_genai.tasks.language import as_written, turn_ends
from keras_genai.tasks.logits import LogitsTask
from keras_genai.tasks.sources import (
    BATCH,
    Sources,
    as_batch,
    is_picture,
    transcribed,
)
from keras_genai.tasks.values import need, table_rows

TRANSCRIBING, CAPTIONING = ("transcribe",), ("caption",)


@register
class Seq2SeqLM(LogitsTask):
    """A network that says the next token, given a whole other sequence and all before.

    What is read is text, or anything else whose samples are float `(S, ...)`, such as
    the `Mel` of a sound or an `Image`: the samplers are the same.

    Args:
        network: `keras_genai.networks.sequence_pair.SequencePairNetwork`.
        target: `Text`, with its tokenizer if there is one: what is written.
        given: `Modality`, what is read, or nothing: text in the same tokens.
        generation: `GenerationSettings`, what `generate` does by itself.
        turns: `Turns`, how a conversation with it is written down.

    Attributes:
        vocabulary_size: int, V, of the tokens that it writes.
        context: int or `None`. The largest number of positions on each side; `None` is
            unlimited.
        jit_generate: bool. Whether the decoding loop is compiled with XLA.

    Call arguments:
        inputs: dict of `inputs`, what is read, int `(B, S)` if that is text;
            `inputs_mask`, bool or int `(B, S)`, true where it is real; and `targets`,
            int `(B, T)`, what the decoder reads: its start token and the text up to its
            last token but one.
        training: bool.

    Returns:
        float32 logits of the next token, `(B, T, V)`.
    """

    network: SequencePairNetwork
    target: Text = Text()
    given: tuple[Modality, ...] = ()
    generation: GenerationSettings = GenerationSettings()
    turns: Turns = INSTRUCTION

    writes: ClassVar = True

    def check(self):
        if len(self.given) > 1:
            raise ValueError(
                "`given` must be one modality, of what is read. Received: "
                f"{[kind.key for kind in self.given]}"
            )

    def make(self):
        self.target = as_written(self.target, self.network)
        self.jit_generate = self.network.jit_generate
        size = getattr(self.network, "inputs_vocabulary_size", None)
        size = size or self.target.vocabulary_size
        own = dataclasses.replace(self.target, generated=False, vocabulary_size=size)
        self.given = self.given or (own,)

    @property
    def verbs(self):
        if self.reads_text:
            return ("chat", "translate", "summarize")
        return CAPTIONING if is_picture(self.given[0]) else TRANSCRIBING

    @property
    def reads_text(self):
        """bool: whether it reads text, and not sounds or something else."""
        return isinstance(self.given[0], Text)

    @property
    def vocabulary_size(self):
        return self.network.vocabulary_size

    @property
    def context(self):
        return self.network.context

    @property
    def decoding(self):
        return str(self.generation)

    @property
    def num_outputs(self):
        return self.vocabulary_size

    def loader(self, pairs, batch_size=16, length=None, shuffle=True, seed=0):
        """Batches for `fit` of pairs.

        Args:
            pairs: list, generator or data set of pairs, of str if text is read: what is
                read, such as a picture, and the text that is to be written. Or
                conversations: dicts as `keras_genai.data.conversations` describes them,
                or the path object of a `.jsonl` file of them; what was said before each
                answer is read, as `turns` writes it down.
            batch_size: int.
            length: int or `None` (the model's context). Most tokens of each side.
            shuffle: bool. Whether each epoch has another order.
            seed: int, of the order.

        Returns:
            `keras_genai.data.DataLoader`.

        Raises:
            ValueError: if the model has no tokenizer, or a sample is no pair.
        """
        rows = conversations.rows(pairs, "pairs")
        if isinstance(rows[0], dict) and self.tokenizer is not None:
            rows = conversations.pairs(rows, self.tokenizer, self.turns)
        parts = columns(rows, 2, "pairs")
        # How long a text is, its end says, and not its padding.
        kinds = (*self.given, dataclasses.replace(self.target, length=None))
        sides = [
            Sources(kind, part, name="pairs").rows
            if is_picture(kind)
            else kind.read(part, "pairs")
            for kind, part in zip(kinds, parts, strict=True)
        ]
        most = length or self.context
        mosts = [most if isinstance(kind, Text) else None for kind in kinds]
        # One shape for all batches: XLA compiles each anew.
        longest = [
            max(len(row) for row in side) + (not is_picture(kind))
            for side, kind in zip(sides, kinds, strict=True)
        ]
        pairs = zip(longest, mosts, strict=True)
        lengths = [min(size, most) if most else size for size, most in pairs]
        start = self.generation.decoder_start_token
        collate = pair_batch(self.tokenizer, lengths, start, max_lengths=lengths)
        rows = list(zip(*sides, strict=True))
        return in_batches(
            rows,
            len(rows),
            batch_size,
            shuffle,
            seed,
            collate,
            conversations.as_token_mean,
        )

    @property
    def fields(self):
        """dict of `keras_genai.modalities.fields.Field` by name: those of a batch."""
        kinds = *self.given, self.target
        found = [kind.fields[kind.key] for kind in kinds]
        return dict(zip(("inputs", "targets"), found, strict=True))

    def looked_up(self, x, y=None):
        need(x, {"inputs", "inputs_mask", "targets"})
        tokens = [
            table_rows(name, x[name], field.span()[1] + 1, self.context)
            for name, field in self.fields.items()
            if field.dtype == "int32"  # each chooses a row of a table
        ]
        return [*tokens, *super().looked_up(x, y)]

    def call(self, inputs, training=False):
        return self.network(
            self.given[0].told(inputs["inputs"]),
            inputs["inputs_mask"],
            inputs["targets"],
            training=training,
        )

    def input_specs(self):
        specs = {
            name: keras.InputSpec(field.dtype, shape=(None, *field.shape))
            for name, field in self.fields.items()
        }
        return {**specs, "inputs_mask": keras.InputSpec("int32", shape=(None, None))}

    def initial_cache(self, batch_size, length, inputs, inputs_mask):
        told = self.given[0].told(inputs)
        return self.network.initial_cache(batch_size, length, told, inputs_mask)

    def decode(self, tokens, positions, cache, index):
        return self.network.decode(tokens, positions, cache, index)

    def begin(self, prompts):
        """What stands before completions: see `CausalLM.begin`.

        Args:
            prompts: what is read, see `generate`.

        Returns:
            `(starts, inputs)`: list of int arrays, the decoder's start token; and what
            the encoder reads, int32 tokens and bool mask, `(B, S)` each.
        """
        _, encoded = self.read_source(prompts)
        return self.starts(encoded), encoded

    def starts(self, tensors):
        """What the decoder begins with: list of int32 arrays of one length, each row's.

        Args:
            tensors: see `read_source`.
        """
        return [np.array([self._start_token()], "int32")] * len(tensors[0])

    def end_tokens(self, stop=()):
        """set of int: the tokens that end a text. See `CausalLM.end_tokens`."""
        ends, _ = self.stops(tuple(stop))
        return ends | turn_ends(self.turns, self.tokenizer)

    def generate(
        self, inputs, max_length=None, sampler=None, seed=0, stop=(), stream=False
    ):
        """Writes what follows from each input.

        A batch of unequal inputs gives what each gives alone (with `Sample`, the draws
        differ from row to row). Inputs and lengths of similar size, and all numbers of
        a sampler, share one compiled function.

        Args:
            inputs: a str, a list of str, a 1-D sequence of int tokens, or a list of
                those. Text is framed as the tokenizer frames it. Of a model that reads
                something else, what its modality reads: paths of sounds, for instance.
            max_length: int or `None` (that of `generation`). Tokens of the decoder at
                most, counted as transformers does: its start token is one.
            sampler: `Greedy`, `Sample` or `Beam`, with its own rules; or `None`, what
                `generation` says.
            seed: int. With the row and the place in the text, decides every draw.
            stop: int tokens and str that end a text, besides the end tokens.
            stream: bool. If `True`, yields pieces while they are made.

        Returns:
            Results of the kind and nesting of `inputs`: str, or int32 arrays of the
            tokens after the start token, a stop token the last of them if one came. A
            model that reads no text and has a tokenizer gives str.
            With `stream`, an iterator over such pieces.

        Raises:
            TypeError: if an argument is of a wrong type.
            ValueError: if `inputs` is empty, too long, or has tokens outside of the
                vocabulary, if text is asked for without a tokenizer, if `max_length`
                is not from 2 to the context, if nobody says what the decoder starts
                with, or if `Beam` is to stream.
        """
        prompts, encoded = self.read_source(inputs)
        stop, starts = self.stops(stop), self.starts(encoded)
        if sampler is None:
            sampler = self.generation.sampler(len(starts[0]))
        max_length = self._check_generate(max_length, sampler)
        check_stream(stream, sampler)
        check_seed(seed)
        session = Session(self, starts, sampler, max_length, stop[0], seed, encoded)
        return written(session, prompts, starts, stop, self.tokenizer, stream)

    def transcribe(self, sounds, sampler=None, max_length=None, batch_size=BATCH):
        """What is said in sounds.

        Args:
            sounds: what the `Mel` in `given` reads: a path, samples, or several.
            sampler, max_length: see `generate`.
            batch_size: int. Sounds that are read at once.

        Returns:
            str, or a list of str for several sounds; int32 arrays without a tokenizer.

        Raises:
            ValueError: if the model reads text, or a sound cannot be read.
        """
        if "transcribe" not in self.verbs:
            raise ValueError(
                "`given` must be sounds to transcribe some, such as a Mel. "
                f"Received: {type(self.given[0]).__name__}"
            )
        return transcribed(
            self.given[0],
            sounds,
            lambda rows: self.generate(rows, max_length, sampler),
            batch_size,
        )

    def caption(self, pictures, sampler=None, max_length=None, batch_size=BATCH):
        """What pictures show.

        Args:
            pictures: what the `Image` in `given` reads: a path, a picture of PIL, an
                array `(H, W, C)`, or several. Files may be of any size; their middle is
                cropped and resized.
            sampler, max_length: see `generate`.
            batch_size: int. Pictures that are looked at together.

        Returns:
            str, or a list of str for several pictures; int32 arrays without a
            tokenizer.

        Raises:
            OSError: if a file cannot be read.
            ValueError: if the model reads no pictures, or one is not as it must be.
        """
        if "caption" not in self.verbs:
            raise ValueError(
                "`given` must be an Image for captions of pictures. "
                f"Received: {type(self.given[0]).__name__}"
            )
        return transcribed(
            self.given[0],
            pictures,
            lambda rows: self.generate(rows, max_length, sampler),
            batch_size,
            name="pictures",
        )

    def read_source(self, inputs):
        """What a person asked for, and what the network's `encode` takes of it.

        Args:
            inputs: see `generate`.

        Returns:
            `(prompts, tensors)`: `Prompts`, or `Sources` if no text is read; and int32
            or float `(B, S, ...)` with a bool mask `(B, S)`.

        Raises:
            ValueError: see `generate`.
        """
        if not self.reads_text:
            kind = self.given[0]
            sources = Sources(kind, inputs, self.tokenizer)
            whole = kind.shape[0] if is_picture(kind) else None
            return sources, as_batch(sources.rows, length=whole)
        size = self.given[0].vocabulary_size or self.vocabulary_size
        prompts = Prompts(inputs, self.tokenizer, size)
        self._check_length("inputs", max(len(row) for row in prompts.tokens))
        return prompts, as_batch(prompts.tokens, self.context)

    def stops(self, stop=()):
        """What ends a text: `read_stop`, but the settings' end tokens come first.

        Args:
            stop: see `generate`.

        Returns:
            `(tokens, texts)`: a set of int and a tuple of str.
        """
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

    def _check_generate(self, max_length, sampler):
        check_sampler(sampler)
        if max_length is None:
            max_length = self.generation.max_length
            if self.context is not None:
                max_length = min(max_length, self.context)
        check_integer("max_length", max_length, 2)
        self._check_length("max_length", max_length)
        return max_length

    def _check_length(self, name, length):
        if self.context is not None and length is not None and length > self.context:
            raise ValueError(
                f"`{name}` must have at most context={self.context} tokens. "
                f"Received: {length}"
            )
