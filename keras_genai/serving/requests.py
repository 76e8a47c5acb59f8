"""What is asked of an engine for texts, and the pieces that come."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

from keras_genai.checks import check_integer, check_number, check_seed
from keras_genai.samplers.penalties import (
    FrequencyPenalty,
    LogitBias,
    PresencePenalty,
    RepetitionPenalty,
)
from keras_genai.samplers.tokens import Greedy, Sample

MOST_ALTERNATIVES = 20  # tokens whose log-probability is said beside the chosen one's
MOST_STOP_TOKENS = 16  # of one request, those of the model among them
LARGEST_PENALTY = (
    100.0  # beyond it a token is forbidden, which `logit_bias` says better
)


@dataclasses.dataclass(frozen=True)
class TextRequest:
    """A text that is asked for.

    What it asks for is what `generate` writes with `request.sampler(...)` and its
    `seed`, token for token.

    Args:
        prompt: str or sequence of int tokens. What is continued; of an encoder-decoder,
            what is read.
        max_tokens: int >= 1, or `None`: as many as there is room for.
        temperature: float >= 0. 0 takes the most likely token.
        top_k, top_p, min_p, typical_p: see `keras_genai.samplers.Sample`.
        repetition_penalty: float > 0. See `RepetitionPenalty`.
        frequency_penalty, presence_penalty: float from -100 to 100. See
            `FrequencyPenalty` and `PresencePenalty`; of what has been written.
        logit_bias: mapping of token to float. See `LogitBias`.
        stop: sequence of str and int tokens that end a text, besides those of the
            model.
        seed: int of 64 bits, or `None`: one that nobody knows, see `Completion.seed`.
        logprobs: int from 0 to 20, or `None`. How many of the likeliest tokens are said
            with their log-probability beside each chosen one's, of the model's own
            logits, before any rule or temperature.
        deadline: float > 0, seconds from `submit` until an answer ends anyway, or
            `None`.
        client: str. Who asks; clients take turns, see `Engine`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range.
    """

    prompt: str | Sequence[int]
    max_tokens: int | None = None
    temperature: float = 1.0
    top_k: int | None = None
    top_p: float | None = None
    min_p: float | None = None
    typical_p: float | None = None
    repetition_penalty: float = 1.0
    frequency_penalty: float = 0.0
    presence_penalty: float = 0.0
    logit_bias: Mapping[int, float] = dataclasses.field(default_factory=dict)
    stop: tuple[str | int, ...] = ()
    seed: int | None = None
    logprobs: int | None = None
    deadline: float | None = None
    client: str = ""

    def __post_init__(self):
        if self.max_tokens is not None:
            check_integer("max_tokens", self.max_tokens, 1)
        finite = "a number >= 0, below inf"
        check_number(
            "temperature", self.temperature, finite, lambda t: 0 <= t < math.inf
        )
        for name in ("frequency_penalty", "presence_penalty"):
            check_number(
                name,
                getattr(self, name),
                f"a number from {-LARGEST_PENALTY} to {LARGEST_PENALTY}",
                lambda penalty: abs(penalty) <= LARGEST_PENALTY,
            )
        if isinstance(self.stop, str | int):
            raise TypeError(
                f"`stop` must be a tuple of str or int. Received: stop={self.stop!r}"
            )
        object.__setattr__(self, "stop", tuple(self.stop))
        object.__setattr__(self, "logit_bias", dict(self.logit_bias))
        if self.seed is not None:
            check_seed(self.seed)
        if self.logprobs is not None:
            check_integer("logprobs", self.logprobs, 0)
            if self.logprobs > MOST_ALTERNATIVES:
                raise ValueError(
                    f"`logprobs` must be at most {MOST_ALTERNATIVES}. "
                    f"Received: logprobs={self.logprobs}"
                )
        if self.deadline is not None:
            seconds = "a number of seconds > 0"
            check_number("deadline", self.deadline, seconds, lambda s: s > 0)
        if not isinstance(self.client, str):
            raise TypeError(f"`client` must be a str. Received: client={self.client!r}")
        self.sampler()  # checks the others

    def rules(self, begin: int = 0) -> tuple[Any, ...]:
        """tuple: the rules that this request asks for.

        Args:
            begin: int. Tokens that stand before what is written.
        """
        asked: tuple[tuple[Any, Any], ...] = (
            (self.repetition_penalty != 1, RepetitionPenalty(self.repetition_penalty)),
            (self.frequency_penalty, FrequencyPenalty(self.frequency_penalty, begin)),
            (self.presence_penalty, PresencePenalty(self.presence_penalty, begin)),
            (self.logit_bias, LogitBias(dict(self.logit_bias))),
        )
        return tuple(rule for wanted, rule in asked if wanted)

    def sampler(self, begin: int = 0, rules: tuple = ()) -> Greedy | Sample:
        """The sampler with which `generate` writes what this request asks for.

        Args:
            begin: int. Tokens that stand before what is written: those of the prompt,
                or the start token of an encoder-decoder.
            rules: tuple of rules that the model itself has; they come first.
        """
        rules = (*rules, *self.rules(begin))
        kinds = ("top_k", "top_p", "min_p", "typical_p")
        kept = {name: getattr(self, name) for name in kinds}
        sample = Sample(self.temperature or 1.0, **kept, rules=rules)
        return sample if self.temperature else Greedy(rules)


@dataclasses.dataclass(frozen=True)
class TokenLogprob:
    """How likely a model found a token of its text.

    Args:
        token: int.
        logprob: float. Natural logarithm of its probability among all tokens, before
            any rule or temperature.
        alternatives: tuple of `(token, logprob)`, the likeliest tokens, best first; the
            chosen one may be among them.
    """

    token: int
    logprob: float
    alternatives: tuple[tuple[int, float], ...] = ()


@dataclasses.dataclass(frozen=True)
class Piece:
    """What an answer has gained, and will not lose again.

    Args:
        text: str. What may be shown: what may still become a stop text or another
            character is held back. `""` of a model without a tokenizer.
        tokens: tuple of int. Those of the text; a stop token is the last of them.
        logprobs: tuple of `TokenLogprob`, one a token if they were asked for.
    """

    text: str
    tokens: tuple[int, ...] = ()
    logprobs: tuple[TokenLogprob, ...] = ()


class BusyError(RuntimeError):
    """Too many requests wait already.

    Attributes:
        retry_after: float, seconds after which there should be room.
    """

    def __init__(self, waiting: int, retry_after: float):
        super().__init__(
            f"{waiting} requests wait already, as many as may. "
            f"Try again in {retry_after:.0f} s."
        )
        self.retry_after = retry_after


class TooLongError(ValueError):
    """A prompt and the tokens asked for are more than the model can hold.

    Attributes:
        prompt_tokens: int.
        max_tokens: int.
        context: int. Most tokens of both.
    """

    def __init__(self, prompt_tokens: int, max_tokens: int, context: int):
        super().__init__(
            f"`prompt` and `max_tokens` must be at most {context} tokens together. "
            f"Received: {prompt_tokens} tokens and max_tokens={max_tokens}"
        )
        self.prompt_tokens = prompt_tokens
        self.max_tokens = max_tokens
        self.context = context


class EngineError(RuntimeError):
    """The engine has failed or was closed, so that no answer can be finished."""
