"""What a request says, as tokens; and an answer's tokens, as what may be shown."""

import dataclasses
import secrets
import time
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_genai.samplers.text import Prompts, Reader, first_stop
from keras_genai.serving.completion import Completion, FinishReason
from keras_genai.serving.requests import (
    MOST_STOP_TOKENS,
    Piece,
    TextRequest,
    TooLongError,
)
from keras_genai.tasks.seq2seq import Seq2SeqLM


@dataclasses.dataclass(eq=False)
class Job:
    """A request as an engine sees it, and how far it is.

    Attributes:
        answer: `Completion`.
        start: int32 array, the tokens that its text is written behind.
        inputs: tuple of tensors `(1, ...)`, what an encoder reads; empty without one.
        max_length: int. Tokens at most, `start` included.
        stops: set of int.
        sampler: `Greedy` or `Sample`.
        reader: `Reader`.
        written: int, tokens after `start`.
        logprobs: list of `TokenLogprob`, of all that is written, if asked for.
        last: float, when its last token came, of `time.monotonic`; 0.0 before.
        error: exception or `None`, why it cannot be read.
    """

    answer: Completion
    start: np.ndarray
    inputs: tuple
    max_length: int
    stops: set
    sampler: Any
    reader: Reader
    written: int = 0
    logprobs: list = dataclasses.field(default_factory=list)
    last: float = 0.0
    error: Exception | None = None

    def take(self, generated: np.ndarray, done: bool) -> bool:
        """Takes in all tokens that are written and shows what may be shown.

        Args:
            generated: int32 array, all tokens after `start`.
            done: bool. Whether it ends with them, so that nothing is held back.

        Returns:
            bool: whether a stop text was found, so that it ends.
        """
        reader, before = self.reader, self.written
        generated = generated[: self.max_length - len(self.start)]
        text, count = reader.text, len(reader.ids)
        reader.read(generated, done)
        self.written = len(generated)
        if reader.stopped:
            self.written = self._until_stop(generated, before)
        said = tuple(self.logprobs[count : len(reader.ids)])
        gained = tuple(int(token) for token in reader.ids[count:])
        more = reader.text[len(text) :]
        self.answer.completion_tokens = self.written
        if more or gained:
            self.answer.add(Piece(more, gained, said))
        return reader.stopped

    def ending(self) -> FinishReason | None:
        """Why it ends although it is not done, or `None`."""
        if self.error is not None:
            return "error"
        if self.answer.cancelled:
            return "cancelled"
        deadline = self.answer.deadline
        if deadline is not None and time.monotonic() >= deadline:
            return "deadline"
        return None

    def _until_stop(self, generated, before):
        """int: how many tokens a stop text took to be complete."""
        for count in range(before + 1, len(generated)):
            text = self.reader.continuation(generated[:count])
            if first_stop(text, self.reader.stop_texts) is not None:
                return count
        return len(generated)


def read(model: Any, request: TextRequest, length: int) -> Job:
    """Reads what a request says, as `generate` would.

    Args:
        model: `CausalLM` or `Seq2SeqLM`.
        request: `TextRequest`.
        length: int. Most tokens of a text, its start included.

    Returns:
        `Job`.

    Raises:
        TooLongError: if there is no room for the prompt or for what is asked for.
        TypeError: if an argument is of a wrong type.
        ValueError: if one is out of its range.
    """
    if not isinstance(request, TextRequest):
        raise TypeError(f"`request` must be a TextRequest. Received: {request!r}")
    prompt = request.prompt if isinstance(request.prompt, str) else [request.prompt]
    tokens = Prompts(prompt, model.tokenizer, model.vocabulary_size).tokens[0]
    if len(tokens) > length:
        raise TooLongError(len(tokens), request.max_tokens or 1, length)
    starts, inputs = model.begin([tokens])
    start = np.asarray(starts[0], "int32")
    room = length - len(start)
    most = room if request.max_tokens is None else request.max_tokens
    if room < 1 or most > room:
        raise TooLongError(len(start), max(most, 1), length)
    stops, texts = model.stops(request.stop)
    if len(stops) > MOST_STOP_TOKENS:
        raise ValueError(
            f"`stop` must leave the model at most {MOST_STOP_TOKENS} tokens to end "
            f"with. Received: {len(stops)}"
        )
    sampler = request.sampler(len(start))
    sampler.numbers(model.vocabulary_size)  # checks the tokens of rules
    seed = secrets.randbits(63) if request.seed is None else int(request.seed)
    answer = Completion(request, seed, len(tokens))
    reader = Reader(start, model.tokenizer, texts, stops)
    max_length = len(start) + most
    return Job(answer, start, inputs, max_length, stops, sampler, reader)


def encoder_inputs(model: Any, tokens: Sequence[int]) -> tuple:
    """What the encoder of a model reads of tokens: tensors `(1, S)`."""
    return model.begin([list(tokens)])[1]


def has_encoder(model: Any) -> bool:
    """bool: whether a model has an encoder.

    Raises:
        ValueError: if it reads something else than text.
    """
    if not isinstance(model, Seq2SeqLM):
        return False
    if not model.reads_text:
        raise ValueError(
            "`model` must read text. Received: one that reads a "
            f"{type(model.given[0]).__name__}"
        )
    return True
