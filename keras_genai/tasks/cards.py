"""The card of a preset, its README.md: what the model is, and what not to expect."""

import json

LIMITS = """\
What it makes is neither true nor fair because it looks or sounds so: it invents facts,
and repeats the errors and the bias of the data that it learned from."""

CODE = """\
from keras_genai import from_preset

model = from_preset("path/to/this/folder")"""


def card(model, title=None, head="", facts=None, sample="", example=None):
    """The text of a model's card.

    Args:
        model: `Task`.
        title: str or `None`, the model's name.
        head: str. What stands above the facts, such as a paper.
        facts: dict from str to str, such as data and metric, or `None`.
        sample: str. Something that the model made.
        example: dict of arguments with which the card calls `generate`, each a str or a
            number, or `None`: it does not call it.

    Returns:
        str, in Markdown.
    """
    facts = {
        "model": f"{_names(model)}, {model.count_params():,} parameters",
        **({"decoding": model.decoding} if model.decoding else {}),
        **(facts or {}),
    }
    listed = "\n".join(f"- {name}: {text}" for name, text in facts.items())
    shown = f"```text\n{sample}\n```" if sample else ""
    code = f"```python\n{CODE}{_call(example)}\n```"
    parts = [f"# {title or model.name}", head, listed, LIMITS, code, shown]
    return "\n\n".join(part for part in parts if part) + "\n"


def _call(example):
    """A line of Python that makes samples as they are shown; empty without."""
    if not example:
        return ""
    said = (f"{name}={_literal(value)}" for name, value in example.items())
    return f"\nsamples = model.generate({', '.join(said)})"


def _literal(value):
    """A str or a number as Python has it, a str within double quotes."""
    is_text = isinstance(value, str)
    return json.dumps(value, ensure_ascii=False) if is_text else repr(value)


def _names(model):
    """The task, and the networks that it is made of: `CausalLM of GPT`."""
    inside = [type(network).__name__ for network in model.networks.values()]
    return " of ".join([type(model).__name__, *filter(None, [" and ".join(inside)])])
