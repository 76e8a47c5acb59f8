"""The card of a preset, its README.md: what the model is, and what not to expect."""

LIMITS = """\
What it makes is neither true nor fair because it looks or sounds so: it invents facts,
and repeats the errors and the bias of the data that it learned from."""

CODE = """\
```python
from keras_genai import from_preset

model = from_preset("path/to/this/folder")
```"""


def card(model, title=None, head="", facts=None, sample=""):
    """The text of a model's card.

    Args:
        model: `Task`.
        title: str or `None`, the model's name.
        head: str. What stands above the facts, such as a paper.
        facts: dict from str to str, such as data and metric, or `None`.
        sample: str. Something that the model made.

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
    parts = [f"# {title or model.name}", head, listed, LIMITS, CODE, shown]
    return "\n\n".join(part for part in parts if part) + "\n"


def _names(model):
    """The task, and the networks that it is made of: `CausalLM of GPT`."""
    inside = [type(network).__name__ for network in model.networks.values()]
    return " of ".join([type(model).__name__, *filter(None, [" and ".join(inside)])])
