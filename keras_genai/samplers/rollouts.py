"""Rollouts: completions that a policy draws, as arrays to learn from."""

import dataclasses
from typing import Any

import numpy as np

from keras_genai.checks import check_seed, check_size
from keras_genai.samplers.session import Session
from keras_genai.samplers.text import Reader
from keras_genai.samplers.tokens import Sample, check_sampler

__all__ = ["Rollout", "completions", "roll"]

LIKELY = ("top_k", "top_p", "min_p", "typical_p")  # what leaves tokens out


@dataclasses.dataclass(frozen=True, eq=False)
class Rollout:
    """Completions of prompts, those of one prompt next to each other.

    Attributes:
        tokens: int32 `(N, T)`: the prompt, the completion, and 0 behind them. Of an
            encoder-decoder what the decoder writes, whose prompt is its start token.
        prompt_lengths: int32 `(N,)`.
        lengths: int32 `(N,)`, of prompt and completion together.
        ended: bool `(N,)`. Whether a completion ended by a stop token, which is then
            its last one; the others were cut by the length.
        inputs: tuple of arrays, what an encoder read: tokens, int32 `(N, S)`, and which
            of them are real, bool `(N, S)`. Empty without an encoder.
    """

    tokens: np.ndarray
    prompt_lengths: np.ndarray
    lengths: np.ndarray
    ended: np.ndarray
    inputs: tuple = ()

    def __len__(self):
        return len(self.tokens)

    @property
    def completion_lengths(self):
        """int32 `(N,)`: tokens of each completion, a stop token included."""
        return self.lengths - self.prompt_lengths

    def generated(self, row):
        """int32 array: the tokens of a completion."""
        return self.tokens[row, self.prompt_lengths[row] : self.lengths[row]]


def roll(
    model: Any,
    prompts: Any,
    count: int = 1,
    length: int = 32,
    seed: int = 0,
    sampler: Sample | None = None,
    stop: Any = (),
) -> Rollout:
    """Draws completions from the whole distribution of a policy.

    Args:
        model: `CausalLM` or `Seq2SeqLM`.
        prompts: str, int tokens, or a list of one of them, as `generate` takes them.
        count: int. Completions of each prompt.
        length: int. Tokens of a completion at most, its stop token included.
        seed: int. With row and place, decides every draw.
        sampler: `Sample` with a temperature and nothing else, or `None` (`Sample()`).
        stop: int tokens that end a completion, besides the model's end token.

    Returns:
        `Rollout` of `count` rows for each prompt.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if one is out of range, if a completion could be longer than the
            model's context, or if `sampler` leaves tokens out: the probabilities that
            are learned from would not be those that were drawn from.
    """
    sampler = Sample() if sampler is None else sampler
    check_plain(sampler)
    check_size("count", count)
    check_size("length", length)
    check_seed(seed)
    begins, inputs = model.begin(prompts)
    _check_context(begins, length, model.context)
    starts = [np.asarray(begin, "int32") for begin in begins]
    inputs = tuple(np.asarray(each) for each in inputs)
    stops = model.end_tokens(stop)
    # A session has one length for all, so every row goes on to the longest prompt's.
    longest = max(len(start) for start in starts)
    width = longest + length
    session = Session(model, starts, sampler, width, stops, seed, inputs, count)
    session.advance()
    inputs = tuple(np.repeat(each, count, axis=0) for each in inputs)
    return _cut(session, len(starts) * count, width, length, stops, inputs)


def completions(rollout, tokenizer, stops=()):
    """What was written, as people read it.

    Args:
        rollout: `Rollout`.
        tokenizer: `Tokenizer`, or `None` for tokens.
        stops: set of int. Tokens that end a completion and are no part of its text.

    Returns:
        list of str, or of int32 arrays.
    """
    return [_said(rollout, row, tokenizer, stops) for row in range(len(rollout))]


def check_plain(sampler):
    """Raises unless a sampler draws from the whole distribution.

    Args:
        sampler: what came.

    Raises:
        TypeError: if it is no sampler.
        ValueError: if it is not `Sample`, or leaves tokens out.
    """
    check_sampler(sampler)
    given = [name for name in LIKELY if getattr(sampler, name, None) is not None]
    given += ["rules"] if sampler.rules else []
    if not isinstance(sampler, Sample) or given:
        raise ValueError(
            "`sampler` must be a Sample with a temperature alone: what is learned from "
            "must be drawn from the probabilities that are learned. Received: "
            f"sampler={type(sampler).__name__} with {', '.join(given) or 'no draws'}"
        )


def _check_context(begins, length, context):
    longest = max(len(start) for start in begins)
    if context is not None and longest + length > context:
        raise ValueError(
            f"`length` must be at most {context - longest}, for a prompt of {longest} "
            f"tokens and {context=}: beyond it a text forgets its beginning, and its "
            f"probability cannot be computed at once. Received: {length=}"
        )


def _cut(session, count, width, length, stops, inputs):
    """`Rollout` of a finished session, each completion of at most `length` tokens."""
    prompt_lengths = session.prompt_lengths[:count]
    lengths = np.minimum(session.lengths[:count], prompt_lengths + length)
    places = np.arange(width)[None]
    tokens = np.where(places < lengths[:, None], session.tokens[:count, :width], 0)
    last = np.take_along_axis(tokens, lengths[:, None] - 1, axis=1)[:, 0]
    ended = np.isin(last, list(stops))
    return Rollout(tokens.astype("int32"), prompt_lengths, lengths, ended, inputs)


def _said(rollout, row, tokenizer, stops):
    prompt = rollout.tokens[row, : rollout.prompt_lengths[row]]
    reader = Reader(prompt, tokenizer, (), stops)
    reader.read(rollout.generated(row), True)
    return reader.ids if tokenizer is None else reader.text
