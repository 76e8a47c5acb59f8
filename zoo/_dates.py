"""How a model that writes dates learns from right or wrong."""

import dataclasses

from zoo import _policies, _translation
from zoo.entry import kept

READ = 40  # characters of a date as people write it, at most
LENGTH = 12  # characters of one of ISO 8601, its end included


def exact(prompts, completions, answer):
    """A reward: 1 for each date that is right to the letter, else 0.

    Args:
        prompts: list of str, which it does not read.
        completions: list of str.
        answer: list of str, the right ones.
    """
    pairs = zip(completions, answer, strict=True)
    return [float(text == right) for text, right in pairs]


def rewarded(policy, advantages, objective, kl, rollouts, dtype=None, name=None):
    """`_policies.rewarded` by `exact`."""
    return _policies.rewarded(
        policy, [exact], advantages, objective, kl, rollouts, dtype, name
    )


def feed(model, splits, batch_size, seed):
    """Numbers of completions, and prompts with the right answers for the reward."""
    policy = kept(model)
    kinds = (*policy.given, policy.target)
    prompts = tuple(
        dict(zip(("prompt", "answer"), map(_spelled, pair, kinds), strict=True))
        for pair in splits.train.content
    )
    found = _policies.feed(model, splits, batch_size, seed)
    return dataclasses.replace(found, prompts=prompts)


def _spelled(text, kind):
    """A text of the data, which may be there as tokens, as str."""
    return text if isinstance(text, str) else kind.tokenizer.decode(text)


def score(model, splits):
    """The figures of the base, see `_translation.score_dates`."""
    return _translation.score_dates(kept(model), splits)


def write(model, seed, texts):
    """See `_translation.write`."""
    return _translation.write(kept(model), seed, texts)
