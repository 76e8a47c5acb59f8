"""How a conversation is written down for a model, as it was trained to read it."""

import dataclasses

from keras_genai.registry import register


@register
@dataclasses.dataclass(frozen=True)
class Turns:
    """The marks between what a person and a model say.

    Args:
        person: str with one `{}`, around what the person says.
        model: str with one `{}`, around what the model said.
        separator: str between two turns.
        opening: str before the first one.
        cue: str after the last one, which the model answers.
        stop: tuple of str. Each ends an answer.
    """

    person: str
    model: str
    separator: str
    opening: str = ""
    cue: str = ""
    stop: tuple = ()

    def __post_init__(self):
        object.__setattr__(self, "stop", tuple(self.stop))  # a file has a list

    def get_config(self):
        return dataclasses.asdict(self)

    def text(self, turns):
        """The conversation as one text.

        Args:
            turns: sequence of `(speaker, text)`, the speaker `"person"` or `"model"`.
        """
        marks = {"person": self.person, "model": self.model}
        # Not `format`, because what people say may have braces.
        written = [marks[who].replace("{}", said) for who, said in turns]
        return self.opening + self.separator.join(written) + self.cue


# A text that any language model may have seen something like.
PLAIN = Turns(
    person="User: {}",
    model="Bot: {}",
    separator="\n",
    cue="\nBot:",
    stop=("\nUser:", "\nBot:"),
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
