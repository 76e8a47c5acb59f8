"""Conversations as a published chat template writes them down."""

import dataclasses
import itertools
import warnings

from keras_genai.data.chat_templates import render
from keras_genai.data.template_leash import TemplateError
from keras_genai.data.turns import SPEAKERS
from keras_genai.registry import register

ROLES = {"person": "user", "model": "assistant", "system": "system"}


@register
@dataclasses.dataclass(frozen=True)
class TemplateTurns:
    """A conversation written down by a Jinja template; in use, as `Turns`.

    Args:
        template: str, the program; see `keras_genai.data.chat_templates`.
        special: tuple of pairs of str, what the template knows special tokens by and
            their texts: `("bos_token", "<s>")`.
        end: str that the model writes when it has said all, or empty.
        drops: str. What a tokenizer puts before a text by itself: it is left out at
            the beginning, where the template has it, too.

    Raises:
        TypeError: if an argument is of a wrong type.
    """

    template: str
    special: tuple = ()
    end: str = ""
    drops: str = ""

    tokens = ()  # special ones that somebody would have to add: they are there

    def __post_init__(self):
        for name in ("template", "end", "drops"):
            if not isinstance(getattr(self, name), str):
                raise TypeError(
                    f"`{name}` must be a str. Received: {getattr(self, name)!r}"
                )
        pairs = tuple(tuple(pair) for pair in self.special)  # a file has lists
        if not all(list(map(type, pair)) == [str, str] for pair in pairs):
            raise TypeError(
                f"`special` must be pairs of str. Received: {str(self.special)[:80]}"
            )
        object.__setattr__(self, "special", pairs)

    def get_config(self):
        return dataclasses.asdict(self)

    def text(self, turns):
        """The conversation as one text, for the model to go on. See `Turns.text`.

        Answers before the first question are left out, where a `Chat` has forgotten
        what was asked: many templates refuse them.

        Raises:
            ImportError: if Jinja is not installed.
            TemplateError: if the template refuses the conversation, or is refused.
        """
        told = list(itertools.takewhile(lambda turn: turn[0] == "system", turns))
        rest = itertools.dropwhile(lambda turn: turn[0] == "model", turns[len(told) :])
        return self._written([*told, *rest], cue=True)

    def spans(self, turns):
        """A conversation as one text, and where in it the model speaks.

        Args, returns: see `Turns.spans`.

        Raises:
            ValueError: if what stands before an answer is not what the model reads when
                it is asked for one.
        """
        turns = list(turns)
        text, found = self._written(turns), []
        for number, (who, _) in enumerate(turns):
            if who != "model":
                continue
            before = self._written(turns[:number], cue=True)
            upto = self._written(turns[: number + 1])
            if not text.startswith(before) or not text.startswith(upto):
                raise TemplateError(
                    "the chat template must write an answer behind what the model "
                    f"reads. Received: turn {number}, {upto[-80:]!r}"
                )
            stop = len(upto)
            if self.end:
                place = text.find(self.end, len(before), stop)
                stop = stop if place < 0 else place + len(self.end)
            found.append((len(before), stop))
        return text, found

    def stops(self, tokenizer):
        """What ends an answer, for `generate`. See `Turns.stops`."""
        special = tokenizer.special_tokens if self.end else {}
        return (special.get(self.end, self.end),) if self.end else ()

    def check(self, tokenizer):
        """Raises a `ValueError` if a tokenizer would spell out special tokens."""
        if not tokenizer.special_in_text:
            raise ValueError(
                "`turns` of a template must be for a tokenizer that reads special "
                "tokens in a text. Received: one that spells them"
            )

    def _written(self, turns, cue=False):
        for who, _ in turns:
            if who not in SPEAKERS:
                raise ValueError(
                    f"A speaker must be one of {', '.join(SPEAKERS)}. Received: {who!r}"
                )
        messages = [{"role": ROLES[who], "content": said} for who, said in turns]
        text = render(
            self.template,
            messages=messages,
            add_generation_prompt=cue,
            **dict(self.special),
        )
        return text.removeprefix(self.drops)


def template_turns(template, special, tokenizer):
    """The `TemplateTurns` of a published template.

    Args:
        template: str.
        special: dict of str, as `bos_token` to its text.
        tokenizer: `Tokenizer`.

    Returns:
        `TemplateTurns`, after a question and an answer were written by it.

    Raises:
        ImportError: if Jinja is not installed.
        TemplateError: if it is refused.
    """
    first = tokenizer.encode("")
    drops = tokenizer.core.id_to_token(int(first[0])) if len(first) == 1 else ""
    turns = TemplateTurns(template, tuple(special.items()), drops=drops or "")
    question, answer = ("person", "question"), ("model", "answer")
    asked = render(
        template,
        messages=[{"role": "user", "content": "question"}],
        add_generation_prompt=True,
        **special,
    )
    if drops and not asked.startswith(drops):
        warnings.warn(
            f"the tokenizer begins every text with {drops}, which the chat template "
            "does not",
            stacklevel=2,
        )
    tail = turns.spans([question, answer])[0].rpartition("answer")[2]
    ends = [(tail.find(token), token) for token in tokenizer.special_tokens]
    ends = sorted(end for end in ends if end[0] >= 0)
    return dataclasses.replace(turns, end=ends[0][1] if ends else "")
