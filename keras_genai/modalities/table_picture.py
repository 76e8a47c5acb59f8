"""Pictures of tables: what is in each column, beside what was in the data."""

import io

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

BINS = 24
MOST = 36  # columns that are drawn, the first ones
_WIDE = 6  # columns side by side
_REAL, _MADE = "0.6", "tab:orange"


def draw(table, rows):
    """Histograms of the columns of rows, on those of the data.

    Of the data the table itself knows enough: the quantiles and shares of its columns.

    Args:
        table: `Table`.
        rows: structured array `(N,)`.

    Returns:
        bytes of a PNG: grey is the data, a line is what the rows have.
    """
    columns = table.columns[:MOST]
    wide = min(_WIDE, len(columns))
    high = -(-len(columns) // wide)
    figure = Figure((2.0 * wide, 1.5 * high), dpi=80, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(high, wide, squeeze=False).ravel()
    for place in axes[len(columns) :]:
        place.set_axis_off()
    for place, column in zip(axes, columns, strict=False):
        (_numbers if column.is_numeric else _words)(place, column, rows[column.name])
        # What a name has of TeX is to be read as it is.
        name = column.name if len(column.name) < 25 else f"{column.name[:22]}..."
        place.set_title(name, fontsize=7, parse_math=False)
        place.set_yticks([])
        place.tick_params(labelsize=6)
    file = io.BytesIO()
    figure.savefig(file, format="png")
    return file.getvalue()


def _numbers(axes, column, values):
    known = values[~np.isnan(values)]
    # Evenly many of the data lie between two quantiles.
    evenly = np.linspace(-3, 3, 4_001)
    weights = np.exp(-0.5 * evenly**2)
    real = column.numbers(evenly)
    low, high = real.min(), real.max()
    if low == high:
        low, high = low - 0.5, high + 0.5
    edges = np.linspace(low, high, BINS + 1)
    heights, _ = np.histogram(real, edges, weights=weights / weights.sum())
    axes.stairs(heights, edges, fill=True, color=_REAL)
    if len(known):
        made, _ = np.histogram(known, edges)
        axes.stairs(made / len(known), edges, color=_MADE)


def _words(axes, column, words):
    names = [*column.categories[:BINS], *([""] if column.missing else [])]
    shares = [*column.shares[:BINS], *([column.missing] if column.missing else [])]
    edges = np.arange(len(names) + 1) - 0.5
    made = [float((words == name).mean()) if len(words) else 0.0 for name in names]
    axes.stairs(shares, edges, fill=True, color=_REAL)
    axes.stairs(made, edges, color=_MADE)
    shown = [name[:10] or "none" for name in names]
    axes.set_xticks(range(len(names)), shown if len(names) < 7 else [""] * len(names))
    for label in axes.get_xticklabels():
        label.set_parse_math(False)
