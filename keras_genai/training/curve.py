"""The learning curve of a run, drawn from its log."""

import json

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure


def read_log(path):
    """The records of a `log.jsonl`.

    Args:
        path: path of the file. Need not exist.

    Returns:
        list of dict, in order of `step`.
    """
    if not path.exists():
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.endswith("\n")]


def draw_curve(history, path, title=""):
    """Writes training and validation loss over the steps as a PNG.

    Args:
        history: list of dict, from `read_log`.
        path: path of the picture; replaced as a whole.
        title: str.
    """
    figure = Figure(figsize=(7, 4.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    names = {name for record in history for name in record if name.endswith("loss")}
    for name in sorted(names):
        points = [(r["step"], r[name]) for r in history if r.get(name) is not None]
        steps, values = zip(*points, strict=True) if points else ((), ())
        marker = "o" if name.startswith("val_") else None
        axes.plot(steps, values, label=name, marker=marker, markersize=3)
    axes.set(xlabel="step", ylabel="loss", title=title)
    axes.grid(alpha=0.3)
    if names:
        axes.legend()
    temporary = path.with_name(f".writing-{path.name}")
    figure.savefig(temporary, format="png")
    temporary.replace(path)
