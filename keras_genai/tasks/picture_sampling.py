"""Pictures that were drawn and rated, and the best of several of them."""

import numpy as np

from keras_genai.checks import check_integer
from keras_genai.tasks.rewards import rate, read_rewards
from keras_genai.tasks.sampling import Rated

__all__ = ["RatedPictures", "best_pictures", "sampled_pictures"]


class RatedPictures(Rated):
    """Pictures with what they are worth, those of one prompt next to each other.

    Attributes:
        prompts: list of dict, what each was made from.
        completions: float32 `(N, H, W, C)` in [0, 1].
        rollout: `Trajectories`.
        ratings, names, group: see `Rated`.
    """

    def _made(self, row):
        """What of a prompt can be written in a line."""
        pairs = self.prompts[row].items()
        return {
            name: value for name, value in pairs if not isinstance(value, np.ndarray)
        }


def sampled_pictures(policy, prompts, rewards, count=4, seed=0, **settings):
    """Draws pictures and rates them.

    Args:
        policy: `Diffusion`.
        prompts: list of dict, all with the same names: what pictures shall be made
            from, by the arguments of `generate`, such as `labels`. What a dict leaves
            out may be anything.
        rewards: as `DiffusionTuning` takes them. They ask for what is in prompts by
            name.
        count: int. Pictures of each prompt.
        seed: int.
        **settings: `steps`, `guidance` and `sampler`, see `Diffusion.trajectories`.

    Returns:
        `RatedPictures` of `count` pictures for each prompt.

    Raises:
        ValueError: if prompts differ in their names, or as `trajectories` and rewards
            say.
    """
    _check_names(prompts)
    rewards = read_rewards(rewards)
    rows = [row for row in prompts for _ in range(count)]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    rollout = policy.trajectories(len(rows), seed=seed, **settings, **columns)
    ratings = rate(rewards, rollout.images, columns=columns)
    names = tuple(reward.name for reward in rewards)
    return RatedPictures(rows, rollout.images, rollout, ratings, names, count)


def best_pictures(policy, prompts, rewards, count=4, **settings):
    """The best of several pictures of each prompt.

    The divergence from the policy is at most `log count - (count - 1) / count` nats.

    Args:
        policy, prompts, rewards, count, **settings: see `sampled_pictures`.

    Returns:
        float32 `(N, H, W, C)` in [0, 1]: one a prompt.

    Raises:
        ValueError: as `sampled_pictures`, or if `count` is below 1.

    Reference: Stiennon et al. 2020, section 4.1, https://arxiv.org/abs/2009.01325
    """
    check_integer("count", count, 1)
    found = sampled_pictures(policy, prompts, rewards, count, **settings)
    return found.completions[found.best()]


def _check_names(prompts):
    is_dict = all(isinstance(row, dict) for row in prompts)
    names = {tuple(sorted(row)) for row in prompts} if is_dict else {}
    if len(names) != 1:
        raise ValueError(
            "`prompts` must be at least one dict of arguments of `generate`, all with "
            f"the same names. Received: {sorted(names) if is_dict else prompts!r}"
        )
