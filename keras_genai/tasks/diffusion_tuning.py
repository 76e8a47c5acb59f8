"""DiffusionTuning: a diffusion model learns from rewards of what it paints."""

from typing import Annotated, Any

import numpy as np

from keras_genai.declared import part
from keras_genai.registry import register
from keras_genai.tasks.advantages import GroupMean
from keras_genai.tasks.objectives import KL
from keras_genai.tasks.picture_tuning import PictureTuning
from keras_genai.tasks.policy_gradient import PolicyGradient
from keras_genai.tasks.rollout_buffer import FLOATS, RolloutBuffer
from keras_genai.tasks.trajectories import step_log_probabilities

__all__ = ["DiffusionTuning"]

MOST_DENOISED = 256  # at once outside of training


@register
class DiffusionTuning(PictureTuning, PolicyGradient):
    """Reinforcement learning of a diffusion model: DDPO.

    To denoise is to decide, step by step, and every step that draws has a probability.
    So a diffusion model learns from rewards as a language model does, with the same
    objects; a step is to a picture what a token is to a text:

        tuning = DiffusionTuning(policy, [is_even])
        tuning.compile(keras.optimizers.Adam(1e-5))
        tuning.fit(tuning.loader(16), epochs=50, callbacks=[Rollouts([{}], 8)])

    A batch of B pictures denoises B times as many as there are steps at once. Dropout
    is off. What is saved is the policy.

    The range of `Clipped` is one of true ratios. The authors' code has a range of 1e-4
    of the geometric mean over the numbers of a picture, which for 16,384 of them, as
    many as Stable Diffusion's latents have, allows a ratio from 0.2 to 5.

    Args:
        policy: `Diffusion`.
        rewards: a function of pictures, or a list of functions, of
            `(function, weight)`, or of `Reward`; see there.
        advantages: `GroupMean` or `LeaveOneOut`.
        objective: `Clipped`. Its ratio of `"token"` is one a step.
        kl: `KL`, `AdaptiveKL`, or `None`: nothing keeps the policy near the reference.
        reference: what it is kept near, see `keras_genai.tasks.reference.settle`.
            `None`: the policy as it is now.
        rollouts: `TrajectorySettings`.

    Attributes:
        prompts_per_rollout: int.
        has_rollout: bool. Whether there is something to learn from.

    Call arguments:
        rows: int `(B,)`, numbers of pictures in the rollout.

    Returns:
        dict of `log_probabilities`, float32 `(B, steps - 1)`: of the steps that draw.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if numbers do not go together, or if the sampler draws nothing.

    Reference: Black et al. 2023, section 4.3, https://arxiv.org/abs/2305.13301; Fan et
        al. 2023 (with a divergence from a reference), https://arxiv.org/abs/2305.16381
    """

    advantages: Annotated[Any, part("has_values", "keras_genai.tasks.advantages")] = (
        GroupMean("group", group=16)
    )
    kl: KL | None = None

    def check(self):
        super().check()
        if not self.rollouts.sampler.draws:
            raise ValueError(
                "`rollouts.sampler` must draw its steps, as Ancestral and DDIM(eta) "
                "do, or nothing can be learned from their probabilities. Received: "
                f"{self.rollouts.sampler!r}"
            )

    def make(self):
        settings = self.rollouts
        levels = settings.sampler.grid(self.policy.schedule, settings.steps)
        self._levels = [np.asarray(part[:-1]) for part in levels]
        shapes = {
            "noisy": (FLOATS, settings.steps, *self.policy.sample_shape),
            **self._conditions,
            **dict.fromkeys(self._kept, (FLOATS, settings.steps - 1)),
        }
        self.buffer = RolloutBuffer(self, settings.rows, shapes, self._figures)
        super().make()

    def _read(self, batch):
        return {"log_probabilities": self._reference_of(self.policy, batch)}

    def _reference_of(self, model, batch):
        settings, condition = self.rollouts, self._condition(batch)
        return step_log_probabilities(
            model,
            batch["noisy"],
            self._levels,
            condition,
            settings.sampler,
            settings.guidance,
        )

    def _hold(self, rollout):
        # The picture itself is left out: the step to it draws nothing.
        self.buffer.put(noisy=rollout.noisy[:, :-1], **rollout.condition)

    @property
    def _places(self):
        return self.rollouts.steps - 1

    def _lengths(self, rollout):
        return np.full(len(rollout), self._places)

    @property
    def _at_once(self):
        return max(1, MOST_DENOISED // self.rollouts.steps)
