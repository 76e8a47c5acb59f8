"""An entry as a card: what it is, how it is made, and what it reached."""

import ast
import textwrap

import zoo
from zoo import _places
from zoo._command import training
from zoo._metrics import metric
from zoo._quiet import start_tensorflow

WIDTH = 88


def show(options):
    """Prints what an entry is, how it is trained, and what it reached."""
    zoo.describe(options.name)
    start_tensorflow()
    print(card(zoo.get(options.name)))


def card(entry):
    """The text of an entry's card.

    Args:
        entry: `Entry`.

    Returns:
        str of several lines.
    """
    text = ast.get_docstring(ast.parse(zoo.code(entry.name)))
    facts = {
        "paper": entry.paper,
        "model": _model(entry),
        "data": _data(entry),
        "recipe": _recipe(entry.recipe),
        "parts": ", ".join(f"a trained {name}" for name in entry.parts.values()),
        "commands": f"{training(entry.name)}\npython -m zoo sample {entry.name}",
        "measured": _measured(entry.result),
        "reference": entry.reference,
        "took": _took(entry.result),
        "weights": _trained(entry),
        "sample": _sample(entry.name, entry.result),
    }
    lines = [_fact(name, value) for name, value in facts.items() if value]
    return "\n".join([f"{entry.name} ({entry.family})", "", text, "", *lines])


def _fact(name, value):
    """A fact beside its name; its own line ends stay."""
    indent = " " * 11
    lines = [
        textwrap.fill(line, WIDTH, initial_indent=indent, subsequent_indent=indent)
        for line in value.split("\n")
    ]
    return f"{name:11}" + "\n".join(lines).removeprefix(indent)


def _model(entry):
    makes = [entry.task, *entry.networks.values()]
    names = " of ".join(make.__name__ for make in makes[:2])
    more = "".join(f" and {make.__name__}" for make in makes[2:])
    return f"{names}{more}: {_settings(entry.config)}"


def _data(entry):
    from zoo.entry import unwrapped

    function, settings = unwrapped(entry.source)
    about = (function.__doc__ or function.__name__).strip().partition("\n")[0]
    return f"{about} {_settings(settings)}".strip()


def _settings(values):
    """Arguments as a person says them: `width 32, dropout 0.1`."""
    return ", ".join(
        f"{key.replace('_', ' ')} {_said(value)}" for key, value in values.items()
    )


def _said(value):
    if callable(value):
        name = getattr(value, "__name__", type(value).__name__)
        return name.replace("_", " ")
    return str(value)


def _recipe(recipe):
    """Steps, batches, optimizers and how learning goes on, in words."""
    if recipe.steps == 1:
        return "counted in one pass"
    made = recipe.compile(steps=recipe.steps)
    optimizers = [
        f"{key.replace('_', ' ')} {_optimizer(value)}"
        for key, value in made.items()
        if key.endswith("optimizer")
    ]
    words = [
        f"{recipe.steps:,} steps of {recipe.batch_size} examples in {recipe.precision}",
        *optimizers,
        *(["compiled by XLA"] if made.get("jit_compile") else []),
        *(["the weights of the lowest validation loss"] if recipe.keep_best else []),
    ]
    return "; ".join(words)


def _optimizer(optimizer):
    rate = optimizer.get_config()["learning_rate"]
    said = _schedule(**rate) if isinstance(rate, dict) else f"{rate:g}"
    return f"{type(optimizer).__name__} at {said}"


def _schedule(class_name, config, **_):
    """A schedule of learning rates; that of `warmup_cosine` in words."""
    if class_name != "CosineDecay":
        return class_name
    peak = config["warmup_target"] or config["initial_learning_rate"]
    warmup = f" after {config['warmup_steps']} steps" if config["warmup_steps"] else ""
    return f"{peak:g}{warmup}, falling by a cosine to {config['alpha']:.0%} of it"


def _measured(result):
    if result is None:
        return "Not measured."
    first = f"{result.metric} {result.value:,.4f} ({metric(result.metric).title})"
    others = (f"{name} {value:,.4f}" for name, value in result.other.items())
    return f"{first}\n{', '.join(others)}"


def _took(result):
    if result is None:
        return ""
    return (
        f"{result.seconds:,.0f} s on {result.hardware}, {result.cores} cores, "
        f"{result.parameters:,} parameters; seed {result.seed}, commit "
        f"{result.commit}, {result.date}"
    )


def _trained(entry):
    """Where trained weights are."""
    found = []
    here = _places.trained(entry.name)
    if here is not None:
        found.append(f"here, in {here}")
    shipped = entry.weights
    if shipped is not None:
        found.append(
            f"ship with the zoo: {shipped.size / 1e6:.2f} MB, {shipped.dtype}; "
            f"{shipped.metric} {shipped.shipped:.4f} measured from them on "
            f"{shipped.date}, {shipped.trained:.4f} as trained; data: {shipped.licence}"
        )
    if entry.hub:
        found.append(f"on the hub: {entry.hub}")
    return "\n".join(found) or "none yet"


def _sample(name, result):
    if result is None:
        return ""
    if result.file:
        return str(zoo.records(name) / result.file)
    return result.sample.strip()
