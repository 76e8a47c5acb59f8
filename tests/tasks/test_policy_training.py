"""Training of policies by sampling ends where a closed form says."""

import keras
import numpy as np
import pytest
from toy_strings import BETA, REFERENCE, policy, share_missing, table, worth

from keras_genai.tasks.advantages import GAE, GroupMean
from keras_genai.tasks.objectives import KL, Clipped
from keras_genai.tasks.policy import PolicyTuning
from keras_genai.tasks.rollout_settings import RolloutSettings
from keras_genai.training.rollouts import Rollouts

SUMS = Clipped(mean="constant")  # of tokens, up to a constant


def train(seed, rounds, passes=1, rate=0.1, **given):
    """The table of a policy trained by `fit`, from the reference."""
    settings = RolloutSettings(256, 1, 3, stop=(0,))
    tuning = PolicyTuning(
        policy(REFERENCE), worth, kl=KL(BETA), rollouts=settings, **given
    )
    steps = rounds * passes
    schedule = keras.optimizers.schedules.CosineDecay(rate, steps)
    tuning.compile(keras.optimizers.Adam(schedule, beta_2=0.99))
    logs = tuning.fit(
        tuning.loader(256, seed=seed),
        epochs=steps,
        verbose=0,
        callbacks=[Rollouts([[0]], every=passes, seed=seed)],
    )
    return table(tuning.policy), logs.history


METHODS = {
    "RLOO": {"objective": Clipped(mean="sequence", ratio="sequence"), "rounds": 300},
    "Dr. GRPO": {
        "advantages": GroupMean("none"),
        "objective": SUMS,
        "rounds": 300,
    },
    "PPO": {"advantages": GAE(), "rounds": 60, "passes": 4, "rate": 0.05},
}


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("method", METHODS)
def test_sampled_training_reaches_the_optimum(method, seed):
    logits, _ = train(seed, **METHODS[method])
    assert share_missing(logits) < 0.01


@pytest.mark.slow
def test_a_few_rollouts_win_some_of_what_can_be_won_and_are_logged():
    logits, history = train(0, 8, objective=SUMS, advantages=GAE(), rate=0.3)
    assert share_missing(logits) < 0.6
    assert history["reward"][-1] > history["reward"][0]
    assert history["clip_ratio/region_mean"] == [0] * 8
    assert np.isfinite([*history.values()]).all()
    logged = (
        *("reward", "reward_std", "frac_reward_zero_std", "kl", "entropy"),
        *("rewards/worth/mean", "rewards/worth/std", "kl_coefficient"),
        *("completions/mean_length", "completions/clipped_ratio"),
        *("loss", "loss/policy_avg", "loss/value_avg", "policy/approxkl_avg"),
        *("clip_ratio/low_mean", "clip_ratio/high_mean", "val/clipfrac_avg"),
    )
    assert set(logged) <= history.keys()
