"""Losses that learn from preferences: which of two completions is the better one.

    loss = Sigmoid(beta=0.1)
    loss(policy, reference)  # float32 (B,), in nats

They are small frozen objects of numbers, and pure functions of how probable a policy
and a reference find whole completions. `keras_genai.tasks.preference` trains with them.
"""

import dataclasses
import math
from typing import ClassVar, NamedTuple

from keras import ops

from keras_genai.checks import check_flag, check_number
from keras_genai.registry import register

__all__ = [
    "IPO",
    "KTO",
    "ORPO",
    "PairLoss",
    "SLiC",
    "Scored",
    "Sigmoid",
    "SimPO",
]

LEAST_DOUBT = 1e-6  # nats a token: nothing is certain, or its odds were infinite


class Scored(NamedTuple):
    """How probable two completions of each prompt are.

    Attributes:
        sums: float32 `(B, 2)`, in nats: the log-probability of all tokens of a
            completion together. In column 0 is the better one, in column 1 the other.
        lengths: float32 `(B, 2)`, its tokens.
    """

    sums: object
    lengths: object

    @property
    def means(self):
        """float32 `(B, 2)`, nats a token."""
        return self.sums / ops.maximum(self.lengths, 1.0)


@dataclasses.dataclass(frozen=True)
class _Loss:
    """What all have. `measure` names figures as TRL does.

    Attributes:
        needs_reference: bool. Whether a policy is compared with a reference.
        paired: bool. Whether rows are pairs; else each has one completion and a label.
        names: tuple of str, the figures of `measure`.
    """

    needs_reference: ClassVar[bool] = True
    paired: ClassVar[bool] = True
    names: ClassVar[tuple] = ("rewards/chosen", "rewards/rejected")

    def get_config(self):
        return dataclasses.asdict(self)


@dataclasses.dataclass(frozen=True)
class PairLoss(_Loss):
    """A loss of pairs. A subclass fills in `compare` and `rewards`.

    Args:
        nll_weight: float >= 0. How much the negative log-likelihood of the better
            completion, in nats a token, is added: without it both may become less
            probable, the worse one faster.

    Call arguments:
        policy: `Scored`.
        reference: `Scored`, or `None` for a loss that needs none.

    Returns:
        float32 `(B,)`.
    """

    nll_weight: float = dataclasses.field(default=0.0, kw_only=True)

    def __post_init__(self):
        _at_least_0(nll_weight=self.nll_weight)

    def __call__(self, policy, reference=None):
        loss = self.compare(policy, reference)
        if not self.nll_weight:
            return loss
        return loss + self.nll_weight * _nll(policy)

    def compare(self, policy, reference):
        """float32 `(B,)`: the loss without the likelihood of the better one."""
        raise NotImplementedError

    def rewards(self, policy, reference):
        """float32 `(B, 2)`: the rewards that a policy stands for by what it prefers."""
        raise NotImplementedError

    @property
    def names(self):
        more = ("nll_loss",) if self.nll_weight else ()
        return (
            "rewards/chosen",
            "rewards/rejected",
            "rewards/accuracies",
            "rewards/margins",
            "logps/chosen",
            "logps/rejected",
            *more,
        )

    def measure(self, policy, reference=None):
        """Figures to log: a dict by `names` of `(values, weights)`.

        Args:
            policy, reference: as in a call.

        Returns:
            dict of pairs of float32 `(B,)` and `None`: all rows weigh the same.
        """
        rewards = self.rewards(policy, reference)
        margins = _apart(rewards)
        found = {
            "rewards/chosen": rewards[:, 0],
            "rewards/rejected": rewards[:, 1],
            "rewards/accuracies": ops.cast(margins > 0, "float32"),
            "rewards/margins": margins,
            "logps/chosen": policy.sums[:, 0],
            "logps/rejected": policy.sums[:, 1],
            "nll_loss": _nll(policy),
        }
        return {name: (found[name], None) for name in self.names}


@register
@dataclasses.dataclass(frozen=True)
class Sigmoid(PairLoss):
    """DPO: a logistic loss of how much more than the reference a policy prefers.

    It begins at ln 2, where a policy is its reference.

    Args:
        beta: float > 0. How dear it is to leave the reference.
        smoothing: float in [0, 0.5). The share of labels that are wrong.
        robust: bool. Whether the loss of wrong labels is taken off, so that it is, in
            expectation, that of the right ones; else labels are made less sure (cDPO).
        nll_weight: see `PairLoss`.

    Call arguments, returns: see `PairLoss`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range.

    Reference: Rafailov et al. 2023, eq. 7, https://arxiv.org/abs/2305.18290; robust:
        Chowdhury et al. 2024, https://arxiv.org/abs/2403.00409
    """

    beta: float = 0.1
    smoothing: float = 0.0
    robust: bool = False

    def __post_init__(self):
        super().__post_init__()
        _above_0(beta=self.beta)
        check_flag("robust", self.robust)
        allowed = "a number from 0 to below 0.5"
        check_number("smoothing", self.smoothing, allowed, lambda x: 0 <= x < 0.5)

    def compare(self, policy, reference):
        margin = _apart(self.rewards(policy, reference))
        right, wrong = ops.softplus(-margin), ops.softplus(margin)
        if self.robust:
            loss = (1 - self.smoothing) * right - self.smoothing * wrong
            return loss / (1 - 2 * self.smoothing)
        return (1 - self.smoothing) * right + self.smoothing * wrong

    def rewards(self, policy, reference):
        return self.beta * (policy.sums - reference.sums)


@register
@dataclasses.dataclass(frozen=True)
class SLiC(PairLoss):
    """The hinge loss: pairs whose margin is above 1 pull no more. It begins at 1.

    Args:
        beta: float > 0. How dear it is to leave the reference.
        nll_weight: see `PairLoss`.

    Call arguments, returns: see `PairLoss`.

    Raises: as `Sigmoid`.

    Reference: Zhao et al. 2023, https://arxiv.org/abs/2305.10425; with a reference
        Liu et al. 2023, https://arxiv.org/abs/2309.06657
    """

    beta: float = 0.1

    def __post_init__(self):
        super().__post_init__()
        _above_0(beta=self.beta)

    def compare(self, policy, reference):
        return ops.relu(1.0 - _apart(self.rewards(policy, reference)))

    def rewards(self, policy, reference):
        return self.beta * (policy.sums - reference.sums)


@register
@dataclasses.dataclass(frozen=True)
class IPO(PairLoss):
    """The squared distance of a margin to `1 / (2 tau)`, which it must not outgrow.

    It begins at `1 / (4 tau**2)`. Unlike a logistic loss it has an optimum where all
    labels of a pair agree.

    Args:
        tau: float > 0.
        average: bool. Whether log-ratios are taken a token, as the authors do; else of
            whole completions, as the paper writes it.
        nll_weight: see `PairLoss`.

    Call arguments, returns: see `PairLoss`.

    Raises: as `Sigmoid`.

    Reference: Azar et al. 2023, eq. 17, https://arxiv.org/abs/2310.12036
    """

    tau: float = 0.1
    average: bool = True

    def __post_init__(self):
        super().__post_init__()
        _above_0(tau=self.tau)
        check_flag("average", self.average)

    def compare(self, policy, reference):
        margin = _apart(self._ratios(policy, reference))
        return ops.square(margin - 1 / (2 * self.tau))

    def rewards(self, policy, reference):
        return self.tau * self._ratios(policy, reference)

    def _ratios(self, policy, reference):
        if self.average:
            return policy.means - reference.means
        return policy.sums - reference.sums


@register
@dataclasses.dataclass(frozen=True)
class ORPO(PairLoss):
    """The likelihood of the better one, and a logistic loss of the odds; no reference.

    Args:
        beta: float > 0, the paper's lambda: the weight of the odds.
        nll_weight: float >= 0, see `PairLoss`; 1 in the paper.

    Call arguments, returns: see `PairLoss`.

    Raises: as `Sigmoid`.

    Reference: Hong et al. 2024, eq. 6 and 7, https://arxiv.org/abs/2403.07691
    """

    beta: float = 0.1
    nll_weight: float = dataclasses.field(default=1.0, kw_only=True)

    needs_reference: ClassVar[bool] = False

    def __post_init__(self):
        super().__post_init__()
        _above_0(beta=self.beta)

    def compare(self, policy, reference=None):
        means = ops.minimum(policy.means, -LEAST_DOUBT)
        log_odds = means - ops.log(-ops.expm1(means))
        return self.beta * ops.softplus(-_apart(log_odds))

    def rewards(self, policy, reference=None):
        return self.beta * policy.means


@register
@dataclasses.dataclass(frozen=True)
class SimPO(PairLoss):
    """A logistic loss of the difference in nats a token; no reference.

    Args:
        beta: float > 0. What a nat a token is worth.
        gamma: float >= 0. The margin that is asked for.
        nll_weight: see `PairLoss`.

    Call arguments, returns: see `PairLoss`.

    Raises: as `Sigmoid`.

    Reference: Meng et al. 2024, eq. 6, https://arxiv.org/abs/2405.14734
    """

    beta: float = 2.0
    gamma: float = 1.0

    needs_reference: ClassVar[bool] = False

    def __post_init__(self):
        super().__post_init__()
        _above_0(beta=self.beta)
        _at_least_0(gamma=self.gamma)

    def compare(self, policy, reference=None):
        return ops.softplus(self.gamma - _apart(self.rewards(policy)))

    def rewards(self, policy, reference=None):
        return self.beta * policy.means


@register
@dataclasses.dataclass(frozen=True)
class KTO(_Loss):
    """Completions that are good or bad by themselves, without another to compare with.

    Column 0 of a row is its completion, column 1 one that was written for another
    prompt: their log-ratios tell how far the policy is from the reference as a whole.
    That needs batches of several rows.

    Args:
        beta: float > 0. How dear it is to leave the reference.
        desirable_weight: float >= 0. Of good completions; choose it so that both kinds
            have about the same weight in all.
        undesirable_weight: float >= 0. Of bad ones.

    Call arguments:
        policy, reference: `Scored`.
        labels: bool or int `(B,)`, true of good completions.

    Returns:
        float32 `(B,)`.

    Raises: as `Sigmoid`.

    Reference: Ethayarajh et al. 2024, eq. 7, https://arxiv.org/abs/2402.01306
    """

    beta: float = 0.1
    desirable_weight: float = 1.0
    undesirable_weight: float = 1.0

    paired: ClassVar[bool] = False
    names: ClassVar[tuple] = (*_Loss.names, "logps/chosen", "logps/rejected", "kl")

    def __post_init__(self):
        _above_0(beta=self.beta)
        _at_least_0(
            desirable_weight=self.desirable_weight,
            undesirable_weight=self.undesirable_weight,
        )

    def __call__(self, policy, reference, labels):
        ratios = policy.sums - reference.sums
        return self.value(ratios[:, 0], labels, ops.stop_gradient(_kl(ratios)))

    def value(self, ratios, labels, kl):
        """The loss of log-ratios, at a distance from the reference.

        Args:
            ratios: float32 `(B,)`, log-probability by the policy less the reference's.
            labels: bool or int `(B,)`.
            kl: float32 scalar, in nats.

        Returns:
            float32 `(B,)`.
        """
        gain = self.beta * (ratios - kl)
        good = self.desirable_weight * ops.sigmoid(-gain)
        bad = self.undesirable_weight * ops.sigmoid(gain)
        return ops.where(ops.cast(labels, "bool"), good, bad)

    def measure(self, policy, reference, labels):
        """As `PairLoss.measure`; rows with another label weigh nothing."""
        ratios = policy.sums - reference.sums
        good = ops.cast(ops.cast(labels, "bool"), "float32")
        kl = ops.broadcast_to(_kl(ratios), ops.shape(good))
        rewards, sums = self.beta * ratios[:, 0], policy.sums[:, 0]
        return {
            "rewards/chosen": (rewards, good),
            "rewards/rejected": (rewards, 1 - good),
            "logps/chosen": (sums, good),
            "logps/rejected": (sums, 1 - good),
            "kl": (kl, None),
        }


def _kl(ratios):
    """The mean log-ratio of completions of other prompts, at least 0."""
    return ops.maximum(ops.mean(ratios[:, 1]), 0.0)


def _nll(policy):
    return -policy.means[:, 0]


def _apart(values):
    """float32 `(B,)`: by how much the better one is above the other."""
    return values[:, 0] - values[:, 1]


def _above_0(**numbers):
    for name, value in numbers.items():
        check_number(name, value, "a number above 0", lambda x: 0 < x < math.inf)


def _at_least_0(**numbers):
    for name, value in numbers.items():
        check_number(name, value, "a number >= 0", lambda x: 0 <= x < math.inf)
