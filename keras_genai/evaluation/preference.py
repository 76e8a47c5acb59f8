"""How often a judge prefers what one model writes to what another one does."""

import dataclasses
import math
from typing import Any, Protocol, runtime_checkable

import numpy as np

from keras_genai.checks import check_number


@runtime_checkable
class Judge(Protocol):
    """Whatever says how good completions are: a `RewardModel`, a classifier.

    `score(prompts, completions)` takes two lists of as many str and returns as many
    numbers, the larger the better.
    """

    def score(self, prompts: list, completions: list, /) -> Any: ...


@dataclasses.dataclass(frozen=True)
class WinRate:
    """How two models compare.

    Attributes:
        value: float, the share of prompts where the first one is better; a tie is half
            a win.
        error: float, its standard error over prompts.
        ties: float, the share of comparisons that are ties.
        prompts: int.
    """

    value: float
    error: float
    ties: float
    prompts: int

    def as_dict(self):
        """dict of the figures by name."""
        return {
            "win_rate": self.value,
            "standard_error": self.error,
            "ties": self.ties,
            "prompts": self.prompts,
        }


def win_rate(first, second, margin=0.0):
    """Compares the scores of two models' completions, prompt by prompt.

    With several completions each, all of the first model's are compared with all of the
    second's, within a prompt: prompts are independent, completions of one are not.

    Args:
        first: numbers `(N,)` or `(N, K)`: a judge's scores of the first model.
        second: numbers `(N,)` or `(N, M)`: those of the second, of the same prompts.
        margin: float >= 0. Scores that are no further apart are a tie.

    Returns:
        `WinRate`.

    Raises:
        ValueError: if there are not as many prompts on both sides, if a score is no
            finite number, or if `margin` is below 0.
    """
    check_number("margin", margin, "a number >= 0", lambda value: value >= 0)
    first, second = _scores("first", first), _scores("second", second)
    if len(first) != len(second):
        raise ValueError(
            "`second` must have a row for each prompt of `first`. "
            f"Received: {len(second)} and {len(first)}"
        )
    apart = first[:, :, None] - second[:, None, :]  # (N, K, M)
    ties = np.abs(apart) <= margin
    wins = np.where(ties, 0.5, apart > 0).mean(axis=(1, 2))
    count = len(wins)
    error = float(np.std(wins, ddof=1)) / math.sqrt(count) if count > 1 else math.nan
    return WinRate(float(wins.mean()), error, float(ties.mean()), count)


def compare(judge, prompts, first, second, margin=0.0):
    """Lets a judge compare what two models wrote.

    Args:
        judge: `Judge`.
        prompts: list of str.
        first: list of as many str, or of lists of str, several a prompt.
        second: likewise.
        margin: see `win_rate`.

    Returns:
        `WinRate` of the first.

    Raises:
        ValueError: as `win_rate`, or if a prompt has more or fewer completions.
    """
    scores = (judged(judge, prompts, each) for each in (first, second))
    return win_rate(*scores, margin=margin)


def judged(judge, prompts, completions):
    """A judge's scores of all completions, which it is asked for once.

    Args:
        judge: `Judge`.
        prompts: list of str.
        completions: see `compare`.

    Returns:
        float64 `(N, K)`.

    Raises:
        ValueError: if there are not as many completions for each prompt.
    """
    groups = [[each] if isinstance(each, str) else list(each) for each in completions]
    sizes = {len(group) for group in groups}
    if len(groups) != len(prompts) or len(sizes) != 1 or 0 in sizes:
        raise ValueError(
            "`completions` must be as many for each prompt, at least one. Received: "
            f"{len(groups)} of {sorted(sizes)} completions for {len(prompts)} prompts"
        )
    (size,) = sizes
    asked = [prompt for prompt in prompts for _ in range(size)]
    said = [text for group in groups for text in group]
    return np.asarray(judge.score(asked, said), "float64").reshape(-1, size)


def _scores(name, values):
    scores = np.asarray(values, "float64")
    scores = scores[:, None] if scores.ndim == 1 else scores
    if scores.ndim != 2 or not scores.size or not np.isfinite(scores).all():
        raise ValueError(
            f"`{name}` must be finite numbers (N,) or (N, K), at least one. "
            f"Received: shape {np.shape(values)}"
        )
    return scores
