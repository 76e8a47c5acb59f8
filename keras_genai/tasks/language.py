"""Tasks over tokens: language models, and the text they write."""

import dataclasses
import functools
import os
from typing import ClassVar

from keras_genai.data import conversations
from keras_genai.data.batching import language_batch
from keras_genai.data.held import in_batches
from keras_genai.data.template_turns import TemplateTurns
from keras_genai.data.turns import PLAIN, Turns
from keras_genai.data.windows import Stream, Windows
from keras_genai.files.text import read_text
from keras_genai.modalities.text import Text
from keras_genai.networks.language import LanguageNetwork
from keras_genai.registry import register
from keras_genai.samplers.generation import generate
from keras_genai.samplers.text import Prompts, read_stop
from keras_genai.tasks.logits import LogitsTask
from keras_genai.tasks.values import need, place_rows, table_rows


@register
class CausalLM(LogitsTask):
    """A network that says the next token, given all tokens before it.

    Args:
        network: `keras_genai.networks.Network` from int tokens `(B, T)` to float32
            logits `(B, T, V)`, with the decoding protocol of
            `keras_genai.networks.language.LanguageNetwork`.
        target: `Text`, with its tokenizer if there is one.
        turns: `Turns` or `TemplateTurns`, how a conversation with it is written down.
        ends: tuple of int, tokens that end a text besides the tokenizer's end token.

    Attributes:
        vocabulary_size: int, V.
        context: int or `None`. The largest number of positions; `None` is unlimited.
        jit_generate: bool. Whether the decoding loop is compiled with XLA.

    Call arguments, returns: see `LanguageNetwork`.
    """

    network: LanguageNetwork
    target: Text = Text()
    turns: Turns | TemplateTurns = PLAIN
    ends: tuple = ()

    writes: ClassVar = True
    verbs: ClassVar = ("chat",)
    decoding: ClassVar = "every token is drawn from all, at temperature 1"

    def make(self):
        self.target = as_written(self.target, self.network)
        self.jit_generate = self.network.jit_generate
        self.given = (dataclasses.replace(self.target, generated=False),)

    def get_config(self):
        config = super().get_config()
        if not self.ends:  # as files were before there was such a field
            del config["ends"]
        return config

    @property
    def vocabulary_size(self):
        return self.network.vocabulary_size

    @property
    def context(self):
        return self.network.context

    def call(self, inputs, training=False):
        return self.network(inputs, training=training)

    def initial_cache(self, batch_size, length):
        return self.network.initial_cache(batch_size, length)

    def decode(self, tokens, positions, cache, index):
        return self.network.decode(tokens, positions, cache, index)

    def begin(self, prompts):
        """What stands before completions of prompts.

        Args:
            prompts: see `generate`.

        Returns:
            `(starts, inputs)`: list of int arrays, the tokens that a completion is
            written behind; and a tuple of what an encoder reads, here of nothing.

        Raises:
            TypeError, ValueError: see `generate`.
        """
        prompts = Prompts(prompts, self.tokenizer, self.vocabulary_size)
        return prompts.tokens, ()

    def end_tokens(self, stop=()):
        """set of int: the tokens that end a text, or a turn of a conversation.

        Args:
            stop: int tokens besides the tokenizer's end token and the mark of `turns`.

        Raises:
            ValueError: if one is outside of the vocabulary.
        """
        stop = (*stop, *self.ends)
        ends, _ = read_stop(stop, self.tokenizer, self.vocabulary_size)
        return ends | turn_ends(self.turns, self.tokenizer)

    def stops(self, stop=()):
        """What ends a text.

        Args:
            stop: see `generate`.

        Returns:
            `(tokens, texts)`: a set of int, the tokenizer's end token and `ends` among
            them, and a tuple of str.
        """
        given = stop if isinstance(stop, list | tuple | set) else (stop,)
        return read_stop((*given, *self.ends), self.tokenizer, self.vocabulary_size)

    @property
    def num_outputs(self):
        return self.vocabulary_size

    def looked_up(self, x, y=None):
        read = x if isinstance(x, dict) else {"tokens": x}
        need(read, {"tokens"})
        size, context = self.vocabulary_size, self.context
        tokens = table_rows("tokens", read["tokens"], size, context)
        return [tokens, *super().looked_up(x, y), *place_rows(x, context)]

    def loader(
        self, texts, batch_size=16, length=None, shuffle=True, seed=0, packed=False
    ):
        """Batches for `fit` of what a person holds.

        Args:
            texts: a str, or a path object: one long text, of which windows are drawn.
                Or several texts: a list of str, a generator, a data set; each is framed
                by the tokenizer's start and end tokens and cut to `length`.
                Or conversations, of which only the model's words are learned: dicts as
                `keras_genai.data.conversations` describes them, or the path object of
                a `.jsonl` file of them; they are written down as `turns` says.
            batch_size: int.
            length: int or `None` (the model's context, at most 128; of conversations,
                all of it). In tokens.
            shuffle: bool. Whether each epoch has another order; one text is read in
                order without.
            seed: int, of the order and the windows.
            packed: bool. Whether short texts or conversations share a row, where none
                sees another: less padding.

        Returns:
            `keras_genai.data.Loader` of `(tokens, targets)`, with `sample_weight` where
            there are several texts; of conversations, and with `packed`, see
            `keras_genai.data.conversations.loader`.

        Raises:
            ValueError: if the model has no tokenizer, if a text is too short, if a
                conversation cannot be learned from, or if one text or the rows of a
                network without segments are to be `packed`.
        """
        if isinstance(texts, os.PathLike) and not str(texts).endswith(".jsonl"):
            texts = read_text(texts)
        if isinstance(texts, str):
            return self._windows(texts, batch_size, length, shuffle, seed, packed)
        texts = conversations.rows(texts, "texts")
        if packed or isinstance(texts[0], dict):
            return self._samples(texts, batch_size, length, shuffle, seed, packed)
        rows = self.target.read(texts, "texts")
        length = length or min(self.context or 128, 128)
        collate = language_batch(self.tokenizer, length)
        padded = functools.partial(collate, length=length)
        return in_batches(rows, len(rows), batch_size, shuffle, seed, padded)

    def _windows(self, text, batch_size, length, shuffle, seed, packed):
        """The loader of one long text."""
        if packed:
            raise ValueError(
                "`packed` must be False for one text, whose rows are full. "
                f"Received: {packed=}"
            )
        (tokens,) = self.target.read([text], "texts")
        length = length or min(self.context or 128, 128)
        if shuffle:
            return Windows(tokens, length, batch_size, seed=seed)
        return Stream(tokens, length, batch_size)

    def _samples(self, rows, batch_size, length, shuffle, seed, packed):
        """The loader of conversations, or of texts that share rows."""
        if self.tokenizer is None or self.counts_tokens:
            raise ValueError(
                f"{self.name} must have a tokenizer, and learn by steps, to read "
                f"conversations. Received: a {type(self).__name__}, tokenizer="
                f"{self.tokenizer!r}"
            )
        if packed and not self.network.reads_segments:
            raise ValueError(
                f"`packed` must be False for {self.network.name}, which cannot keep "
                f"the texts of a row apart. Received: {packed=}"
            )
        return conversations.loader(
            rows,
            self.tokenizer,
            self.turns,
            batch_size,
            length or self.context,
            packed=packed,
            shuffle=shuffle,
            seed=seed,
        )

    def generate(
        self,
        prompts,
        max_length=None,
        sampler=None,
        seed=0,
        stop=(),
        stream=False,
        strip_prompt=False,
    ):
        """Continues prompts.

        A batch of unequal prompts gives what each gives alone (with `Sample`, the
        draws differ from row to row). Prompts and lengths of similar size, and all
        numbers of a sampler, share one compiled function. A model with a limited
        context goes on past it, from the last half of what it saw; so does a prompt
        that is longer.

        Args:
            prompts: a str, a list of str, a 1-D sequence of int tokens, or a list of
                those. An empty one begins with the tokenizer's start token, else its
                end token, else a newline, else token 0.
            max_length: int or `None` (256 more than the longest prompt). Tokens in
                each result at most, prompt included.
            sampler: `Greedy`, `Sample` or `Beam` of `keras_genai.samplers`. Default:
                `Sample()`, plain sampling at temperature 1.
            seed: int. With the row and the place in the text, decides every draw.
            stop: int tokens and str, a single one or a sequence. Where a text ends,
                besides the tokenizer's end token and `ends`. A str is found in the text
                across the borders of tokens.
            stream: bool. If `True`, yields pieces while they are made. Joined, they
                are the result.
            strip_prompt: bool. Whether to leave the prompts out of the results.

        Returns:
            Results of the kind and nesting of `prompts`: str, or int32 arrays (a
            list of 1-D arrays for any batch). Text ends before its stop; tokens end
            with the stop token, if one came. With `stream`, an iterator over such
            pieces: for a list, lists of one piece a prompt, some of them empty.

        Raises:
            TypeError: if an argument is of a wrong type.
            ValueError: if `prompts` is empty or has tokens outside of the vocabulary,
                if text is asked for without a tokenizer, if `max_length` is not above
                every prompt's length, or if `Beam` is to stream or to go past the
                context.
        """
        given = stop if isinstance(stop, list | tuple | set) else (stop,)
        return generate(
            self,
            prompts,
            max_length,
            sampler,
            seed,
            (*given, *self.ends),
            stream,
            strip_prompt,
            self.tokenizer,
        )


def turn_ends(turns, tokenizer):
    """set of int: the special tokens that end a turn of a model.

    Args:
        turns: `Turns`.
        tokenizer: `Tokenizer` or `None`.
    """
    ends = () if tokenizer is None else turns.stops(tokenizer)
    return {end for end in ends if isinstance(end, int)}


def as_written(text, network):
    """The `Text` that a network writes: its tokens, and the tokenizer that came."""
    size = network.vocabulary_size
    return dataclasses.replace(text, vocabulary_size=size, generated=True)
