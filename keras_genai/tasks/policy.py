"""PolicyTuning: a language model learns from rewards of what it writes itself."""

import functools
from typing import Annotated, Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_genai import compat, replicas
from keras_genai.checks import refuse_float16
from keras_genai.data.held import in_batches
from keras_genai.declared import part
from keras_genai.registry import register
from keras_genai.samplers.session import compiled
from keras_genai.tasks import rollout_figures
from keras_genai.tasks.advantages import LeaveOneOut
from keras_genai.tasks.likelihood import (
    check_policy,
    log_probabilities,
    read_completions,
    token_log_probabilities,
)
from keras_genai.tasks.objectives import (
    KL,
    AdaptiveKL,
    Clipped,
    mean_over,
    value_error,
)
from keras_genai.tasks.reference import FromBatch, acting
from keras_genai.tasks.rewards import check_vocabulary, prompt_rows, read_rewards
from keras_genai.tasks.rollout_buffer import ENDING, RolloutBuffer
from keras_genai.tasks.rollout_figures import COEFFICIENT
from keras_genai.tasks.rollout_settings import RolloutSettings
from keras_genai.tasks.sampling import sampled
from keras_genai.tasks.seq2seq import Seq2SeqLM
from keras_genai.tasks.tuning import Tuning
from keras_genai.tasks.values import table_rows

__all__ = ["PolicyTuning"]

MOST_NUMBERS = 2**26  # float32 logits at once outside of training: 256 MiB
UPDATES = (
    "loss/policy_avg",
    "policy/approxkl_avg",
    "clip_ratio/low_mean",
    "clip_ratio/high_mean",
    "clip_ratio/region_mean",
)
UPDATES_OF_VALUES = ("loss/value_avg", "val/clipfrac_avg")


@register
class PolicyTuning(Tuning):
    """Reinforcement learning of a language model: RLOO, GRPO and its variants, PPO.

    The policy writes completions, rewards say what they are worth, and the policy is
    trained on them for a few steps, before it writes anew. `Rollouts` of
    `keras_genai.training` does the writing; the batches of `fit` are numbers of
    completions, as `loader` gives them:

        tuning = PolicyTuning(policy, [is_polite, (brevity, 0.1)])
        tuning.compile(keras.optimizers.Adam(1e-5), jit_compile=True)
        tuning.fit(tuning.loader(64), epochs=100, callbacks=[Rollouts(prompts, 4)])

    Dropout is off, and old probabilities are computed as new ones are, so that ratios
    are 1 in the first step after a rollout. What is saved is the policy: rewards are
    code, which no file can bring back.

    Args:
        policy: `CausalLM` or `Seq2SeqLM`.
        rewards: a function of prompts and completions, or a list of functions, of
            `(function, weight)`, or of `Reward`; see there.
        advantages: `LeaveOneOut`, `GroupMean` or `GAE`, which has a critic.
        objective: `Clipped`.
        kl: `KL`, `AdaptiveKL`, or `None`: nothing keeps the policy near the reference.
        reference: what it is kept near, see
            `keras_genai.tasks.reference.settle`. `None`: the policy as it is now.
        rollouts: `RolloutSettings`.

    Attributes:
        prompts_per_rollout: int.
        has_rollout: bool. Whether there is something to learn from.

    Call arguments:
        rows: int `(B,)`, numbers of completions in the rollout.

    Returns:
        dict of `log_probabilities`, float32 `(B, L)`, of the tokens of completions; and
        with a critic `values`, float32 `(B, L)`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if numbers do not go together, if completions may be longer than the
            context, or if a reward model reads other tokens.

    Reference: Ziegler et al. 2019, https://arxiv.org/abs/1909.08593 (PPO of language
        models); Ahmadian et al. 2024, https://arxiv.org/abs/2402.14740 (RLOO); Shao et
        al. 2024, https://arxiv.org/abs/2402.03300 (GRPO)
    """

    policy: Annotated[Any, lambda name, value: check_policy(value, name)]
    rewards: Any
    advantages: Annotated[Any, part("has_values", "keras_genai.tasks.advantages")] = (
        LeaveOneOut()
    )
    objective: Clipped = Clipped()
    kl: KL | None = KL()
    reference: Any = None
    rollouts: RolloutSettings = RolloutSettings()

    transient: ClassVar = (ENDING,)

    def _take(self, key, value):
        super()._take(key, read_rewards(value) if key == "rewards" else value)

    def _make_if_complete(self):
        if self.kl is None:
            self.reference = FromBatch()
        super()._make_if_complete()

    def check(self):
        refuse_float16(self.policy)
        check_vocabulary(self.rewards, self.tokenizer)
        settings, group = self.rollouts, self.advantages.group
        if settings.completions % group:
            raise ValueError(
                f"`rollouts.completions` must be a multiple of the {group} completions "
                f"of each prompt. Received: {settings.completions}"
            )
        before = 1 if self.has_encoder else settings.prompt_length
        if self.context is not None and before + settings.length > self.context:
            raise ValueError(
                f"`rollouts` must have at most context={self.context} tokens, before "
                f"and in completions. Received: {before} + {settings.length}"
            )

    def make(self):
        self.jit_generate = self.policy.jit_generate
        if self.has_values:
            self.critic = keras.layers.Dense(
                1, kernel_initializer="zeros", dtype="float32", name="critic"
            )
            self.critic.build((None, None, self.policy.network.width))
        figures = rollout_figures.names(self.rewards, self.kl, self.has_values)
        self.buffer = RolloutBuffer(
            self, self.rollouts, self.has_encoder, self._kept, figures
        )
        if self.kl is not None:
            self.buffer.note({COEFFICIENT: self.kl.coefficient})
        updates = UPDATES + UPDATES_OF_VALUES * self.has_values
        self.trackers = {
            name: keras.metrics.Mean(name=name) for name in (*updates, *figures)
        }

    @property
    def _kept(self):
        """tuple of str: what the loss reads of every token of the rollout."""
        in_loss = self.kl is not None and self.kl.where == "loss"
        return (
            *("before", "advantages"),
            *(("reference",) if in_loss else ()),
            *(("values", "returns") if self.has_values else ()),
        )

    @property
    def has_values(self):
        """bool: whether there is a critic."""
        return self.advantages.has_values

    @property
    def has_encoder(self):
        """bool: whether the policy is a `Seq2SeqLM`."""
        return isinstance(self.policy, Seq2SeqLM)

    @property
    def prompts_per_rollout(self):
        return self.rollouts.completions // self.advantages.group

    @property
    def has_rollout(self):
        return self.buffer.is_filled

    @property
    def kl_coefficient(self):
        """float: what a nat of divergence costs now."""
        return float(ops.convert_to_numpy(self.buffer.figures[COEFFICIENT]))

    def loader(self, batch_size=64, seed=0):
        """Batches for `fit`: numbers of completions, all of them once an epoch.

        Args:
            batch_size: int. Completions of a step.
            seed: int, of their order.

        Returns:
            `keras_genai.data.DataLoader` of int32 `(batch_size,)`.
        """
        rows = np.arange(self.rollouts.completions, dtype="int32")
        return in_batches(rows, len(rows), batch_size, True, seed)

    def looked_up(self, x, y=None):
        return [table_rows("rows", x, self.rollouts.completions, rank=1)]

    def input_specs(self):
        return keras.InputSpec("int32", shape=(None,))

    def call(self, rows, training=False):
        return self._read(self.buffer.rows(rows))

    def _read(self, batch):
        """What the policy as it is says of completions, and the critic."""
        read = read_completions(self.policy, **self.buffer.written(batch))
        with compat.not_training():
            logits = self.policy.network.logits(read.hidden)
        nats = log_probabilities(logits, read.tokens, self.rollouts.temperature)
        found = {"log_probabilities": ops.where(read.mask, nats, 0.0)}
        if self.has_values:
            values = self.critic(ops.cast(read.hidden, "float32"))[..., 0]
            found["values"] = ops.where(read.mask, values, 0.0)
        return found

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        batch = self.buffer.rows(x)
        mask = self.buffer.mask(batch)
        nats = y_pred["log_probabilities"]
        fresh = self.buffer.is_fresh > 0
        before = ops.where(fresh, ops.stop_gradient(nats), batch["before"])
        surrogate = self.objective(nats, before, batch["advantages"], mask)
        loss = self._mean("loss/policy_avg", surrogate.loss, mask)
        if "reference" in batch:
            cost = self.kl.penalty(nats, batch["reference"], surrogate.ratio)
            loss += self.buffer.figures[COEFFICIENT] * self._mean(None, cost, mask)
        if self.has_values:
            loss += self._value_loss(batch, y_pred["values"], mask)
        self._track_updates(surrogate, nats - before, mask)
        seen = _seen(nats, batch.get("reference"), mask)
        for name, figure in self.buffer.figures.items():
            if name in seen:
                figure = ops.where(fresh, seen[name], figure)
            self.trackers[name].update_state(figure)
        return replicas.share(loss)

    def _value_loss(self, batch, values, mask):
        clip = self.advantages.value_clip
        error = value_error(values, batch["values"], batch["returns"], clip)
        self._track("val/clipfrac_avg", error.clipped, mask)
        loss = self._mean("loss/value_avg", error.loss, mask)
        return self.advantages.value_weight * loss

    def _mean(self, name, values, mask):
        """The mean that the objective takes of tokens, logged under a name."""
        tokens = self.buffer.tokens_per_row
        mean = mean_over(values, mask, self.objective.mean, tokens)
        if name is not None:
            self.trackers[name].update_state(mean)
        return mean

    def _track_updates(self, surrogate, change, mask):
        self._track("policy/approxkl_avg", 0.5 * ops.square(change), mask)
        self._track("clip_ratio/low_mean", surrogate.low, mask)
        self._track("clip_ratio/high_mean", surrogate.high, mask)
        self._track("clip_ratio/region_mean", surrogate.low + surrogate.high, mask)

    def _track(self, name, values, mask):
        """Logs the mean over the tokens of a batch."""
        mean = ops.sum(values * mask) / ops.maximum(ops.sum(mask), 1.0)
        self.trackers[name].update_state(mean)

    # What happens between steps, on the host.

    def refill(self, prompts, seed, once=False):
        """Lets the policy write, and fills what it learns from.

        Args:
            prompts: list of `prompts_per_rollout` str or int token rows; or dicts of
                `prompt` and columns that rewards ask for by name.
            seed: int, of the draws.
            once: see `learn_from`.

        Returns:
            list of dict, a record a completion: `prompt`, `completion`, `ended`,
            `reward`, and each reward by its name, `None` where it does not apply.

        Raises:
            ValueError: if there are more or fewer prompts, if one is too long, or if a
                reward is no finite number.
        """
        rows = prompt_rows(prompts)
        if len(rows) != self.prompts_per_rollout:
            raise ValueError(
                f"`prompts` must be {self.prompts_per_rollout} for a rollout of "
                f"{self.rollouts.completions} completions. Received: {len(rows)}"
            )
        settings = self.rollouts
        rated = sampled(
            self.policy,
            rows,
            self.rewards,
            self.advantages.group,
            settings.length,
            seed,
            settings.temperature,
            settings.stop,
        )
        self.learn_from(rated.rollout, rated.ratings, once)
        return rated.records()

    def learn_from(self, rollout, ratings, once=False):
        """Fills what is learned from.

        Args:
            rollout: `Rollout` of `rollouts.completions` rows.
            ratings: `Ratings` of them.
            once: bool. Whether the next step is the only one that learns from it. Then
                its own probabilities are the old ones, which need no pass of their own,
                if neither a critic nor the price of divergence asks for them before.
        """
        fresh = once and not self._asks_before
        self.buffer.hold(rollout, fresh)
        found = self._scores(fresh)
        lengths = rollout.completion_lengths[:, None]
        mask = np.arange(self.rollouts.length)[None] < lengths
        rewards = self._token_rewards(rollout, ratings.total, found, mask)
        estimated = self.advantages(rewards, found.get("values"), mask)
        known = {**found, **estimated._asdict()}
        known["before"] = found.get("log_probabilities")
        self.buffer.put(
            **{name: known[name] for name in self._kept if known[name] is not None}
        )
        spread = self.advantages.spread(ratings.total)
        figures = rollout_figures.figures(
            rollout, self.rewards, ratings, spread, mask, known
        )
        if "kl" in figures:
            figures[COEFFICIENT] = self.kl.following(
                self.kl_coefficient, figures["kl"], len(rollout)
            )
        self.buffer.note(figures)

    @property
    def _asks_before(self):
        """bool: whether what is learned depends on what a policy says before a step."""
        in_reward = self.kl is not None and self.kl.where == "reward"
        return self.has_values or in_reward or isinstance(self.kl, AdaptiveKL)

    def _scores(self, fresh):
        """What policy, critic and reference say of the rollout: float64 `(N, L)`.

        Nothing of the policy if it is `fresh`: the step will say it.
        """
        if fresh and self.kl is None:
            return {}
        total = self.rollouts.completions
        logits = self.rollouts.length * self.vocabulary_size
        size = min(total, max(1, MOST_NUMBERS // logits))
        build = functools.partial(functools.partial, self._score, fresh)
        score = compiled(self, ("scores", size, fresh), build)
        found = []
        for begin in range(0, total, size):
            # The last batch has the shape of the others.
            places = np.minimum(np.arange(begin, begin + size), total - 1)
            found.append(score(ops.convert_to_tensor(places.astype("int32"))))
        return {
            name: np.concatenate([np.asarray(batch[name]) for batch in found])[
                :total
            ].astype("float64")
            for name in found[0]
        }

    def _score(self, fresh, places):
        batch = self.buffer.rows(places)
        found = {} if fresh else self._read(batch)
        if self.kl is not None:
            with acting(self.policy, self.reference) as model:
                found["reference"], _ = token_log_probabilities(
                    model,
                    **self.buffer.written(batch),
                    temperature=self.rollouts.temperature,
                )
        return found

    def _token_rewards(self, rollout, totals, found, mask):
        """float64 `(N, L)`: the score where a completion ends, what it costs before."""
        totals = totals - self.rollouts.missing_eos_penalty * ~rollout.ended
        rewards = np.zeros(mask.shape)
        rewards[np.arange(len(mask)), rollout.completion_lengths - 1] = totals
        if self.kl is not None and self.kl.where == "reward":
            change = found["log_probabilities"] - found["reference"]
            rewards -= self.kl_coefficient * change * mask
        return rewards


def _seen(nats, reference, mask):
    """Figures of a rollout as the step that learns from it sees them, by name.

    Args:
        nats: float32 `(B, L)`, of the policy.
        reference: float32 `(B, L)`, or `None` where nothing is kept of it.
        mask: float32 `(B, L)`.
    """
    figures = {"entropy": -ops.sum(nats * mask) / ops.maximum(ops.sum(mask), 1.0)}
    if reference is not None:
        figures["kl"] = ops.mean(ops.sum((nats - reference) * mask, axis=1))
    return figures
