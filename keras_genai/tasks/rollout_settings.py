"""How much a policy writes before it learns from it, and what of it counts."""

import dataclasses

from keras_genai.checks import (
    check_flag,
    check_integer,
    check_number,
    check_size,
)
from keras_genai.registry import register

__all__ = ["RolloutSettings"]

MOST_COMPLETIONS = 2**24


@register
@dataclasses.dataclass(frozen=True)
class RolloutSettings:
    """What a policy writes before it learns from it.

    Args:
        completions: int. In a rollout; a multiple of those of each prompt.
        prompt_length: int. Most tokens of a prompt.
        length: int. Most tokens of a completion, its end token included.
        temperature: float > 0. Divides the logits, where completions are drawn and
            where they are learned from.
        stop: tuple of int. Tokens that end a completion besides the model's end token.
        missing_eos_penalty: float >= 0. Taken from the reward of a completion that was
            cut by its length.
        mask_truncated_completions: bool. Whether nothing is learned from those.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range.
    """

    completions: int = 256
    prompt_length: int = 32
    length: int = 32
    temperature: float = 1.0
    stop: tuple = ()
    missing_eos_penalty: float = 0.0
    mask_truncated_completions: bool = False

    noun = "completions"  # no annotation: not a field

    def __post_init__(self):
        object.__setattr__(self, "stop", tuple(self.stop))
        for token in self.stop:
            check_integer("stop", token, 0)
        for name in ("completions", "prompt_length", "length"):
            check_size(name, getattr(self, name), most=MOST_COMPLETIONS)
        check_number("temperature", self.temperature, "above 0", lambda v: v > 0)
        penalty = self.missing_eos_penalty
        check_number("missing_eos_penalty", penalty, "at least 0", lambda v: v >= 0)
        check_flag("mask_truncated_completions", self.mask_truncated_completions)

    @property
    def rows(self):
        """int: completions of a rollout."""
        return self.completions

    def get_config(self):
        return dataclasses.asdict(self)
