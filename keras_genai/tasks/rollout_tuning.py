"""RolloutTuning: a task that learns from rewards of what its policy makes."""

from typing import Annotated, Any, ClassVar

import keras
import numpy as np
from keras import ops

from keras_genai.data.held import in_batches
from keras_genai.declared import part
from keras_genai.tasks import rollout_figures
from keras_genai.tasks.advantages import LeaveOneOut
from keras_genai.tasks.rewards import read_rewards
from keras_genai.tasks.rollout_buffer import ENDING
from keras_genai.tasks.tuning import Tuning
from keras_genai.tasks.values import table_rows


class RolloutTuning(Tuning):
    """What tasks share that learn from rewards of what their policy makes.

    A policy makes a rollout, rewards say what each of its rows is worth, and the policy
    is trained on them for a few steps, before it makes another. A subclass has a field
    `rollouts`, settings with `rows` and `noun`; it makes `buffer`, a `RolloutBuffer`,
    in `make` before it calls that of this class; and it says what is made and what is
    learned from it, in `_sampled` and `learn_from`.

    Attributes:
        prompts_per_rollout: int.
        has_rollout: bool. Whether there is something to learn from.
    """

    policy: Any
    rewards: Any
    advantages: Annotated[Any, part("has_values", "keras_genai.tasks.advantages")] = (
        LeaveOneOut()
    )

    transient: ClassVar = (ENDING,)

    def _take(self, key, value):
        super()._take(key, read_rewards(value) if key == "rewards" else value)

    def check(self):
        settings, group = self.rollouts, self.advantages.group
        if settings.rows % group:
            raise ValueError(
                f"`rollouts.{settings.noun}` must be a multiple of the {group} "
                f"{settings.noun} of each prompt. Received: {settings.rows}"
            )

    def make(self):
        names = (*self._updates, *self.buffer.figures)
        self.trackers = {name: keras.metrics.Mean(name=name) for name in names}

    @property
    def _updates(self):
        """tuple of str: what the logs say of steps."""
        return ()

    @property
    def _figures(self):
        """tuple of str: what they say of rollouts."""
        return rollout_figures.names(self.rewards)

    @property
    def prompts_per_rollout(self):
        return self.rollouts.rows // self.advantages.group

    @property
    def has_rollout(self):
        return self.buffer.is_filled

    def loader(self, batch_size=64, seed=0):
        """Batches for `fit`: numbers of rows of a rollout, all of them once an epoch.

        Args:
            batch_size: int. Rows of a step.
            seed: int, of their order.

        Returns:
            `keras_genai.data.DataLoader` of int32 `(batch_size,)`.
        """
        rows = np.arange(self.rollouts.rows, dtype="int32")
        return in_batches(rows, len(rows), batch_size, True, seed)

    def looked_up(self, x, y=None):
        return [table_rows("rows", x, self.rollouts.rows, rank=1)]

    def input_specs(self):
        return keras.InputSpec("int32", shape=(None,))

    def refill(self, prompts, seed, once=False):
        """Lets the policy make a rollout, and fills what it learns from.

        Args:
            prompts: list of `prompts_per_rollout` prompts, as the policy takes them.
            seed: int, of the draws.
            once: bool. Whether the next step is the only one that learns from it.

        Returns:
            list of dict, a record of each row: what was made of what, its `reward`, and
            each reward by its name, `None` where it does not apply.

        Raises:
            ValueError: if there are more or fewer prompts, if one is not as it must be,
                or if a reward is no finite number.
        """
        if len(prompts) != self.prompts_per_rollout:
            raise ValueError(
                f"`prompts` must be {self.prompts_per_rollout} for a rollout of "
                f"{self.rollouts.rows} {self.rollouts.noun}. Received: {len(prompts)}"
            )
        rated = self._sampled(prompts, seed)
        self.learn_from(rated.rollout, rated.ratings, once)
        return rated.records()

    def _sampled(self, prompts, seed):
        """`Rated` of what the policy makes of prompts."""
        raise NotImplementedError

    def learn_from(self, rollout, ratings, once=False):
        """Fills what is learned from.

        Args:
            rollout: what was made, `rollouts.rows` of it.
            ratings: `Ratings` of it.
            once: see `refill`.
        """
        raise NotImplementedError

    def _figures_of_rewards(self, ratings):
        spread = self.advantages.spread(ratings.total)
        return rollout_figures.of_rewards(self.rewards, ratings, spread)

    def _track_rollout(self, fresh=False, seen=None):
        """Logs what is known of the rollout.

        Args:
            fresh: bool tensor, whether a step itself sees what was `seen`.
            seen: dict of float32 scalars by the names of figures, or `None`.
        """
        for name, figure in self.buffer.figures.items():
            if seen is not None and name in seen:
                figure = ops.where(fresh, seen[name], figure)
            self.trackers[name].update_state(figure)
