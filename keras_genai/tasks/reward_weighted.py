"""RewardWeightedRegression: a diffusion model imitates what it made well itself."""

from typing import Annotated, Any

import numpy as np
from keras import ops

from keras_genai import replicas
from keras_genai.declared import part
from keras_genai.registry import register
from keras_genai.tasks.advantages import Exponential
from keras_genai.tasks.picture_tuning import PictureTuning
from keras_genai.tasks.reference import FromBatch
from keras_genai.tasks.rollout_buffer import FLOATS, RolloutBuffer

__all__ = ["RewardWeightedRegression"]


@register
class RewardWeightedRegression(PictureTuning):
    """A diffusion model that learns to denoise its own pictures, the better the more.

    The loss of each picture is that of `Diffusion`, times a weight that grows with its
    reward. It needs no probabilities, so any sampler will do. `DiffusionTuning` learns
    more from as many pictures, since it sees every step that led to them.

        tuning = RewardWeightedRegression(policy, [is_even])
        tuning.compile(keras.optimizers.Adam(1e-5))
        tuning.fit(tuning.loader(64), epochs=50, callbacks=[Rollouts([{}], 8)])

    Args:
        policy: `Diffusion`.
        rewards: see `DiffusionTuning`.
        advantages: `Exponential`, or another one: what each picture weighs.
        rollouts: `TrajectorySettings`.

    Attributes:
        prompts_per_rollout: int.
        has_rollout: bool. Whether there is something to learn from.

    Call arguments:
        rows: int `(B,)`, numbers of pictures in the rollout.
        training: bool. If `False`, the same noise is added in every call.

    Returns:
        dict of float32 `(B,)`: those of `Diffusion`, and `advantages`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if numbers do not go together.

    Reference: Peters & Schaal 2007, https://doi.org/10.1145/1273496.1273590; Black et
        al. 2023, section 4.2, https://arxiv.org/abs/2305.13301
    """

    advantages: Annotated[Any, part("has_values", "keras_genai.tasks.advantages")] = (
        Exponential()
    )

    reference = FromBatch()  # no annotation: not a field

    def make(self):
        shapes = {
            "images": (FLOATS, *self.policy.image_shape),
            "advantages": (FLOATS, 1),
            **self._conditions,
        }
        rows = self.rollouts.rows
        self.buffer = RolloutBuffer(self, rows, shapes, self._figures)
        super().make()

    def call(self, rows, training=False):
        batch = self.buffer.rows(rows)
        made = {self.target.key: batch["images"], **self._condition(batch)}
        found = self.policy(made, training=training)
        return {**found, "advantages": batch["advantages"][:, 0]}

    def compute_loss(
        self, x=None, y=None, y_pred=None, sample_weight=None, training=True
    ):
        losses = y_pred["advantages"] * y_pred["weight"] * y_pred["error"]
        self._track_rollout()
        return replicas.share(ops.mean(losses))

    def learn_from(self, rollout, ratings, once=False):
        totals = ratings.total[:, None]
        found = self.advantages(totals, None, np.ones_like(totals, bool))
        self.buffer.put(
            images=rollout.images, advantages=found.advantages, **rollout.condition
        )
        self.buffer.note(self._figures_of_rewards(ratings))
