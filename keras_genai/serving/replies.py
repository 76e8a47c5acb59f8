"""Answers of an engine in the form of OpenAI's responses, whole or event by event."""

import logging
from collections.abc import AsyncIterator, Iterable, Sequence
from typing import Any

from keras_genai.serving.errors import Refusal
from keras_genai.serving.requests import Piece, TokenLogprob
from keras_genai.serving.streaming import DONE, event
from keras_genai.serving.token_names import Names, Offsets
from keras_genai.serving.writing import Writer, check_begun, error_of

LOG = logging.getLogger("keras_genai.serving")


class Chat:
    """Responses of `/v1/chat/completions`.

    Args:
        writer: `Writer`.
        usage: bool. Whether a stream ends with what it cost.
        logprobs: bool.
    """

    kind, chunk = "chat.completion", "chat.completion.chunk"

    def __init__(self, writer: Writer, usage: bool = False, logprobs: bool = False):
        self.writer = writer
        self.usage = usage
        self.logprobs = logprobs
        self._begun: set[int] = set()
        self._names = Names(writer.served.model.tokenizer)

    def whole(self) -> dict[str, Any]:
        """dict: the response of texts that are finished."""
        choices = [self._choice(index) for index in range(len(self.writer.answers))]
        return {**self._head(self.kind), "choices": choices, "usage": self._spent()}

    async def events(self) -> AsyncIterator[str]:
        """Yields the events of texts that are being written."""
        try:
            for text in self._opening():
                yield text
            async for index, piece in self.writer.pieces():
                if piece is None:
                    check_begun(self.writer.answers[index])
                    yield self._event(self._last(index))
                elif (choice := self._part(index, piece)) is not None:
                    yield self._event(choice)
        except Exception as error:
            if not isinstance(error, Refusal):
                LOG.exception("a stream has failed")
            yield event(error_of(error))
            return
        if self.usage:
            yield event(
                {**self._head(self.chunk), "choices": [], "usage": self._spent()}
            )
        yield DONE

    def _head(self, kind):
        return {
            "id": self.writer.number,
            "object": kind,
            "created": self.writer.created,
            "model": self.writer.served.name,
        }

    def _spent(self):
        return self.writer.usage()

    def _event(self, choice):
        more = {"usage": None} if self.usage else {}
        return event({**self._head(self.chunk), "choices": [choice], **more})

    def _opening(self):
        for index in range(len(self.writer.answers)):
            delta = {"role": "assistant", "content": ""}
            yield self._event(self._delta(index, delta))

    def _choice(self, index):
        answer = self.writer.answers[index]
        message = {
            "role": "assistant",
            "content": answer.text().lstrip(),
            "refusal": None,
        }
        return {
            "index": index,
            "message": message,
            "finish_reason": self.writer.reason(index),
            "logprobs": self._said(answer.pieces),
        }

    def _part(self, index, piece):
        text = piece.text
        if index not in self._begun:  # a mark before a turn often ends with a blank
            text = text.lstrip()
        if text:
            self._begun.add(index)
        if not text and not (self.logprobs and piece.logprobs):
            return None
        delta = {"content": text}
        return self._delta(index, delta, logprobs=self._said([piece]))

    def _last(self, index):
        return self._delta(index, {}, self.writer.reason(index))

    def _delta(self, index, delta, reason=None, logprobs=None):
        return {
            "index": index,
            "delta": delta,
            "finish_reason": reason,
            "logprobs": logprobs,
        }

    def _said(self, pieces):
        """dict: log-probabilities of the tokens of pieces, or `None`."""
        if not self.logprobs:
            return None
        content = [
            {
                **self._token(each.token, each.logprob),
                "top_logprobs": [self._token(*pair) for pair in each.alternatives],
            }
            for each in spoken(self.writer, pieces)
        ]
        return {"content": content, "refusal": None}

    def _token(self, token, logprob):
        text, data = self._names(token)
        return {"token": text, "logprob": logprob, "bytes": data}


class Completion(Chat):
    """Responses of `/v1/completions`.

    Args:
        writer, usage: see `Chat`.
        logprobs: bool.
        echo: bool. Whether texts begin with their prompts.
        scores: list of what `keras_genai.serving.scoring.scored` returns, of each
            prompt, or empty.
    """

    kind = chunk = "text_completion"

    def __init__(
        self,
        writer: Writer,
        usage: bool = False,
        logprobs: bool = False,
        echo: bool = False,
        scores: Sequence[Any] = (),
    ):
        super().__init__(writer, usage, logprobs)
        self.echo = echo
        self.scores = scores
        begins = [len(self._prompt(index)) for index in range(len(writer.answers))]
        self._offsets = [Offsets(self._names, begin) for begin in begins]

    def _place(self, index):
        """int: the prompt of a text."""
        return index // (len(self.writer.answers) // len(self.writer.prompts))

    def _prompt(self, index):
        return self.writer.prompts[self._place(index)] if self.echo else ""

    def _opening(self):
        for index in range(len(self.writer.answers)) if self.echo else ():
            yield self._event(self._text(index, self._prompt(index)))

    def _choice(self, index):
        answer = self.writer.answers[index]
        text = self._prompt(index) + answer.text()
        said = self._listed(index, answer.pieces)
        if self.scores:
            before = self.scores[self._place(index)][0]
            said = {key: [*before[key], *values] for key, values in said.items()}
        return self._text(index, text, self.writer.reason(index), said)

    def _part(self, index, piece):
        said = self._listed(index, [piece])
        if not piece.text and not (self.logprobs and piece.logprobs):
            return None
        return self._text(index, piece.text, None, said)

    def _last(self, index):
        return self._text(index, "", self.writer.reason(index))

    @staticmethod
    def _text(index, text, reason=None, logprobs=None):
        return {
            "index": index,
            "text": text,
            "finish_reason": reason,
            "logprobs": logprobs,
        }

    def _listed(self, index, pieces):
        """dict of lists: tokens, their log-probabilities and where they begin."""
        if not self.logprobs:
            return None
        found: dict[str, list[Any]] = {
            key: [] for key in ("tokens", "token_logprobs", "top_logprobs")
        }
        found["text_offset"] = []
        for each in spoken(self.writer, pieces):
            found["tokens"].append(self._names(each.token)[0])
            found["token_logprobs"].append(each.logprob)
            found["top_logprobs"].append(
                {self._names(token)[0]: lp for token, lp in each.alternatives}
            )
            found["text_offset"].append(self._offsets[index].next(each.token))
        return found


def spoken(writer: Writer, pieces: Iterable[Piece]) -> Iterable[TokenLogprob]:
    """Log-probabilities of the tokens that are shown: those that end a text are not."""
    for piece in pieces:
        yield from (e for e in piece.logprobs if e.token not in writer.stop_tokens)
