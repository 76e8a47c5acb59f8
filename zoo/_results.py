"""Measured results as a Markdown table and as a picture, from the recorded files."""

import zoo


def table(pattern="*"):
    """Markdown table of the measured entries, the best first, with a sample each."""
    rows = [
        "| entry | nats a character | bits | parameters | training | seed |",
        "|---|---|---|---|---|---|",
    ]
    samples = []
    for entry in measured(pattern):
        result = entry.result
        nats = result.other.get("nats_per_character", result.value)
        bits = result.other.get("bits_per_character")
        cells = [
            f"`{entry.name}`",
            f"{nats:.4f}",
            f"{bits:.4f}" if bits else "-",
            f"{result.parameters:,}",
            f"{result.steps:,} steps, {result.seconds:,.0f} s",
            f"{result.seed}",
        ]
        rows.append(f"| {' | '.join(cells)} |")
        text = result.sample.strip()[:300]
        samples.append(f"### `{entry.name}`\n\n```text\n{text}\n```\n")
    return "\n".join(rows) + "\n", "\n".join(samples)


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
