"""How a conversation is written down for a model, as it was trained to read it."""

import dataclasses

from keras_genai.registry import register

SPEAKERS = ("person", "model", "system")


@register
@dataclasses.dataclass(frozen=True)
class Turns:
    """The marks around and between what a person and a model say.

    A model writes what follows `text` of all turns before, up to and with `end`;
    `spans` says where that is. So a model that was trained on the one is asked by the
    other, to the last blank.

    Args:
        person: str with one `{}`, around what the person says.
        model: str with one `{}`, around what the model said.
        separator: str between two turns.
        opening: str before the first one.
        cue: str after the last one, which the model answers. What stands before its
            words, `separator` and the beginning of `model`, begins with it.
        stop: tuple of str. Each ends an answer.
        end: str that the model writes when it has said all, a text or a special token
            of the tokenizer; or empty.
        system: str with one `{}`, around what the model is told before all turns.
        tokens: tuple of str. Special tokens that the others spell. A tokenizer without
            them, which anybody could spell then, is refused; `add_tokens` of
            `keras_genai.tasks` adds them.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if there is not one `{}` where there has to be, or if `cue` does not
            begin a turn of the model.
    """

    person: str
    model: str
    separator: str
    opening: str = ""
    cue: str = ""
    stop: tuple = ()
    end: str = ""
    system: str = "{}"
    tokens: tuple = ()

    def __post_init__(self):
        for name in ("stop", "tokens"):  # a file has lists
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name, text in self._texts():
            if not isinstance(text, str):
                raise TypeError(f"`{name}` must be a str. Received: {name}={text!r}")
        for name in SPEAKERS:
            if getattr(self, name).count("{}") != 1:
                raise ValueError(
                    f"`{name}` must have one {{}}, where the words go. "
                    f"Received: {name}={getattr(self, name)!r}"
                )
        before = self.separator + self.model.partition("{}")[0]
        if not before.startswith(self.cue):
            raise ValueError(
                "`cue` must begin what stands before the model's words, "
                f"{before!r}. Received: cue={self.cue!r}"
            )

    def get_config(self):
        return dataclasses.asdict(self)

    def text(self, turns):
        """The conversation as one text, for the model to go on.

        Args:
            turns: sequence of `(speaker, text)`, the speaker `"person"`, `"model"` or
                `"system"`.
        """
        return self.spans(turns)[0] + self.cue

    def spans(self, turns):
        """A conversation as one text, and where in it the model speaks.

        Args:
            turns: see `text`.

        Returns:
            `(text, spans)`: str, without a last cue; and a list of `(start, stop)`, a
            pair of ints for each turn of the model: the characters that it writes, its
            `end` included.

        Raises:
            ValueError: if a speaker is none of the three.
        """
        text, found = self.opening, []
        # How much of a turn the cue has said already; less than nothing where the
        # model also writes the separator.
        said_before = len(self.cue) - len(self.separator)
        for number, (who, said) in enumerate(turns):
            text += self.separator if number else ""
            start = len(text) + (said_before if number else max(said_before, 0))
            # Not `format`, because what people say may have braces.
            text += self._mark(who).replace("{}", said)
            if who == "model":
                text += self.end
                found.append((start, len(text)))
        return text, found

    def stops(self, tokenizer):
        """What ends an answer, for `generate`.

        Args:
            tokenizer: `keras_genai.data.tokenizers.Tokenizer`.

        Returns:
            tuple of `end` and of all of `stop`: int for special tokens, which leave no
            trace in a text; str for what is found in it.
        """
        texts = tuple(text for text in (self.end, *self.stop) if text)
        special = tokenizer.special_tokens if texts else {}
        return tuple(special.get(text, text) for text in texts)

    def check(self, tokenizer):
        """Raises a `ValueError` if a tokenizer would spell out a special token."""
        special = tokenizer.special_tokens
        spelled = [token for token in self.tokens if token not in special]
        if not tokenizer.special_in_text:
            marks = [text for name, text in self._texts() if name != "stop"]
            spelled += [
                token for token in special if any(token in mark for mark in marks)
            ]
        if spelled:
            raise ValueError(
                "`turns` must be for a tokenizer that reads each special token of them "
                "as one; `add_tokens` of keras_genai.tasks makes such a model. "
                f"Received: one that spells {spelled[0]!r}"
            )

    def _mark(self, who):
        if who not in SPEAKERS:
            raise ValueError(
                f"A speaker must be one of {', '.join(SPEAKERS)}. Received: {who!r}"
            )
        return getattr(self, who)

    def _texts(self):
        """`(name, text)` of every text, those of tuples one by one."""
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            for text in value if isinstance(value, tuple) else (value,):
                yield field.name, text


# A text that any language model may have seen something like.
PLAIN = Turns(
    person="User: {}",
    model="Bot: {}",
    separator="\n",
    cue="\nBot:",
    stop=("\nUser:", "\nBot:"),
)
# Two marks that are tokens of their own: what most published chat models read, and how
# to teach a new one. See `keras_genai.tasks.add_tokens`.
CHATML = Turns(
    system="<|im_start|>system\n{}<|im_end|>",
    person="<|im_start|>user\n{}<|im_end|>",
    model="<|im_start|>assistant\n{}",
    separator="\n",
    cue="\n<|im_start|>assistant\n",
    end="<|im_end|>",
    tokens=("<|im_start|>", "<|im_end|>"),
)
# Two blanks between turns, each of which begins with one: Roller et al. 2021 as
# transformers' Blenderbot tokenizer joins them.
BLENDERBOT = Turns(person=" {}", model=" {}", separator="  ")
# T5 was never trained to chat: this asks it, as an instruction, to go on.
INSTRUCTION = Turns(
    person="Person: {}",
    model="Assistant: {}",
    separator=" ",
    opening="Read the dialog and write the assistant's next answer. ",
    cue=" Assistant:",
    stop=("Person:",),
)
