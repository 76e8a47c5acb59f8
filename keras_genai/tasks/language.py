"""Tasks over tokens: language models, and the text they write."""

import numpy as np

from keras_genai.samplers.checks import check_integer
from keras_genai.samplers.session import Session
from keras_genai.samplers.text import Prompts, Reader
from keras_genai.samplers.tokens import NO_LIMIT, Beam, Greedy, Sample
from keras_genai.tasks.base import Task

DEFAULT_GROWTH = 256  # tokens, if `generate` is not told a length
STREAM_STEP = 4  # tokens between two pieces
STOP_STEP = 32  # tokens between two looks for a stop text


class CausalLM(Task):
    """A model of the next token, given all tokens before it.

    Subclasses are called with int tokens `(B, T)` and return float32 logits
    `(B, T, V)`, and fill in the decoding protocol below; `generate` then works.

    Attributes:
        vocabulary_size: int, V.
        tokenizer: a `Tokenizer` or `None`. Needed for text prompts only.
        context: int or `None`. The largest number of positions; `None` is unlimited.
        jit_generate: bool. Whether the decoding loop is compiled with XLA.
    """

    context = None
    jit_generate = True

    def initial_cache(self, batch_size, length):
        """An empty decoding cache.

        Args:
            batch_size: int, B.
            length: int. Slots to make, one for each token fed to `decode`.

        Returns:
            A nest of tensors. Every leaf has the batch on axis 0, so that beam
            search may reorder rows with `take(leaf, parents, axis=0)`.
        """
        raise NotImplementedError

    def decode(self, tokens, positions, cache, index):
        """Reads tokens into the cache and predicts the one after them.

        Slots are shared by the rows, positions are each row's own: attention sees
        the slots whose stored position is valid and not beyond the query's.

        Args:
            tokens: int32 `(B, T)`. T is 1 in the loop and a bucket of prompt
                lengths in the prefill.
            positions: int32 `(B, T)`. The place of each token in its own sequence;
                -1 at padding, which is only ever on the right. No row is all padding.
            cache: what `initial_cache` or the previous call returned.
            index: int32 scalar tensor. The first cache slot to write.

        Returns:
            `(logits, cache)`: float32 `(B, V)`, after the last real token of each
            row, and the new cache, of the same structure, shapes and dtypes.
        """
        raise NotImplementedError

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
                besides the tokenizer's end token. A str is found in the text across
                the borders of tokens.
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
        prompts = Prompts(prompts, self.tokenizer, self.vocabulary_size)
        stop_tokens, stop_texts = self._read_stop(stop)
        sampler = Sample() if sampler is None else sampler
        max_length = self._check_lengths(prompts.tokens, max_length, sampler)
        if isinstance(sampler, Beam) and stream:
            raise ValueError("`stream` must be False with a Beam. Received: True")
        check_integer("seed", seed, -(2**63))
        session = Session(self, prompts.tokens, sampler, max_length, stop_tokens, seed)
        with_text = prompts.texts is not None or stop_texts
        readers = [
            Reader(
                tokens, self.tokenizer if with_text else None, stop_texts, stop_tokens
            )
            for tokens in prompts.tokens
        ]
        pieces = _pieces(session, prompts, readers, stream, strip_prompt)
        return pieces if stream else _joined(pieces, prompts)

    def _read_stop(self, stop):
        """The tokens that end a text, as a set, and the texts that do, as a tuple."""
        stops = stop if isinstance(stop, list | tuple | set) else (stop,)
        texts = tuple(item for item in stops if isinstance(item, str))
        tokens = {item for item in stops if not isinstance(item, str)}
        for token in tokens:
            check_integer("stop", token, 0)
            if token >= self.vocabulary_size:
                raise ValueError(
                    f"`stop` must hold tokens from 0 to {self.vocabulary_size - 1}. "
                    f"Received: {token}"
                )
        if "" in texts:
            raise ValueError(f"`stop` must not hold an empty text. Received: {stop!r}")
        if texts and self.tokenizer is None:
            raise ValueError(
                "`stop` must be int tokens, because this model has no `tokenizer`. "
                f"Received: {stop!r}"
            )
        end = getattr(self.tokenizer, "end_token", None)
        return (tokens if end is None else tokens | {end}), texts

    def _check_lengths(self, prompts, max_length, sampler):
        if not isinstance(sampler, Greedy | Sample | Beam):
            raise TypeError(
                "`sampler` must be a Greedy, Sample or Beam. "
                f"Received: sampler={sampler!r}"
            )
        longest = max(len(prompt) for prompt in prompts)
        is_beam = isinstance(sampler, Beam) and self.context is not None
        if max_length is None:
            max_length = longest + DEFAULT_GROWTH
            if is_beam and longest < self.context:
                max_length = min(max_length, self.context)
        check_integer("max_length", max_length, 1)
        if max_length <= longest:
            raise ValueError(
                f"`max_length` must be above the longest prompt's {longest} tokens. "
                f"Received: {max_length=}"
            )
        if is_beam and max_length > self.context:
            raise ValueError(
                f"`max_length` must be at most context={self.context} with a Beam, "
                f"which cannot go on past it. Received: {max_length=}"
            )
        return max_length


def _pieces(session, prompts, readers, stream, strip_prompt):
    """Yields what each row gained since the last time, until all rows have ended."""
    is_text = prompts.texts is not None
    if not strip_prompt:
        starts = prompts.texts if is_text else [reader.prompt for reader in readers]
        yield starts[0] if prompts.single else list(starts)
    has_stop_texts = any(reader.stop_texts for reader in readers)
    budget = STREAM_STEP if stream else STOP_STEP if has_stop_texts else NO_LIMIT
    seen = [0] * len(readers)
    while not session.done.all():
        session.advance(budget)
        gained = []
        for row, reader in enumerate(readers):
            reader.read(session.generated(row), session.done[row])
            session.done[row] |= reader.stopped
            whole = reader.text if is_text else reader.ids
            gained.append(whole[seen[row] :])
            seen[row] = len(whole)
        if not stream or any(len(piece) for piece in gained):
            yield gained[0] if prompts.single else gained


def _joined(pieces, prompts):
    """One result a prompt, from the pieces of all."""
    join = "".join if prompts.texts is not None else np.concatenate
    if prompts.single:
        return join(list(pieces))
    return [join(row) for row in zip(*pieces, strict=True)]
