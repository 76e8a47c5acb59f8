"""Measured results as a Markdown table and as a picture, from the recorded files."""

import io
import itertools

import zoo
from zoo._metrics import metric
from zoo.entry import Result


def table(pattern="*"):
    """Markdown of the measured entries: a table for each metric, then what each made.

    Args:
        pattern: str, which entries.

    Returns:
        Two str.

    Raises:
        ValueError: if no entry that matches has been measured.
    """
    groups = measured(pattern)
    rows = [line for name, entries in groups.items() for line in _rows(name, entries)]
    made = [_made(*each) for entries in groups.values() for each in entries]
    return "\n".join(rows), "\n".join(made)


def measured(pattern="*"):
    """What was measured, read from the records: no entry is run.

    Returns:
        dict from the name of a metric to its list of `(name, Result)`, the best first.
    """
    paths = {name: zoo.record(name) for name in zoo.names(pattern)}
    found = [
        (name, Result.model_validate_json(path.read_bytes()))
        for name, path in paths.items()
        if path.is_file()
    ]
    if not found:
        raise ValueError(
            f"`pattern` must match a measured entry. Received: {pattern!r}"
        )
    found.sort(key=lambda each: each[1].metric)
    return {
        name: sorted(group, key=lambda each: metric(name).loss(each[1].value))
        for name, group in itertools.groupby(found, key=lambda each: each[1].metric)
    }


def _rows(name, entries):
    columns = (
        f"| entry | {name} ({metric(name).title}) | other figures | parameters "
        "| training | seed |"
    )
    yield columns
    yield "|" + "---|" * (columns.count("|") - 1)
    for entry, result in entries:
        others = ", ".join(f"{key} {value:.4f}" for key, value in result.other.items())
        yield (
            f"| `{entry}` | {result.value:.4f} | {others} | {result.parameters:,} "
            f"| {result.steps:,} steps, {result.seconds:,.0f} s | {result.seed} |"
        )
    yield ""


def _made(name, result):
    if result.file:
        mark = "!" if result.file.endswith(".png") else ""
        shown = f"{mark}[{name}](../zoo/results/{result.file})\n"
    else:
        shown = f"```text\n{result.sample.strip()[:300]}\n```\n"
    return f"### `{name}`\n\n{shown}"


def picture(pattern="*"):
    """The bytes of a PNG: for each metric, a bar a measured entry, the best on top.

    Args:
        pattern: str, which entries.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    groups = measured(pattern)
    counts = [len(entries) for entries in groups.values()]
    size = 8, 0.34 * sum(counts) + len(counts)
    figure = Figure(figsize=size, dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    shares = [count + 1 for count in counts]
    rows = figure.subplots(len(groups), squeeze=False, height_ratios=shares)[:, 0]
    for axes, (name, entries) in zip(rows, groups.items(), strict=True):
        _bars(axes, name, entries[::-1])
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _bars(axes, name, entries):
    colours = [
        "#4f6d7a" if result.steps == 1 else "#c1440e"  # counted, or learned
        for _, result in entries
    ]
    values = [result.value for _, result in entries]
    bars = axes.barh([entry for entry, _ in entries], values, color=colours)
    axes.bar_label(bars, fmt="%.3f", padding=3)
    axes.set(xlabel=metric(name).title)
    axes.spines[["top", "right"]].set_visible(False)
