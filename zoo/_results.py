"""Measured results as a Markdown table and as a picture, from the recorded files."""

import zoo


def table(pattern="*"):
    """Markdown of the measured entries: their figures, then what each made."""
    entries = measured(pattern)
    text = [entry for entry in entries if "bits_per_character" in entry.result.other]
    others = [entry for entry in entries if entry not in text]
    parts = []
    if text:
        parts += _rows("nats a character | bits", text, _language)
    if others:
        parts += _rows("figures", others, _figures)
    return "\n".join(parts), "\n".join(_made(entry) for entry in entries)


def _rows(heading, entries, figures):
    columns = f"| entry | {heading} | parameters | training | seed |"
    yield columns
    yield "|" + "---|" * (columns.count("|") - 1)
    for entry in entries:
        result = entry.result
        yield (
            f"| `{entry.name}` | {figures(result)} | {result.parameters:,} "
            f"| {result.steps:,} steps, {result.seconds:,.0f} s | {result.seed} |"
        )
    yield ""


def _language(result):
    nats = result.other.get("nats_per_character", result.value)
    return f"{nats:.4f} | {result.other['bits_per_character']:.4f}"


def _figures(result):
    figures = {result.metric: result.value, **result.other}
    return ", ".join(f"{name} {value:.4f}" for name, value in figures.items())


def _made(entry):
    result = entry.result
    if result.picture:
        shown = f"![{entry.name}](../zoo/results/{result.picture})\n"
    else:
        shown = f"```text\n{result.sample.strip()[:300]}\n```\n"
    return f"### `{entry.name}`\n\n{shown}"


def measured(pattern="*"):
    """Entries that have a result, the lowest value first."""
    entries = [zoo.get(name) for name in zoo.names(pattern)]
    found = [entry for entry in entries if entry.result is not None]
    return sorted(found, key=lambda entry: entry.result.value)


def picture(path, pattern="*"):
    """Writes a bar a measured entry, shorter is better, as a PNG.

    Args:
        path: path of the picture.
        pattern: str, which entries.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    entries = measured(pattern)[::-1]
    figure = Figure(figsize=(8, 0.34 * len(entries) + 1), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    values = [entry.result.value for entry in entries]
    neural = [not entry.name.startswith("ngram") for entry in entries]
    colours = ["#c1440e" if one else "#4f6d7a" for one in neural]
    bars = axes.barh([entry.name for entry in entries], values, color=colours)
    axes.bar_label(bars, fmt="%.3f", padding=3)
    axes.set(xlabel="nats per character of unseen text, less is better")
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)
