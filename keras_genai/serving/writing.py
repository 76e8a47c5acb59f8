"""Texts for people who ask over HTTP: requests to an engine, and its answers."""

import asyncio
import dataclasses
import secrets
import time
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

from keras_genai.serving import conversation
from keras_genai.serving.errors import Refusal, failed, invalid, of_library, too_long
from keras_genai.serving.limits import Limits
from keras_genai.serving.openai_schema import ChatCompletion, Completion, Writing
from keras_genai.serving.requests import (
    BusyError,
    EngineError,
    Piece,
    TextRequest,
    TooLongError,
)
from keras_genai.serving.served import Served, refusal_of

COMPLETION_TOKENS = 16  # of a completion, if nobody says how many; as OpenAI has it
# What an engine calls the end of a text, as clients know it.
REASONS = {"stop": "stop", "length": "length", "deadline": "length"}


@dataclasses.dataclass
class Writer:
    """All texts that one request asks for.

    Attributes:
        served: `Served`.
        answers: list of `Completion` of an engine, those of a prompt side by side.
        prompts: list of str: what each of them goes on from.
        stop_tokens: set of int, which end a text and are not shown.
        number: str, of the response.
        created: int, seconds since 1970.
    """

    served: Served
    answers: list[Any]
    prompts: list[str]
    stop_tokens: set[int]
    number: str
    created: int = dataclasses.field(default_factory=lambda: int(time.time()))

    def cancel(self) -> None:
        """Says that nobody wants the rest."""
        for answer in self.answers:
            answer.cancel()

    async def finish(self) -> None:
        """Waits for all texts.

        Raises:
            Refusal: if one could not be finished.
        """
        try:
            for answer in self.answers:
                async for _ in answer:
                    pass
                check_begun(answer)
        except EngineError as error:
            raise refusal_of(error) from error
        finally:
            self.cancel()

    async def pieces(self) -> AsyncIterator[tuple[int, Piece | None]]:
        """Yields pieces of all texts as they come: the number of a text, and a `Piece`.

        The last one of a text is `None`.
        """
        loop = asyncio.get_running_loop()
        came: asyncio.Queue[tuple[int, Piece | None]] = asyncio.Queue()

        def listen(index):
            def put(piece):
                if not loop.is_closed():
                    loop.call_soon_threadsafe(came.put_nowait, (index, piece))

            return put

        for index, answer in enumerate(self.answers):
            answer.subscribe(listen(index))
        left = len(self.answers)
        while left:
            index, piece = await came.get()
            if piece is None:
                left -= 1
                if self.answers[index].error is not None:
                    raise refusal_of(self.answers[index].error)
            yield index, piece

    def usage(self) -> dict[str, Any]:
        """dict: the tokens of all prompts, each once, and of all texts."""
        times = len(self.answers) // len(self.prompts)
        read = sum(answer.prompt_tokens for answer in self.answers[::times])
        wrote = sum(answer.completion_tokens for answer in self.answers)
        return {
            "prompt_tokens": read,
            "completion_tokens": wrote,
            "total_tokens": read + wrote,
        }

    def reason(self, index: int) -> str:
        """str: why a text ended."""
        return REASONS.get(self.answers[index].finish_reason, "stop")


def check_begun(answer: Any) -> None:
    """Raises a `Refusal` if time was over before a first token came."""
    if answer.finish_reason == "deadline" and not answer.completion_tokens:
        raise Refusal(
            408,
            "Its time was over before it was its turn.",
            code="request_timeout",
            kind="server_error",
        )


async def start_chat(
    served: Served, body: ChatCompletion, limits: Limits, client: str
) -> Writer:
    """Asks an engine for what comes next in a conversation.

    Raises:
        Refusal: if it cannot be done.
    """
    limits.check("messages", len(body.messages), "messages")
    if body.max_tokens is not None and body.max_completion_tokens is not None:
        raise invalid(
            "`max_tokens` must be left out beside `max_completion_tokens`.",
            "max_tokens",
        )
    param = "max_tokens" if body.max_tokens is not None else "max_completion_tokens"
    most = body.max_tokens or body.max_completion_tokens
    if body.top_logprobs is not None and not body.logprobs:
        raise invalid(
            "`top_logprobs` must be left out without `logprobs`.", "top_logprobs"
        )
    logprobs = (body.top_logprobs or 0) if body.logprobs else None

    def prompts():
        return [conversation.written(served.model, body.messages)]

    stops = conversation.stops(served.model)
    wish = _Wish(client, most, logprobs, stops, "messages", param)
    return await _start(served, body, limits, prompts, wish, "chatcmpl")


async def start_completion(
    served: Served, body: Completion, limits: Limits, client: str
) -> Writer:
    """Asks an engine to go on from prompts.

    Raises:
        Refusal: if it cannot be done.
    """
    if body.best_of not in (None, body.n or 1):
        raise invalid("`best_of` must be `n`, or left out.", "best_of")
    prompts = several(body.prompt)
    limits.check("prompts", len(prompts), "prompt")
    most = COMPLETION_TOKENS if body.max_tokens is None else body.max_tokens
    wish = _Wish(client, most, body.logprobs, (), "prompt", "max_tokens")
    return await _start(served, body, limits, lambda: prompts, wish, "cmpl")


def check_count(served: Served, prompt: Any) -> tuple[str, int]:
    """A prompt as text, and how many tokens it has.

    Raises:
        Refusal: if those are more than the model can hold.
    """
    starts, inputs = served.model.begin(prompt if isinstance(prompt, str) else [prompt])
    count = len(starts[0]) if not inputs else int(inputs[1].numpy().sum())
    if count > served.engine.length:
        raise too_long(count, served.engine.length, "prompt")
    return _as_text(served.model, prompt), count


def several(prompt: Any) -> list[Any]:
    """list of prompts, str or list of int, of one or of several."""
    if isinstance(prompt, str) or isinstance(prompt[0], int):
        return [prompt]
    return list(prompt)


def new_number(kind: str) -> str:
    """str: what a response is called, unlike all others."""
    return f"{kind}-{secrets.token_hex(12)}"


@dataclasses.dataclass(frozen=True)
class _Wish:
    """What `_start` is told besides a body."""

    client: str
    max_tokens: int | None
    logprobs: int | None
    stops: tuple
    prompt_param: str
    length_param: str


async def _start(
    served: Served,
    body: Writing,
    limits: Limits,
    prompts: Callable[[], Sequence[Any]],
    wish: _Wish,
    kind: str,
) -> Writer:
    count = body.n or 1
    limits.check("n", count, "n")
    if wish.max_tokens is not None:
        limits.check("max_tokens", wish.max_tokens, wish.length_param)
    if body.stream_options is not None and not body.stream:
        raise invalid(
            "`stream_options` must be left out without `stream`.", "stream_options"
        )
    stops = (*wish.stops, *body.stops)

    def start():
        texts = prompts()
        room = served.engine.queue + served.engine.rows
        if count * len(texts) > room:
            raise invalid(
                f"`n` and the number of prompts must be at most {room} together here. "
                f"Received: {count * len(texts)}",
                "n",
            )
        answers = _submit_all(served, body, limits, texts, wish, stops)
        ends, _ = served.model.stops(stops)
        shown = [_as_text(served.model, text) for text in texts]
        return Writer(served, answers, shown, set(ends), new_number(kind))

    # Templates and tokenizers take their time with long texts.
    return await asyncio.to_thread(start)


def _submit_all(served, body, limits, texts, wish, stops):
    answers: list[Any] = []
    seed = secrets.randbits(62) if body.seed is None else body.seed
    try:
        for text in texts:
            for choice in range(body.n or 1):
                own = (seed + choice + 2**63) % 2**64 - 2**63
                request = _request(body, text, wish, stops, own, limits)
                answers.append(_submit(served, request, limits, wish))
    except BaseException:
        for answer in answers:
            answer.cancel()
        raise
    return answers


def _request(body, text, wish, stops, seed, limits):
    given = {
        name: value
        for name in (
            *("temperature", "top_p", "min_p", "typical_p"),
            *("repetition_penalty", "frequency_penalty", "presence_penalty"),
        )
        if (value := getattr(body, name)) is not None
    }
    bias = {int(token): value for token, value in (body.logit_bias or {}).items()}
    try:
        return TextRequest(
            text,
            max_tokens=wish.max_tokens,
            top_k=body.top_k or None,  # 0 is all of them, as vLLM has it
            logit_bias=bias,
            stop=stops,
            seed=seed,
            logprobs=wish.logprobs,
            deadline=limits.seconds,
            client=wish.client,
            **given,
        )
    except (TypeError, ValueError) as error:
        raise of_library(error) from error


def _submit(served, request, limits, wish):
    """A `keras_genai.serving.Completion`.

    Raises:
        Refusal: if there is none.
    """
    try:
        return _submit_capped(served.engine, request, limits.max_tokens)
    except TooLongError as error:
        total = error.prompt_tokens + error.max_tokens
        raise too_long(total, error.context, wish.prompt_param) from error
    except (BusyError, EngineError) as error:
        raise refusal_of(error) from error
    except (TypeError, ValueError) as error:
        raise of_library(error, wish.prompt_param) from error


def _submit_capped(engine, request, most):
    """If nobody said how many: as many as there is room for, but at most `most`."""
    if request.max_tokens is not None or engine.length <= most:
        return engine.submit(request)
    try:
        return engine.submit(dataclasses.replace(request, max_tokens=most))
    except TooLongError as error:
        room = error.context - error.prompt_tokens
        if room < 1:
            raise
    return engine.submit(dataclasses.replace(request, max_tokens=room))


def _as_text(model, prompt):
    """str: a prompt as it is shown where it is to be echoed."""
    return prompt if isinstance(prompt, str) else model.tokenizer.decode(prompt)


def error_of(error: BaseException) -> dict[str, Any]:
    """dict: the body that tells of an error in a stream."""
    return (error if isinstance(error, Refusal) else failed()).body
