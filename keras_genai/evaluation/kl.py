"""How far a policy went from its reference, measured on what it writes itself."""

import dataclasses
import math

import numpy as np


@dataclasses.dataclass(frozen=True)
class Divergence:
    """Estimates of KL(policy || reference) over whole completions, in nats.

    Attributes:
        value: float, the mean of `log policy - log reference` ("k1"), without bias.
        error: float, its standard error over completions.
        steady: float, the mean over completions of the sum over tokens of
            `exp(d) - 1 - d`, `d = log reference - log policy` ("k3"): never negative,
            and of less variance. Without bias as well, where a policy draws from its
            whole distribution.
        tokens: float, mean length of a completion.
    """

    value: float
    error: float
    steady: float
    tokens: float


def divergence(policy, reference, mask):
    """The divergence of a policy that drew these completions.

    Args:
        policy: float `(N, L)`: log-probabilities of the tokens of completions that the
            policy drew at temperature 1 from all tokens.
        reference: float `(N, L)`: those of the reference, of the same tokens.
        mask: bool `(N, L)`, true where a completion is.

    Returns:
        `Divergence`.

    Raises:
        ValueError: if shapes differ or there is no completion.

    Reference: Schulman 2020, http://joschu.net/blog/kl-approx.html
    """
    policy, reference = np.asarray(policy, "float64"), np.asarray(reference, "float64")
    mask = np.asarray(mask, bool)
    if policy.ndim != 2 or not policy.shape == reference.shape == mask.shape:
        raise ValueError(
            "`policy`, `reference` and `mask` must have one shape (N, L). Received: "
            f"{policy.shape}, {reference.shape} and {mask.shape}"
        )
    if not len(policy):
        raise ValueError("`policy` must have at least one completion. Received: none")
    change = np.where(mask, policy - reference, 0.0)
    sums = change.sum(axis=1)
    steady = (np.expm1(-change) + change).sum(axis=1)
    count = len(sums)
    error = float(np.std(sums, ddof=1)) / math.sqrt(count) if count > 1 else math.nan
    tokens = float(mask.sum() / count)
    return Divergence(float(sums.mean()), error, float(steady.mean()), tokens)


def best_of_divergence(count):
    """Most that the best of `count` completions can diverge from what draws them.

    Args:
        count: int >= 1.

    Returns:
        float, nats: `log count - (count - 1) / count`.

    Reference: Stiennon et al. 2020, appendix G.3, https://arxiv.org/abs/2009.01325;
        that it is a bound: Beirami et al. 2024, https://arxiv.org/abs/2401.01879
    """
    return math.log(count) - (count - 1) / count
