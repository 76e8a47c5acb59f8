"""Completions that were drawn and rated: best of n, and samples worth imitating."""

import dataclasses

import numpy as np

from keras_genai.checks import check_integer
from keras_genai.samplers.rollouts import Rollout, completions, roll
from keras_genai.samplers.tokens import Sample
from keras_genai.tasks.rewards import Ratings, prompt_rows, rate, read_rewards

__all__ = ["Rated", "best_of", "sampled"]


@dataclasses.dataclass(frozen=True, eq=False)
class Rated:
    """Completions with what they are worth, those of one prompt next to each other.

    Attributes:
        prompts: list of str or tokens, one a completion.
        completions: list of str, or of int32 arrays without a tokenizer.
        rollout: `Rollout`.
        ratings: `Ratings`.
        names: tuple of str, what the rewards are called.
        group: int. Completions of each prompt.
    """

    prompts: list
    completions: list
    rollout: Rollout
    ratings: Ratings
    names: tuple
    group: int

    def records(self, rows=None):
        """list of dict, JSON: what was asked, what came, and what it is worth.

        Args:
            rows: ints, which completions, or `None`: all.

        Returns:
            of each `prompt`, `completion`, `ended`, `reward`, and every reward by its
            name, `None` where it does not apply.
        """
        rows = range(len(self.prompts)) if rows is None else rows
        return [self._record(row) for row in rows]

    def best(self):
        """int array: the completion of each prompt with the largest reward."""
        rewards = self.ratings.total.reshape(-1, self.group)
        return np.arange(len(rewards)) * self.group + rewards.argmax(axis=1)

    def worth(self, least):
        """int array: completions whose reward is at least `least`, a float."""
        return np.flatnonzero(self.ratings.total >= least)

    def _record(self, row):
        each = zip(self.names, self.ratings.each[row], strict=True)
        return {
            **self._made(row),
            "reward": float(self.ratings.total[row]),
            **{name: None if np.isnan(one) else float(one) for name, one in each},
        }

    def _made(self, row):
        """What was made, as JSON has it."""
        return {
            "prompt": _plain(self.prompts[row]),
            "completion": _plain(self.completions[row]),
            "ended": bool(self.rollout.ended[row]),
        }


def sampled(
    policy, prompts, rewards, count=4, length=32, seed=0, temperature=1.0, stop=()
):
    """Draws completions and rates them.

    With `worth`, those that reach a reward can be imitated, which is rejection
    sampling:

        found = sampled(policy, prompts, [solved], count=16)
        rows = found.records(found.worth(1.0))

    Args:
        policy: `CausalLM` or `Seq2SeqLM`.
        prompts: list of str or int token rows; or of dicts of `prompt` and columns
            that rewards ask for by name.
        rewards: as `PolicyTuning` takes them.
        count: int. Completions of each prompt.
        length: int. Tokens of a completion at most.
        seed: int.
        temperature: float > 0.
        stop: tuple of int. Tokens that end a completion besides the model's end token.

    Returns:
        `Rated` of `count` completions for each prompt.

    Raises:
        ValueError: as `roll` and rewards say.
    """
    rows, rewards = prompt_rows(prompts), read_rewards(rewards)
    asked = [row["prompt"] for row in rows]
    rollout = roll(policy, asked, count, length, seed, Sample(temperature), stop)
    texts = completions(rollout, policy.tokenizer, policy.end_tokens(stop))
    rows = [row for row in rows for _ in range(count)]
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    asked = [_read(each, policy.tokenizer) for each in columns.pop("prompt")]
    ratings = rate(rewards, asked, texts, columns={**_known(rollout), **columns})
    names = tuple(reward.name for reward in rewards)
    return Rated(asked, texts, rollout, ratings, names, count)


def best_of(policy, prompts, rewards, count=4, **settings):
    """The best of several completions of each prompt.

    The divergence from the policy is at most `log count - (count - 1) / count` nats.

    Args:
        policy, prompts, rewards, count, **settings: see `sampled`.

    Returns:
        list of str, or of int32 arrays without a tokenizer: one a prompt.

    Raises:
        ValueError: as `sampled`, or if `count` is below 1.

    Reference: Stiennon et al. 2020, section 4.1, https://arxiv.org/abs/2009.01325
    """
    check_integer("count", count, 1)
    found = sampled(policy, prompts, rewards, count, **settings)
    return [found.completions[row] for row in found.best()]


def _known(rollout):
    """dict of lists: what rewards are told of completions beside their text."""
    known = {"ended": rollout.ended.tolist()}
    if not rollout.inputs:  # a decoder alone has the prompt in its tokens
        pairs = zip(rollout.tokens, rollout.lengths, strict=True)
        known["tokens"] = [tokens[:length] for tokens, length in pairs]
    return known


def _read(prompt, tokenizer):
    """A prompt as rewards read it: text, where tokens can be said."""
    if isinstance(prompt, str) or tokenizer is None:
        return prompt
    return tokenizer.decode(prompt)


def _plain(text):
    """A text, or a row of tokens as JSON has it."""
    return text if isinstance(text, str) else [int(token) for token in text]
