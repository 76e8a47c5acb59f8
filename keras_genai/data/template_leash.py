"""The leash of chat templates: how much a program of strangers may take."""

import contextvars
import time

LARGEST_TEMPLATE = 64 * 2**10  # characters
LARGEST_TEXT = 2**20  # characters, of a value and of all that is written
LARGEST_VALUE = 10_000  # elements, those of elements too
MOST_STEPS = 100_000  # passes of loops and calls of macros
DEADLINE = 5.0  # seconds


class TemplateError(ValueError):
    """A template that is refused, or that refuses a conversation."""


class Leash:
    """Counts what one rendering takes."""

    def __init__(self):
        self.steps, self.characters = 0, 0
        self.until = time.monotonic() + DEADLINE

    def step(self, characters=0):
        """Called once a pass of a loop, with what its text alone will write."""
        self.steps += 1
        self.characters += characters
        if self.steps > MOST_STEPS:
            raise TemplateError(f"the chat template takes more than {MOST_STEPS} steps")
        self.look()

    def look(self):
        if self.characters > LARGEST_TEXT:
            raise TemplateError(
                f"the chat template writes more than {LARGEST_TEXT} characters"
            )
        if time.monotonic() > self.until:
            raise TemplateError(f"the chat template takes more than {DEADLINE} s")

    def value(self, value):
        """`value`, if it is not too large."""
        self.look()
        _measure(value, [LARGEST_VALUE], [LARGEST_TEXT])
        return value

    def shown(self, value):
        """`value`, which is about to be written."""
        self.value(value)
        self.characters += len(value) if isinstance(value, str) else len(str(value))
        self.look()
        return value

    def written(self, pieces):
        found, length = [], 0
        for piece in pieces:
            length += len(piece)
            if length > LARGEST_TEXT:
                raise TemplateError(
                    f"the chat template writes more than {LARGEST_TEXT} characters"
                )
            found.append(piece)
        return "".join(found)


def _measure(value, elements, characters):
    """Counts down what is inside a value, shared parts as often as they are seen."""
    if isinstance(value, str | bytes):
        characters[0] -= len(value)
    elif isinstance(value, int) and value.bit_length() > 64:
        raise TemplateError("the chat template makes an int of more than 64 bits")
    elif isinstance(value, dict):
        for pair in value.items():
            _measure(pair, elements, characters)
    elif isinstance(value, list | tuple):
        for each in value:
            _measure(each, elements, characters)
    elements[0] -= 1
    if min(elements[0], characters[0]) < 0:
        raise TemplateError(
            f"the chat template makes a value of more than {LARGEST_VALUE} elements or "
            f"{LARGEST_TEXT} characters"
        )


LEASH = contextvars.ContextVar("leash")  # of the rendering in this thread


def check_growth(name, text, *args):
    """Refuses a replacement or a junction before it takes memory."""
    length = len(text)
    if name == "replace" and len(args) > 1:
        length += text.count(str(args[0])) * len(str(args[1]))
    elif name == "join" and args:
        parts = list(args[0])
        length = len(text) * len(parts) + sum(len(str(part)) for part in parts)
    if length > LARGEST_TEXT:
        raise TemplateError(f"the chat template makes a text of {length} characters")
