"""What the logs say of a rollout, as TRL calls it."""

import numpy as np

__all__ = ["COEFFICIENT", "figures", "names"]

COEFFICIENT = "kl_coefficient"  # of the price of divergence, which a run may move

OF_LENGTHS = tuple(
    f"completions/{each}"
    for each in (
        "mean_length",
        "min_length",
        "max_length",
        "mean_terminated_length",
        "clipped_ratio",
    )
)
EXPLAINED = "val/var_explained"
EQUAL = 1e-8  # a spread below this is none


def names(rewards, kl, has_values):
    """tuple of str: what there will be.

    Args:
        rewards: tuple of `Reward`.
        kl: `KL`, or `None` where nothing is compared with a reference.
        has_values: bool. Whether there is a critic.
    """
    own = [f"rewards/{reward.name}" for reward in rewards]
    return (
        *("reward", "reward_std", "frac_reward_zero_std"),
        *(f"{name}/{figure}" for name in own for figure in ("mean", "std")),
        "entropy",
        *OF_LENGTHS,
        *(() if kl is None else ("kl", COEFFICIENT)),
        *((EXPLAINED,) if has_values else ()),
    )


def figures(rollout, rewards, ratings, spread, mask, found):
    """dict of float by those names, but for the coefficient.

    Args:
        rollout: `Rollout`.
        rewards: tuple of `Reward`.
        ratings: `Ratings`.
        spread: float64 `(P,)`, the standard deviation of each prompt's rewards; empty
            where there is one completion a prompt.
        mask: bool `(N, L)`.
        found: dict of float64 `(N, L)`: `log_probabilities`, or nothing of the policy
            where a step says it; `reference` if there is one; `values` and `returns` of
            a critic.
    """
    nats = found.get("log_probabilities")
    numbers = {**_of_rewards(rewards, ratings, spread), **_of_lengths(rollout)}
    if nats is not None:
        # The mean surprise: entropy, seen at the tokens that were drawn.
        numbers["entropy"] = -nats[mask].mean()
    if nats is not None and "reference" in found:
        numbers["kl"] = ((nats - found["reference"]) * mask).sum(axis=1).mean()
    if "values" in found:
        numbers[EXPLAINED] = _explained(found["values"][mask], found["returns"][mask])
    return {name: float(value) for name, value in numbers.items()}


def _explained(values, returns):
    """float: the share of the returns' variance that a critic explains, at most 1."""
    variance = returns.var()
    return 1 - (returns - values).var() / variance if variance else 0.0


def _of_rewards(rewards, ratings, spread):
    numbers = {
        "reward": ratings.total.mean(),
        "reward_std": spread.mean() if spread.size else ratings.total.std(),
        "frac_reward_zero_std": (spread < EQUAL).mean() if spread.size else 0.0,
    }
    for reward, column in zip(rewards, ratings.each.T, strict=True):
        known = column[~np.isnan(column)]
        numbers[f"rewards/{reward.name}/mean"] = known.mean() if known.size else 0.0
        numbers[f"rewards/{reward.name}/std"] = known.std() if known.size else 0.0
    return numbers


def _of_lengths(rollout):
    lengths, ended = rollout.completion_lengths, rollout.ended
    terminated = lengths[ended].mean() if ended.any() else 0.0
    figures = lengths.mean(), lengths.min(), lengths.max(), terminated
    return dict(zip(OF_LENGTHS, (*figures, 1 - ended.mean()), strict=True))
