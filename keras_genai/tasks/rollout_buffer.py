"""The rollout that a policy learns from, as weights of its run."""

import numpy as np
from keras import ops

__all__ = ["RolloutBuffer"]

# TensorFlow keeps int32 variables on the host, where XLA on a GPU cannot read them.
INTS, FLOATS = "int64", "float32"
ENDING = "_of_rollout"  # of their names


class RolloutBuffer:
    """What is known of the completions of a rollout, a row each.

    It is weights of a task, so that a checkpoint in the middle of a rollout's updates
    has all that the next one needs.

    Args:
        task: `Task` that has the weights.
        settings: `RolloutSettings`.
        has_encoder: bool. Whether prompts are read by an encoder; then a completion
            stands behind a start token.
        kept: tuple of str, what is known of every token, float32.
        figures: tuple of str, what is known of the rollout as a whole, float32.

    Attributes:
        arrays: dict of `keras.Variable`, `(N, ...)` each: `tokens` and the two lengths
            of `Rollout`; `counts`, whether a row is learned from; `inputs` of an
            encoder and `inputs_lengths`; and what is kept, `(N, L)` each.
        figures: dict of scalar `keras.Variable`.
        tokens_per_row: likewise, tokens of a completion that are learned from, on
            average.
        is_fresh: likewise, 1 if the next step is the only one that learns from it, and
            its own probabilities are the old ones; else 0.
    """

    def __init__(self, task, settings, has_encoder, kept, figures):
        self._task, self._settings, self._has_encoder = task, settings, has_encoder
        shapes = {
            "tokens": (INTS, self.width),
            "prompt_lengths": (INTS,),
            "lengths": (INTS,),
            "counts": (FLOATS,),
            **dict.fromkeys(kept, (FLOATS, settings.length)),
        }
        if has_encoder:
            shapes["inputs"] = (INTS, settings.prompt_length)
            shapes["inputs_lengths"] = (INTS,)
        self.arrays = {
            name: self._weight(name, (settings.completions, *shape), dtype)
            for name, (dtype, *shape) in shapes.items()
        }
        self.figures = {
            name: self._weight(name.replace("/", "_"), (), FLOATS) for name in figures
        }
        self.tokens_per_row = self._weight("tokens_per_row", (), FLOATS)
        self.is_fresh = self._weight("is_fresh", (), FLOATS)

    def _weight(self, name, shape, dtype):
        return self._task.add_weight(
            shape,
            initializer="zeros",
            dtype=dtype,
            trainable=False,
            autocast=False,
            name=f"{name}{ENDING}",
        )

    @property
    def width(self):
        """int, T: most tokens of a completion and what stands before it."""
        before = 1 if self._has_encoder else self._settings.prompt_length
        return before + self._settings.length

    @property
    def is_filled(self):
        """bool: whether there is a rollout in it."""
        return bool(np.any(ops.convert_to_numpy(self.arrays["lengths"])))

    def hold(self, rollout, fresh=False):
        """Puts the tokens of a rollout into it.

        Args:
            rollout: `Rollout`.
            fresh: bool, see `is_fresh`.

        Raises:
            ValueError: if a prompt is too long.
        """
        learned = rollout.ended | (not self._settings.mask_truncated_completions)
        arrays = {
            "tokens": rollout.tokens,
            "prompt_lengths": rollout.prompt_lengths,
            "lengths": rollout.lengths,
            "counts": learned,
        }
        longest = rollout.prompt_lengths.max()
        if self._has_encoder:
            inputs, is_real = rollout.inputs
            arrays["inputs_lengths"] = is_real.sum(axis=1)
            longest = arrays["inputs_lengths"].max()
            arrays["inputs"] = inputs[:, :longest]
        if longest > self._settings.prompt_length:
            raise ValueError(
                f"`prompts` must have at most {self._settings.prompt_length} tokens, "
                f"as `rollouts.prompt_length` says. Received: one of {longest}"
            )
        self.put(**arrays)
        self.tokens_per_row.assign((rollout.completion_lengths * learned).mean())
        self.is_fresh.assign(float(fresh))

    def put(self, **values):
        """Replaces arrays, whose rows may be shorter: the rest is 0."""
        for name, value in values.items():
            variable = self.arrays[name]
            value = np.asarray(value)
            missing = [
                (0, most - own)
                for most, own in zip(variable.shape, value.shape, strict=True)
            ]
            variable.assign(np.pad(value, missing).astype(variable.dtype))

    def note(self, figures):
        """Replaces figures: dict of float by name."""
        for name, value in figures.items():
            self.figures[name].assign(value)

    def rows(self, places):
        """What is known of some completions: dict of tensors `(B, ...)`, ints int32.

        Args:
            places: int `(B,)`.
        """
        found = {}
        for name, variable in self.arrays.items():
            value = ops.take(variable, places, axis=0)
            found[name] = ops.cast(value, "int32") if variable.dtype == INTS else value
        return found

    def written(self, batch):
        """dict: arguments of `token_log_probabilities` that say what was written.

        Args:
            batch: what `rows` returned.
        """
        tokens = batch["tokens"]
        if self._has_encoder:
            places = ops.arange(self._settings.prompt_length)[None]
            tokens = {
                "inputs": batch["inputs"],
                "inputs_mask": places < batch["inputs_lengths"][:, None],
                "targets": tokens,
            }
        return {
            "tokens": tokens,
            "prompt_lengths": batch["prompt_lengths"],
            "lengths": batch["lengths"],
            "length": self._settings.length,
        }

    def mask(self, batch):
        """float32 `(B, L)`: 1 at tokens that are learned from.

        Args:
            batch: what `rows` returned.
        """
        lengths = batch["lengths"] - batch["prompt_lengths"]
        real = ops.arange(self._settings.length)[None] < lengths[:, None]
        return ops.cast(real, FLOATS) * batch["counts"][:, None]
