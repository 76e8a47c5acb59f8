"""A rollout of completions, as weights of a run."""

from keras import ops

from keras_genai.tasks.rollout_buffer import FLOATS, INTS, RolloutBuffer

__all__ = ["CompletionBuffer"]


class CompletionBuffer(RolloutBuffer):
    """What is known of the completions of a rollout, a row each.

    Its arrays are `tokens` and the two lengths of `Rollout`; `counts`, whether a row is
    learned from; `inputs` of an encoder and `inputs_lengths`; and what is kept,
    `(N, L)` each.

    Args:
        task: `Task` that has the weights.
        settings: `RolloutSettings`.
        has_encoder: bool. Whether prompts are read by an encoder; then a completion
            stands behind a start token.
        kept: tuple of str, what is known of every token, float32.
        figures: see `RolloutBuffer`.

    Attributes:
        tokens_per_row: float32 scalar `keras.Variable`, tokens of a completion that are
            learned from, on average.
    """

    def __init__(self, task, settings, has_encoder, kept, figures):
        self._settings, self._has_encoder = settings, has_encoder
        shapes = {
            "lengths": (INTS,),
            "prompt_lengths": (INTS,),
            "tokens": (INTS, self.width),
            "counts": (FLOATS,),
            **dict.fromkeys(kept, (FLOATS, settings.length)),
        }
        if has_encoder:
            shapes["inputs"] = (INTS, settings.prompt_length)
            shapes["inputs_lengths"] = (INTS,)
        super().__init__(task, settings.completions, shapes, figures)
        self.tokens_per_row = self.weight("tokens_per_row")

    @property
    def width(self):
        """int, T: most tokens of a completion and what stands before it."""
        before = 1 if self._has_encoder else self._settings.prompt_length
        return before + self._settings.length

    def hold(self, rollout):
        """Puts the tokens of a rollout into it.

        Args:
            rollout: `Rollout`.

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
