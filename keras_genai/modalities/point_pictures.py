"""Pictures of objects made of points, each from three sides, as PNG."""

import io
import math

import numpy as np

# From the front, from the right and from above: the axes to the right, upwards, and
# towards whoever looks, with its sign.
_VIEWS = ((0, 2, 1, -1), (1, 2, 0, 1), (0, 1, 2, 1))
_GAP = 0.15  # between views, in sides of the cube
_INCHES = 1.6  # of a view, at most
_WIDEST = 9.0  # inches


def draw(objects):
    """Objects from the front, from the right and from above; what is near is dark.

    Args:
        objects: float `(N, P, 3)` in [0, 1], N at least 1.

    Returns:
        bytes of a PNG.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = max(1, round(math.sqrt(len(objects) / len(_VIEWS))))
    rows = -(-len(objects) // columns)
    step = 1 + _GAP
    wide, high = len(_VIEWS) * step * columns + _GAP, step * rows + _GAP
    inches = min(_INCHES, _WIDEST / wide)
    figure = Figure(figsize=(wide * inches, high * inches), dpi=100)
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    right, up, near = _placed(np.asarray(objects, "float64"), columns, step)
    order = np.argsort(near, kind="stable")
    axes.scatter(
        right[order],
        up[order],
        s=(3 * inches) ** 2 / 4,
        c=near[order],
        cmap="Blues",
        vmin=-0.7,
        vmax=1.0,
        linewidths=0,
    )
    axes.set(xlim=(-_GAP, wide - _GAP), ylim=(-_GAP, high - _GAP))
    axes.set_axis_off()
    file = io.BytesIO()
    figure.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def _placed(objects, columns, step):
    """float `(N * 3 * P,)` each: places of all points in all views, and nearness."""
    row, column = np.divmod(np.arange(len(objects)), columns)
    parts = []
    for number, (across, upwards, towards, sign) in enumerate(_VIEWS):
        begin = (column * len(_VIEWS) + number) * step
        right = objects[:, :, across] + begin[:, None]
        up = objects[:, :, upwards] + (row.max() - row)[:, None] * step
        near = objects[:, :, towards]
        parts.append((right, up, near if sign > 0 else 1 - near))
    columns = zip(*parts, strict=True)
    return [np.concatenate([each.ravel() for each in column]) for column in columns]
