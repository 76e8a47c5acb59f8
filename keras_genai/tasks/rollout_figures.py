"""What the logs say of a rollout, as TRL calls it."""

import numpy as np

__all__ = ["COEFFICIENT", "EXPLAINED", "explained", "names", "of_rewards"]

COEFFICIENT = "kl_coefficient"  # of the price of divergence, which a run may move
ENTROPY = "entropy"  # seen at the tokens that were drawn
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
OF_COMPLETIONS = (ENTROPY, *OF_LENGTHS)
EXPLAINED = "val/var_explained"
EQUAL = 1e-8  # a spread below this is none


def names(rewards):
    """tuple of str: what will be said of rewards.

    Args:
        rewards: tuple of `Reward`.
    """
    own = [f"rewards/{reward.name}" for reward in rewards]
    return (
        *("reward", "reward_std", "frac_reward_zero_std"),
        *(f"{name}/{figure}" for name in own for figure in ("mean", "std")),
    )


def of_rewards(rewards, ratings, spread):
    """dict of float by `names`.

    Args:
        rewards: tuple of `Reward`.
        ratings: `Ratings`.
        spread: float64 `(P,)`, the standard deviation of each prompt's rewards; empty
            where there is one completion a prompt.
    """
    numbers = {
        "reward": ratings.total.mean(),
        "reward_std": spread.mean() if spread.size else ratings.total.std(),
        "frac_reward_zero_std": (spread < EQUAL).mean() if spread.size else 0.0,
    }
    for reward, column in zip(rewards, ratings.each.T, strict=True):
        known = column[~np.isnan(column)]
        numbers[f"rewards/{reward.name}/mean"] = known.mean() if known.size else 0.0
        numbers[f"rewards/{reward.name}/std"] = known.std() if known.size else 0.0
    return {name: float(value) for name, value in numbers.items()}


def of_completions(rollout, nats, mask):
    """dict of float by `OF_COMPLETIONS`.

    Args:
        rollout: `Rollout`.
        nats: float64 `(N, L)`, log-probabilities of tokens, or `None` where a step says
            them; then nothing is said of entropy.
        mask: bool `(N, L)`.
    """
    lengths, ended = rollout.completion_lengths, rollout.ended
    terminated = lengths[ended].mean() if ended.any() else 0.0
    figures = lengths.mean(), lengths.min(), lengths.max(), terminated
    figures = dict(zip(OF_LENGTHS, (*figures, 1 - ended.mean()), strict=True))
    if nats is not None:
        # The mean surprise: entropy, seen at the tokens that were drawn.
        figures[ENTROPY] = -nats[mask].mean()
    return {name: float(value) for name, value in figures.items()}


def explained(values, returns):
    """float: the share of the returns' variance that a critic explains, at most 1.

    Args:
        values, returns: float64 arrays, what it expected and what came.
    """
    variance = returns.var()
    return float(1 - (returns - values).var() / variance) if variance else 0.0
