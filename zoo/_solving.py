"""How a model that solves Countdown learns from what it solves by itself."""

import dataclasses

from keras_genai.data.countdown import solved, uses_all
from zoo import _countdown, _policies

DRAWN = 16  # completions of each problem: 54,400 of all


def rewarded(policy, advantages, objective, kl, rollouts, dtype=None, name=None):
    """`_policies.rewarded` by the parser."""
    rewards = [(solved, 1.0), (uses_all, 0.1)]
    return _policies.rewarded(
        policy, rewards, advantages, objective, kl, rollouts, dtype, name
    )


def feed_solved(model, splits, batch_size, seed, trained, count=DRAWN):
    """What it was shown and what it solved by itself, to be imitated, each once.

    Args:
        model: `CausalLM` that learns.
        splits: `Splits` with prompts.
        batch_size, seed: int.
        trained: `CausalLM` that writes.
        count: int, completions of each problem.
    """
    prompts = [row["prompt"] for row in splits.prompts]
    found = {(row["prompt"], row["completion"]) for row in splits.prompts}
    found = {(prompt, text) for prompt, text in found if text}
    drawn = _policies.drawn(trained, prompts, solved, count, _countdown.LENGTH, seed)
    for rated in drawn:
        found |= {
            (rated.prompts[row], rated.completions[row]) for row in rated.worth(1.0)
        }
    rows = [{"prompt": a, "completion": b} for a, b in sorted(found)]
    train = model.loader(rows, batch_size, _countdown.CONTEXT, seed=seed)
    return dataclasses.replace(splits, train=train, validation=None)
