"""What a policy is trained for: the clipped surrogate, and what keeps it near.

Small frozen objects of numbers, and pure functions of float32 tensors `(B, L)`: one
number a token of a completion, and a mask that says which of them are real.
"""

import dataclasses
import math
from typing import NamedTuple

import numpy as np
from keras import ops

from keras_genai.checks import (
    check_flag,
    check_integer,
    check_number,
    check_one_of,
)
from keras_genai.registry import register

__all__ = [
    "KL",
    "AdaptiveKL",
    "Clipped",
    "CriticError",
    "Surrogate",
    "mean_over",
    "value_error",
]

RATIOS = ("token", "sequence", "geometric")
MEANS = ("token", "sequence", "constant")


class Surrogate(NamedTuple):
    """What `Clipped` makes of a batch.

    Attributes:
        loss: float32 `(B, L)`: what each token adds, before the mean.
        ratio: float32 `(B, L)`: how much more likely it is than in the rollout.
        low: float32 `(B, L)`: 1 where a bad token is below the range, so that it no
            longer counts.
        high: float32 `(B, L)`: likewise good tokens above it.
    """

    loss: object
    ratio: object
    low: object
    high: object


@register
@dataclasses.dataclass(frozen=True)
class Clipped:
    """PPO's surrogate: advantages times a ratio that pays only within a range.

    At a ratio of 1, the first step after a rollout, its gradient is that of REINFORCE.

    Args:
        low: float in (0, 1]. The range begins at `1 - low`.
        high: float > 0 or `None` (`low`). It ends at `1 + high`; more than `low` lets
            rare tokens rise (DAPO's clip-higher).
        mean: `"token"`, over all tokens of the rollout (DAPO); `"sequence"`, of each
            completion and then over completions (GRPO), which favours short good and
            long bad ones; `"constant"`, the sum over completions times their largest
            length (Dr. GRPO).
        ratio: `"token"`, one a token (PPO, GRPO); `"sequence"`, one a completion, the
            product of its tokens' (RLOO); `"geometric"`, their geometric mean (GSPO).

    Raises:
        TypeError: if a number is of a wrong type.
        ValueError: if it is out of its range, or if there is no such `mean` or `ratio`.

    Reference: Schulman et al. 2017, eq. 7, https://arxiv.org/abs/1707.06347; Yu et al.
        2025, eqs. 8 and 12 (DAPO), https://arxiv.org/abs/2503.14476; Liu et al. 2025,
        section 3.2 (Dr. GRPO), https://arxiv.org/abs/2503.20783; Zheng et al. 2025,
        eq. 7 (GSPO), https://arxiv.org/abs/2507.18071
    """

    low: float = 0.2
    high: float | None = None
    mean: str = "token"
    ratio: str = "token"

    def __post_init__(self):
        check_number("low", self.low, "in (0, 1]", lambda value: 0 < value <= 1)
        if self.high is not None:
            check_number("high", self.high, "above 0, or None", lambda v: v > 0)
        check_one_of("mean", self.mean, MEANS)
        check_one_of("ratio", self.ratio, RATIOS)

    def get_config(self):
        return dataclasses.asdict(self)

    def __call__(self, log_probabilities, before, advantages, mask):
        """The surrogate of a batch.

        Args:
            log_probabilities: float32 `(B, L)`, of the policy as it is.
            before: float32 `(B, L)`, of the policy that wrote the completions.
            advantages: float32 `(B, L)`.
            mask: float32 `(B, L)`, 1 where a token counts.

        Returns:
            `Surrogate`.
        """
        ratio = self.ratios(log_probabilities, before, mask)
        high = self.low if self.high is None else self.high
        within = ops.clip(ratio, 1 - self.low, 1 + high)
        gain = ops.minimum(ratio * advantages, within * advantages)
        low = (ratio < 1 - self.low) & (advantages < 0)
        above = (ratio > 1 + high) & (advantages > 0)
        return Surrogate(
            -gain, ratio, ops.cast(low, "float32"), ops.cast(above, "float32")
        )

    def ratios(self, log_probabilities, before, mask):
        """float32 `(B, L)`: how much more likely each token is than it was."""
        change = (log_probabilities - before) * mask
        if self.ratio == "token":
            return ops.exp(change)
        change = ops.sum(change, axis=1, keepdims=True)
        if self.ratio == "geometric":
            change = change / _lengths(mask)[:, None]
        return ops.exp(change) * ops.ones_like(mask)


def mean_over(values, mask, mean, tokens_per_row=None):
    """One number of those of all tokens.

    Args:
        values: float32 `(B, L)`.
        mask: float32 `(B, L)`, 1 where a token counts.
        mean: see `Clipped`.
        tokens_per_row: float or float32 scalar tensor, the tokens that count in a
            completion on average over the whole rollout; or `None`: over this batch.
            With the former, gradients of several batches add up to that of all of them.

    Returns:
        float32 scalar.
    """
    total = ops.sum(values * mask, axis=1)
    if mean == "sequence":
        return ops.mean(total / _lengths(mask))
    if mean == "constant":
        return ops.mean(total) / mask.shape[1]
    if tokens_per_row is None:
        tokens_per_row = ops.mean(ops.sum(mask, axis=1))
    return ops.mean(total) / ops.maximum(tokens_per_row, 1e-6)


class CriticError(NamedTuple):
    """What `value_error` makes of a batch.

    Attributes:
        loss: float32 `(B, L)`.
        clipped: float32 `(B, L)`: 1 where a value has moved so far that its error
            counts as if it had moved less.
    """

    loss: object
    clipped: object


def value_error(values, before, returns, clip=None):
    """Half the squared error of a critic, or of one that moved less if that is larger.

    Args:
        values: float32 `(B, L)`, of the critic as it is.
        before: float32 `(B, L)`, of the critic in the rollout.
        returns: float32 `(B, L)`, what it shall expect.
        clip: float or `None`. How far a value may move.

    Returns:
        `CriticError`.

    Reference: Ziegler et al. 2019, https://arxiv.org/abs/1909.08593 (its code)
    """
    error = ops.square(values - returns)
    if clip is None:
        return CriticError(0.5 * error, ops.zeros_like(error))
    near = before + ops.clip(values - before, -clip, clip)
    held = ops.square(near - returns)
    clipped = ops.cast(held > error, "float32")
    return CriticError(0.5 * ops.maximum(error, held), clipped)


def _lengths(mask):
    """float32 `(B,)`: tokens that count in each row, at least 1."""
    return ops.maximum(ops.sum(mask, axis=1), 1.0)


@register
@dataclasses.dataclass(frozen=True)
class KL:
    """What it costs to leave the reference, in nats of divergence.

    In the reward, a token costs `coefficient * log(policy / reference)`. Only so is the
    best policy `reference * exp(reward / coefficient)`, up to a constant. In the loss,
    a token costs the estimator `r - 1 - log r` of `r = reference / policy`, as GRPO was
    published; its gradient is that of the divergence the other way round, of the
    reference from the policy, at the prefixes that were visited.

    Args:
        coefficient: float >= 0.
        where: `"reward"` or `"loss"`.
        corrected: bool. Whether the estimator in the loss is weighted by the ratio to
            the policy that wrote the completions, which gives it the gradient of the
            divergence itself, with visits held fixed.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if `coefficient` is negative, if there is no such `where`, or if
            `corrected` is asked for in the reward, which needs no correction.

    Reference: Ziegler et al. 2019, eq. 2, https://arxiv.org/abs/1909.08593 (reward);
        Shao et al. 2024, eq. 4, https://arxiv.org/abs/2402.03300 (loss)
    """

    coefficient: float = 0.05
    where: str = "reward"
    corrected: bool = False

    def __post_init__(self):
        allowed = "a finite number >= 0"
        check_number("coefficient", self.coefficient, allowed, _is_finite_cost)
        check_one_of("where", self.where, ("reward", "loss"))
        check_flag("corrected", self.corrected)
        if self.corrected and self.where == "reward":
            raise ValueError(
                "`corrected` must be False with where='reward', which has the gradient "
                "of the divergence by itself. Received: corrected=True"
            )

    def get_config(self):
        return dataclasses.asdict(self)

    def penalty(self, log_probabilities, reference, ratio):
        """float32 `(B, L)`: what each token costs in the loss, for a coefficient of 1.

        Args:
            log_probabilities: float32 `(B, L)`, of the policy.
            reference: float32 `(B, L)`, of the reference.
            ratio: float32 `(B, L)`, see `Surrogate`.
        """
        change = reference - log_probabilities
        estimate = ops.expm1(change) - change
        return ratio * estimate if self.corrected else estimate

    def following(self, coefficient, seen, completions):
        """float: the coefficient after a rollout; here it stays as it is.

        Args:
            coefficient: float, the one of the rollout.
            seen: float, nats of divergence a completion in the rollout.
            completions: int, how many there were.
        """
        return coefficient


@register
@dataclasses.dataclass(frozen=True)
class AdaptiveKL(KL):
    """A `KL` whose coefficient rises where the divergence is above a target.

    After every rollout it is multiplied by `1 + error * completions / horizon`, the
    error being that of the divergence relative to the target, between -0.2 and 0.2.

    Args:
        coefficient, where, corrected: see `KL`. The coefficient to begin with is above
            0.
        target: float > 0, nats a completion.
        horizon: int >= 1, in completions.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range.

    Reference: Ziegler et al. 2019, section 2.2, https://arxiv.org/abs/1909.08593
    """

    coefficient: float = 0.15
    target: float = 6.0
    horizon: int = 10_000

    def __post_init__(self):
        super().__post_init__()
        for name in ("coefficient", "target"):
            check_number(name, getattr(self, name), "above 0", lambda v: v > 0)
        check_integer("horizon", self.horizon, 1)

    def following(self, coefficient, seen, completions):
        error = float(np.clip(seen / self.target - 1, -0.2, 0.2))
        return coefficient * (1 + error * completions / self.horizon)


def _is_finite_cost(value):
    return 0 <= value < math.inf
