"""Decode settings that belong to a model: without them the same weights look broken."""

import dataclasses
from typing import Any

from keras_genai.checks import check_flags, check_integer, check_number
from keras_genai.registry import register
from keras_genai.samplers.penalties import LogitBias, Renormalize, RepetitionPenalty
from keras_genai.samplers.places import ForcedEnd, ForcedStart, MinLength, NotFirst
from keras_genai.samplers.runs import BadWords, NoRepeatNgram, NoSourceNgram
from keras_genai.samplers.tokens import Beam, Greedy


@register
@dataclasses.dataclass(frozen=True)
class GenerationSettings:
    """How a model's text is decoded when nobody says otherwise.

    Names and meanings are those of a `generation_config.json`; lengths count the
    tokens of the decoder, the one it starts with included.

    Args:
        max_length: int >= 2.
        min_length: int >= 0.
        num_beams: int >= 1. 1 is greedy decoding.
        length_penalty: float. See `Beam`.
        early_stopping: `True`, `False` or `"never"`. See `Beam`.
        repetition_penalty: float > 0. 1 changes nothing.
        no_repeat_ngram_size: int >= 0. 0 forbids nothing; likewise the next one.
        encoder_no_repeat_ngram_size: int >= 0.
        bad_words: sequence of sequences of int, or empty. See `BadWords`.
        suppress_tokens: sequence of int. Tokens that never appear.
        begin_suppress_tokens: sequence of int. Tokens that no text begins with.
        decoder_start_token: int or `None` (the tokenizer's start token).
        forced_start_token: int or `None`. The first token after that.
        forced_end_tokens: sequence of int. What a text of `max_length` ends with.
        end_tokens: sequence of int, or `None` (the tokenizer's end token).
        renormalize_logits: bool. See `Renormalize`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range.
    """

    max_length: int = 20
    min_length: int = 0
    num_beams: int = 1
    length_penalty: float = 1.0
    early_stopping: bool | str = False
    repetition_penalty: float = 1.0
    no_repeat_ngram_size: int = 0
    encoder_no_repeat_ngram_size: int = 0
    bad_words: tuple = ()
    suppress_tokens: tuple = ()
    begin_suppress_tokens: tuple = ()
    decoder_start_token: int | None = None
    forced_start_token: int | None = None
    forced_end_tokens: tuple = ()
    end_tokens: tuple | None = None
    renormalize_logits: bool = False

    def __str__(self):
        shown = {"max_length", "num_beams"}
        return ", ".join(
            f"{field.name} {getattr(self, field.name)}"
            for field in dataclasses.fields(self)
            if field.name in shown or getattr(self, field.name) != field.default
        )

    def __post_init__(self):
        # A file has lists for all of these.
        for name in (
            *("suppress_tokens", "begin_suppress_tokens"),
            *("forced_end_tokens", "end_tokens"),
        ):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, tuple(getattr(self, name)))
        words = tuple(tuple(word) for word in self.bad_words)
        object.__setattr__(self, "bad_words", words)
        check_integer("max_length", self.max_length, 2)
        check_flags(renormalize_logits=self.renormalize_logits)
        for name in (
            "min_length",
            "no_repeat_ngram_size",
            "encoder_no_repeat_ngram_size",
        ):
            check_integer(name, getattr(self, name), 0)
        check_number(
            "repetition_penalty",
            self.repetition_penalty,
            "a number > 0",
            lambda value: value > 0,
        )
        self.sampler()  # checks the others

    def get_config(self) -> dict[str, Any]:
        return dataclasses.asdict(self)

    def rules(self, begin: int = 1) -> tuple[Any, ...]:
        """tuple: the rules that these settings ask for, in transformers' order.

        Args:
            begin: int. Tokens of the decoder before a text, where nothing is forced.
        """
        banned = {token: -float("inf") for token in self.suppress_tokens}
        begin += self.forced_start_token is not None
        asked: tuple[tuple[Any, Any, Any], ...] = (
            (self.repetition_penalty != 1, RepetitionPenalty, self.repetition_penalty),
            (self.no_repeat_ngram_size, NoRepeatNgram, self.no_repeat_ngram_size),
            (
                self.encoder_no_repeat_ngram_size,
                NoSourceNgram,
                self.encoder_no_repeat_ngram_size,
            ),
            (self.bad_words, BadWords, self.bad_words),
            (self.min_length, MinLength, self.min_length),
            (self.forced_start_token is not None, ForcedStart, self.forced_start_token),
            (self.forced_end_tokens, ForcedEnd, self.forced_end_tokens),
            (banned, LogitBias, banned),
        )
        found = [rule(value) for wanted, rule, value in asked if wanted]
        if self.begin_suppress_tokens:
            found.append(NotFirst(self.begin_suppress_tokens, begin))
        if self.renormalize_logits:
            found.append(Renormalize())
        return tuple(found)

    def sampler(self, begin: int = 1) -> Greedy | Beam:
        """`Greedy`, or `Beam` if there are several beams, with `rules(begin)`."""
        rules = self.rules(begin)
        if self.num_beams == 1:
            return Greedy(rules)
        return Beam(self.num_beams, self.length_penalty, self.early_stopping, rules)
