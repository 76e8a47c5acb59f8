"""PictureTuning: a task that learns from rewards of the pictures of its policy."""

from typing import Annotated, Any

from keras_genai.checks import refuse_float16
from keras_genai.tasks.diffusion import Diffusion
from keras_genai.tasks.picture_sampling import sampled_pictures
from keras_genai.tasks.rollout_buffer import shapes_of
from keras_genai.tasks.rollout_tuning import RolloutTuning
from keras_genai.tasks.trajectory_settings import TrajectorySettings


def check_diffusion(name, value):
    """Raises a `TypeError` unless a model is a `Diffusion`."""
    if not isinstance(value, Diffusion):
        raise TypeError(
            f"`{name}` must be a Diffusion. Received: a {type(value).__name__}"
        )


class PictureTuning(RolloutTuning):
    """What tasks share that learn from rewards of pictures."""

    policy: Annotated[Any, check_diffusion]
    rollouts: TrajectorySettings = TrajectorySettings()

    def check(self):
        refuse_float16(self.policy)
        super().check()
        if self.advantages.has_values:
            raise ValueError(
                "`advantages` must need no critic, which a denoiser has not. Received: "
                f"{self.advantages!r}"
            )

    def check_reference(self, policy, reference):
        check_diffusion("reference", reference)
        if (reference.sample_shape, reference.given) != (
            policy.sample_shape,
            policy.given,
        ):
            raise ValueError(
                "`reference` must denoise what the policy does, given the same. "
                f"Received: one of {reference.sample_shape}, given {reference.given}"
            )

    @property
    def _conditions(self):
        """dict of arrays that a `RolloutBuffer` has of what pictures are made from."""
        fields = [kind.fields[kind.key] for kind in self.policy.given]
        keys = [kind.key for kind in self.policy.given]
        return shapes_of(dict(zip(keys, fields, strict=True)))

    def _condition(self, batch):
        """dict of tensors: what pictures of a batch of the buffer are made from."""
        return {kind.key: batch[kind.key] for kind in self.policy.given}

    def refill(self, prompts, seed, once=False):
        """Lets the policy make pictures, and fills what it learns from.

        Args:
            prompts: list of `prompts_per_rollout` dict of arguments of `generate`, such
                as `labels`, all with the same names. What a dict leaves out may be
                anything: `[{}]` are pictures of any kind.
            seed: int, of the draws.
            once: bool. Whether the next step is the only one that learns from it.

        Returns:
            list of dict, a record a picture: what it was made from, `reward`, and each
            reward by its name, `None` where it does not apply.

        Raises:
            ValueError: if there are more or fewer prompts, or if a reward is no finite
                number.
        """
        return super().refill(prompts, seed, once)

    def _sampled(self, prompts, seed):
        settings = self.rollouts
        return sampled_pictures(
            self.policy,
            prompts,
            self.rewards,
            self.advantages.group,
            seed,
            steps=settings.steps,
            guidance=settings.guidance,
            sampler=settings.sampler,
        )
