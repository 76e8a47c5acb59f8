"""What an engine counts: numbers that only grow, and histograms of seconds."""

import bisect
from collections.abc import Sequence
from typing import Any

FIRST_TOKEN = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
BETWEEN_TOKENS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5)
WHOLE = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 600.0)


class Histogram:
    """How often a number was in each of several ranges, as Prometheus counts.

    Args:
        bounds: increasing floats, the upper ends of all ranges but the last.
    """

    def __init__(self, bounds: Sequence[float]):
        self.bounds = tuple(bounds)
        self._counts = [0] * (len(self.bounds) + 1)
        self._sum = 0.0

    def add(self, value: float, times: int = 1) -> None:
        """Counts a number, as often as it came."""
        self._counts[bisect.bisect_left(self.bounds, value)] += times
        self._sum += value * times

    def figures(self) -> dict[str, Any]:
        """dict of `bounds`, `counts` (one more, not cumulative), `sum` and `count`."""
        counts = tuple(self._counts)
        return {
            "bounds": self.bounds,
            "counts": counts,
            "sum": self._sum,
            "count": sum(counts),
        }


class Figures:
    """All that an engine counts.

    Attributes:
        prompt_tokens, reused_tokens, generation_tokens: int, of all answers: read, of
            these known from before, and written.
        refused: int, requests for which there was no room.
        finished: dict of finish reason to int.
        time_to_first_token, time_between_tokens, time_of_answer: `Histogram`, seconds.
    """

    def __init__(self, reasons: Sequence[str]):
        self.prompt_tokens = self.reused_tokens = self.generation_tokens = 0
        self.refused = 0
        self.finished = dict.fromkeys(reasons, 0)
        self.time_to_first_token = Histogram(FIRST_TOKEN)
        self.time_between_tokens = Histogram(BETWEEN_TOKENS)
        self.time_of_answer = Histogram(WHOLE)

    def figures(self) -> dict[str, Any]:
        """dict of them all by name; of a histogram, what it says."""
        return {
            name: value.figures()
            if isinstance(value, Histogram)
            else dict(value)
            if isinstance(value, dict)
            else value
            for name, value in vars(self).items()
        }
