"""How much better than expected each token of a rollout was: NumPy in float64.

An estimator is a frozen object. It is called with the rewards of every token, float64
`(N, L)`, the values that a critic expected, `(N, L)` or `None`, and the mask of the
completions, bool `(N, L)`. It returns `Advantages`. Completions of one prompt are next
to each other, `group` of them.
"""

import dataclasses
import math
from typing import NamedTuple

import numpy as np

from keras_genai.checks import (
    check_flag,
    check_integer,
    check_number,
    check_one_of,
)
from keras_genai.registry import register

__all__ = ["GAE", "Advantages", "Exponential", "GroupMean", "LeaveOneOut"]

SMALLEST_SPREAD = 1e-3  # rewards nearer to each other than this differ by noise
EPSILON = 1e-4  # what GRPO adds to a standard deviation


class Advantages(NamedTuple):
    """What an estimator found.

    Attributes:
        advantages: float64 `(N, L)`, 0 outside of the completions.
        returns: float64 `(N, L)`, what a critic shall expect, or `None` without one.
    """

    advantages: np.ndarray
    returns: np.ndarray | None = None


class Estimator:
    """What all estimators have.

    Attributes:
        group: int. Completions of each prompt.
        has_values: bool. Whether a critic is needed.
    """

    group = 1
    has_values = False

    def get_config(self):
        return dataclasses.asdict(self)

    def spread(self, rewards):
        """float64 `(N / group,)`: standard deviation of each prompt's rewards `(N,)`.

        Of one completion a prompt there is none.
        """
        if self.group == 1:
            return np.zeros(0)
        return _groups(rewards, self.group).std(axis=1, ddof=1)


@register
@dataclasses.dataclass(frozen=True)
class LeaveOneOut(Estimator):
    """A completion's reward less the mean of the others of its prompt: RLOO.

    Its gradient is unbiased, since the baseline does not depend on the completion.

    Args:
        group: int >= 2. Completions of each prompt.

    Raises:
        TypeError: if it is not an int.
        ValueError: if it is below 2.

    Reference: Ahmadian et al. 2024, section 2.3, https://arxiv.org/abs/2402.14740
    """

    group: int = 8

    def __post_init__(self):
        check_integer("group", self.group, 2)

    def __call__(self, rewards, values, mask):
        totals = _groups(rewards.sum(axis=1), self.group)
        # The mean of the others is left out of the own mean by this factor.
        more = self.group / (self.group - 1)
        return _of_completions((totals - totals.mean(1, keepdims=True)) * more, mask)


@register
@dataclasses.dataclass(frozen=True)
class GroupMean(Estimator):
    """A completion's reward less the mean of its prompt: GRPO and its variants.

    Args:
        scale: `"none"`, which leaves the differences as they are (Dr. GRPO); `"group"`,
            which divides them by the standard deviation of the prompt's rewards (GRPO);
            or `"batch"`, by that of all rewards of the rollout. A deviation below 0.001
            counts as 0.001, or rounding errors would be taken for rewards.
        group: int >= 2. Completions of each prompt.

    Raises:
        TypeError: if `group` is not an int.
        ValueError: if it is below 2, or if there is no such `scale`.

    Reference: Shao et al. 2024, section 4.1.2 (GRPO), https://arxiv.org/abs/2402.03300;
        Liu et al. 2025, section 3.2 (Dr. GRPO), https://arxiv.org/abs/2503.20783
    """

    scale: str = "none"
    group: int = 8

    def __post_init__(self):
        check_one_of("scale", self.scale, ("none", "group", "batch"))
        check_integer("group", self.group, 2)

    def __call__(self, rewards, values, mask):
        totals = _groups(rewards.sum(axis=1), self.group)
        differences = totals - totals.mean(axis=1, keepdims=True)
        if self.scale == "none":
            return _of_completions(differences, mask)
        axis = 1 if self.scale == "group" else None
        deviation = totals.std(axis=axis, ddof=1, keepdims=True)
        deviation = np.maximum(deviation, SMALLEST_SPREAD) + EPSILON
        return _of_completions(differences / deviation, mask)


@register
@dataclasses.dataclass(frozen=True)
class Exponential(Estimator):
    """Weights instead of differences: `exp(reward / temperature)`, of mean 1 a prompt.

    What is imitated with such weights becomes `policy * exp(reward / temperature)`, up
    to a constant.

    Args:
        temperature: float > 0. The lower, the more the best ones count.
        group: int >= 2. Completions of each prompt.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range.

    Reference: Peters & Schaal 2007 (reward-weighted regression),
        https://doi.org/10.1145/1273496.1273590
    """

    temperature: float = 1.0
    group: int = 16

    def __post_init__(self):
        allowed = "a finite number above 0"
        check_number("temperature", self.temperature, allowed, _is_finite_positive)
        check_integer("group", self.group, 2)

    def __call__(self, rewards, values, mask):
        totals = _groups(rewards.sum(axis=1), self.group) / self.temperature
        weights = np.exp(totals - totals.max(axis=1, keepdims=True))
        return _of_completions(weights / weights.mean(axis=1, keepdims=True), mask)


@register
@dataclasses.dataclass(frozen=True)
class GAE(Estimator):
    """Generalised advantage estimation, a reward and a value a token: PPO.

    It needs a critic, which is trained along.

    Args:
        gamma: float in [0, 1]. How much less the next token's reward counts.
        lam: float in [0, 1]. From one step ahead, 0, to the end of the completion, 1.
        whiten: bool. Whether the advantages of a rollout get mean 0 and variance 1.
        value_weight: float >= 0. Weight of the critic's loss.
        value_clip: float > 0 or `None`. How far a value may move from what it was in
            the rollout before its error counts as if it had not.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range.

    Reference: Schulman et al. 2016, eq. 16, https://arxiv.org/abs/1506.02438; Ziegler
        et al. 2019, section 2.2, https://arxiv.org/abs/1909.08593
    """

    gamma: float = 1.0
    lam: float = 0.95
    whiten: bool = True
    value_weight: float = 0.1
    value_clip: float | None = 0.2

    has_values = True  # no annotation: not a field

    def __post_init__(self):
        for name in ("gamma", "lam"):
            share = getattr(self, name)
            check_number(name, share, "in [0, 1]", lambda value: 0 <= value <= 1)
        check_flag("whiten", self.whiten)
        check_number("value_weight", self.value_weight, "at least 0", lambda v: v >= 0)
        if self.value_clip is not None:
            allowed = "a number above 0, or None"
            check_number("value_clip", self.value_clip, allowed, lambda v: v > 0)

    def __call__(self, rewards, values, mask):
        found = np.zeros(mask.shape)
        last = after = np.zeros(len(mask))
        for step in reversed(range(mask.shape[1])):
            delta = rewards[:, step] + self.gamma * after - values[:, step]
            last = np.where(mask[:, step], delta + self.gamma * self.lam * last, 0.0)
            found[:, step] = last
            after = np.where(mask[:, step], values[:, step], 0.0)
        returns = np.where(mask, found + values, 0.0)
        return Advantages(whitened(found, mask) if self.whiten else found, returns)


def whitened(values, mask):
    """Values with mean 0 and variance 1 where a mask is true, and 0 elsewhere.

    Args:
        values: float64 array.
        mask: bool array of the same shape.
    """
    chosen = values[mask]
    if not chosen.size:
        return np.zeros_like(values)
    centred = (values - chosen.mean()) / np.sqrt(chosen.var() + 1e-8)
    return np.where(mask, centred, 0.0)


def _is_finite_positive(value):
    return 0 < value < math.inf


def _groups(rewards, group):
    """float64 `(N / group, group)`: the rewards of each prompt in a row."""
    if len(rewards) % group:
        raise ValueError(
            f"`rewards` must be of prompts with {group} completions each. "
            f"Received: {len(rewards)} completions"
        )
    return rewards.reshape(-1, group)


def _of_completions(advantages, mask):
    """`Advantages` that all tokens of a completion share."""
    return Advantages(np.where(mask, advantages.reshape(-1, 1), 0.0))
