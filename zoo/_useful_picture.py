"""The picture of what samples are worth: a bar for what classifiers learned from."""

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from zoo._useful_table import titled

REAL, SYNTHETIC, CONTROL = "#2f6690", "#c1440e", "#8a8a8a"
COLOURS = {"real": REAL, "few": REAL, "shuffled": CONTROL}  # else SYNTHETIC


def picture(record):
    """The bytes of a PNG.

    Args:
        record: dict, see `zoo._useful`.
    """
    figure = Figure(figsize=(8, 3.2), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    titles, rows = zip(*titled(record), strict=True)
    places = range(len(rows))[::-1]  # the first one on top
    bars = axes.barh(
        places,
        [row["mean"] for row in rows],
        xerr=[row["deviation"] for row in rows],
        color=[COLOURS.get(name, SYNTHETIC) for name in record["accuracies"]],
        capsize=3,
    )
    axes.bar_label(bars, fmt="%.3f", padding=4)
    axes.set_yticks(places, titles)
    axes.axvline(record["chance"], color="black", linestyle=":", linewidth=1)
    label = f"accuracy on {record['test']:,} real test {record['noun']}"
    axes.set(xlim=(0, 1.12), xlabel=label)
    axes.set_title(f"{record['name']}: a classifier learned from ...")
    axes.spines[["top", "right"]].set_visible(False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()
