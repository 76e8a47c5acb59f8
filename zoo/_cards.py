"""The card of an entry's preset: the model's own, and how the entry uses the model."""

import inspect

from keras_genai.tasks import cards
from zoo.entry import kept

OTHERS = ("count", "seed")  # of which a card says nothing


def card(model, entry, facts, sample=""):
    """The text of README.md in a preset of an entry.

    Args:
        model: `Task`, or one that has the entry's as its policy.
        entry: `Entry`.
        facts: dict from str to str, what is known of the run.
        sample: str, something that the model made.
    """
    model = kept(model)
    scored = asked(entry.evaluate, model)
    if scored:
        said = ", ".join(f"{name} {value}" for name, value in scored.items())
        facts = {"scored with": said, **facts}
    example = asked(entry.sample, model)
    return cards.card(model, entry.name, entry.head, facts, sample, example)


def asked(function, model):
    """What an entry's `sample` or `evaluate` asks of its model's `generate`.

    Args:
        function: callable. What a `functools.partial` gives it is looked at.
        model: `Task`.

    Returns:
        dict of arguments of `generate`, texts and numbers; of several the first.
    """
    known = {kind.argument for kind in model.given}
    if hasattr(model, "generate"):
        known |= inspect.signature(model.generate).parameters.keys()
    found = {}
    for name, value in getattr(function, "keywords", {}).items():
        value = value[0] if isinstance(value, tuple) and value else value
        if name in known - {*OTHERS} and isinstance(value, str | int | float):
            found[name] = value
    return found
