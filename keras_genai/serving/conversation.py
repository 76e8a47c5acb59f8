"""A conversation as messages, written down as a model was trained to read it."""

from collections.abc import Sequence
from typing import Any

from keras_genai.serving.errors import invalid, of_library

SPEAKERS = {
    "system": "system",
    "developer": "system",
    "user": "person",
    "assistant": "model",
}


def written(model: Any, messages: Sequence[Any]) -> str:
    """What a model reads of a conversation: all of it, nothing is forgotten.

    Nobody can spell a mark of the conversation: special tokens are left out of what is
    said; and where marks are plain text, such as `User:` in a line of its own, a
    message stays in one line, as in `Chat`.

    Args:
        model: `CausalLM` or `Seq2SeqLM` with a tokenizer.
        messages: `keras_genai.serving.openai_schema.Message`s.

    Returns:
        str, for the model to go on.

    Raises:
        Refusal: if a template of the model refuses such a conversation.
    """
    clean = model.tokenizer.without_special
    if has_text_marks(model):
        clean = _one_line(model.tokenizer)
    turns = [(SPEAKERS[message.role], clean(message.said)) for message in messages]
    if not any(said.strip() for _, said in turns):
        raise invalid(
            "`messages` must be more than blanks and special tokens.", "messages"
        )
    try:
        return model.turns.text(turns)
    except ValueError as error:
        raise of_library(error, "messages") from error


def stops(model: Any) -> tuple[str | int, ...]:
    """tuple of str and int: what ends an answer in a conversation with a model."""
    return tuple(model.turns.stops(model.tokenizer))


def has_text_marks(model: Any) -> bool:
    """bool: whether turns end with what anybody could write, and no special token."""
    found = stops(model)
    return not found or any(isinstance(stop, str) for stop in found)


def can_chat(model: Any) -> bool:
    """bool: whether a model's tokenizer reads the marks of its conversations."""
    try:
        model.turns.check(model.tokenizer)
    except ValueError:
        return False
    return True


def _one_line(tokenizer):
    """A function that joins lines, and leaves out what spells a special token."""

    def joined(text):
        while text != (rest := " ".join(tokenizer.without_special(text).split())):
            text = rest  # without some blanks it may spell another one
        return text

    return joined
