"""The learning curve of a run, drawn from its log."""

import numbers

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from keras_genai.files.writing import replacing


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
        points = [
            (record["step"], record[name])
            for record in history
            if isinstance(record.get(name), numbers.Real)
        ]
        steps, values = zip(*points, strict=True) if points else ((), ())
        marker = "o" if name.startswith("val_") else None
        axes.plot(steps, values, label=name, marker=marker, markersize=3)
    axes.set(xlabel="step", ylabel="loss", title=title)
    axes.grid(alpha=0.3)
    if names:
        axes.legend()
    with replacing(path) as temporary:
        figure.savefig(temporary, format="png")
