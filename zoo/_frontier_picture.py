"""The picture of a frontier: reward, and praise by judges, over divergence."""

import io

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

COLOURS = ("#c1440e", "#2f6690", "#6a994e", "#8e5572", "#d4a017", "#4f6d7a")
BEST_OF = "#8a8a8a"


def picture(found):
    """The bytes of a PNG with two panels.

    A curve begins at the reference, and its large point is the policy. Where the reward
    rises and the judges do not follow, the reward model is being pleased, not people.

    Args:
        found: what `_frontier_points.measured` returned.
    """
    figure = Figure(figsize=(10, 4.4), dpi=110, layout="constrained")
    FigureCanvasAgg(figure)
    left, right = figure.subplots(1, 2)
    _panel(left, found, "reward", f"mean reward by {found['reward']}")
    _panel(right, found, "praise", "share of praise by other judges")
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return buffer.getvalue()


def _panel(axes, found, figure, label):
    """Draws one figure of all points over their divergence."""
    best = _columns(found["best_of"], figure)
    axes.plot(*best, "s--", color=BEST_OF, markersize=4, label="best of n, KL at most")
    for point in found["best_of"][1:]:
        axes.annotate(
            str(point["count"]),
            (point["kl"], point[figure]),
            textcoords="offset points",
            xytext=(-4, 5),
            ha="right",
            fontsize=8,
            color=BEST_OF,
        )
    for number, (name, points) in enumerate(found["policies"].items()):
        colour = COLOURS[number % len(COLOURS)]
        kl, values = _columns(points, figure)
        axes.plot(kl, values, "o-", color=colour, markersize=3, label=name)
        axes.plot(kl[-1:], values[-1:], "o", color=colour, markersize=8)
    axes.set(xlabel=f"KL from {found['reference']}, nats a completion", ylabel=label)
    axes.grid(alpha=0.3)
    axes.spines[["top", "right"]].set_visible(False)


def _columns(points, figure):
    return [[point[name] for point in points] for name in ("kl", figure)]
