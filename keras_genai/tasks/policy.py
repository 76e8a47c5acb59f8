"""PolicyTuning: a language model learns from rewards of what it writes itself."""

from typing import Annotated, Any

import keras
from keras import ops

from keras_genai import compat
from keras_genai.checks import refuse_float16
from keras_genai.registry import register
from keras_genai.tasks import rollout_figures
from keras_genai.tasks.completion_buffer import CompletionBuffer
from keras_genai.tasks.likelihood import (
    check_policy,
    log_probabilities,
    read_completions,
    token_log_probabilities,
)
from keras_genai.tasks.policy_gradient import PolicyGradient
from keras_genai.tasks.rewards import check_vocabulary
from keras_genai.tasks.rollout_settings import RolloutSettings
from keras_genai.tasks.sampling import sampled
from keras_genai.tasks.seq2seq import Seq2SeqLM

__all__ = ["PolicyTuning"]

MOST_NUMBERS = 2**26  # float32 logits at once outside of training: 256 MiB


@register
class PolicyTuning(PolicyGradient):
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
    rollouts: RolloutSettings = RolloutSettings()

    def check(self):
        refuse_float16(self.policy)
        check_vocabulary(self.rewards, self.tokenizer)
        super().check()
        settings = self.rollouts
        before = 1 if self.has_encoder else settings.prompt_length
        if self.context is not None and before + settings.length > self.context:
            raise ValueError(
                f"`rollouts` must have at most context={self.context} tokens, before "
                f"and in completions. Received: {before} + {settings.length}"
            )

    def make(self):
        if self.has_values:
            self.critic = keras.layers.Dense(
                1, kernel_initializer="zeros", dtype="float32", name="critic"
            )
            self.critic.build((None, None, self.policy.network.width))
        self.buffer = CompletionBuffer(
            self, self.rollouts, self.has_encoder, self._kept, self._figures
        )
        super().make()

    @property
    def _figures(self):
        return (*super()._figures, *rollout_figures.OF_COMPLETIONS)

    @property
    def has_encoder(self):
        """bool: whether the policy is a `Seq2SeqLM`."""
        return isinstance(self.policy, Seq2SeqLM)

    def _read(self, batch):
        read = read_completions(self.policy, **self.buffer.written(batch))
        with compat.not_training():
            logits = self.policy.network.logits(read.hidden)
        nats = log_probabilities(logits, read.tokens, self.rollouts.temperature)
        found = {"log_probabilities": ops.where(read.mask, nats, 0.0)}
        if self.has_values:
            values = self.critic(ops.cast(read.hidden, "float32"))[..., 0]
            found["values"] = ops.where(read.mask, values, 0.0)
        return found

    def _reference_of(self, model, batch):
        written, temperature = self.buffer.written(batch), self.rollouts.temperature
        nats, _ = token_log_probabilities(model, **written, temperature=temperature)
        return nats

    def _mask(self, batch):
        return self.buffer.mask(batch)

    @property
    def _tokens_per_row(self):
        return self.buffer.tokens_per_row

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
        return super().refill(prompts, seed, once)

    def _sampled(self, prompts, seed):
        settings = self.rollouts
        return sampled(
            self.policy,
            prompts,
            self.rewards,
            self.advantages.group,
            settings.length,
            seed,
            settings.temperature,
            settings.stop,
        )

    def _hold(self, rollout):
        self.buffer.hold(rollout)

    @property
    def _places(self):
        return self.rollouts.length

    def _lengths(self, rollout):
        return rollout.completion_lengths

    def _totals(self, rollout, ratings):
        return ratings.total - self.rollouts.missing_eos_penalty * ~rollout.ended

    @property
    def _at_once(self):
        return max(1, MOST_NUMBERS // (self.rollouts.length * self.vocabulary_size))

    def _figures_of(self, rollout, known, mask):
        nats = known.get("log_probabilities")
        own = rollout_figures.of_completions(rollout, nats, mask)
        return {**super()._figures_of(rollout, known, mask), **own}
