"""What completions and pictures are worth: functions and models, with weights."""

import dataclasses
import inspect
import math
from typing import Any, NamedTuple

import numpy as np

from keras_genai.checks import check_number
from keras_genai.registry import register

__all__ = ["Ratings", "Reward", "prompt_rows", "rate", "read_rewards"]


@register
@dataclasses.dataclass(frozen=True, eq=False)
class Reward:
    """One of several rewards.

    Args:
        function: called as `function(prompts, completions)`, lists of as many str, or
            of int32 arrays without a tokenizer. What else rows of prompts hold comes
            by name, a list each, as far as its signature has them, and so do `ended`,
            whether a completion is whole, and `tokens`, int32 arrays of prompt and
            completion as one text where the policy reads them so. Of pictures called as
            `function(images)`, float32 `(N, H, W, C)` in [0, 1]; what they were made
            from, such as `labels`, comes by name. It returns a number for each, or
            `None` where it does not apply. Or an object with `score`, such as a
            `RewardModel`, which is called likewise; one that reads prompt and
            completion as one text is given their very tokens.
        weight: float.
        name: str or `None` (that of the function), under which it is logged.

    Raises:
        TypeError: if `function` cannot be called, or `weight` is no number.
        ValueError: if `weight` is not finite.
    """

    function: Any
    weight: float = 1.0
    name: str | None = None

    def __post_init__(self):
        if not callable(self.called) or isinstance(self.function, type):
            raise TypeError(
                "`rewards` must be functions of prompts and completions, or of "
                f"pictures, or have `score`. Received: {self.function!r}"
            )
        check_number("weight", self.weight, "finite", math.isfinite)
        if self.name is None:
            kind = type(self.function).__name__
            name = getattr(self.function, "__name__", kind)
            object.__setattr__(self, "name", name.strip("<>"))

    def get_config(self):
        return {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self)
        }

    @property
    def called(self):
        """What is called with prompts and completions, or with pictures."""
        return getattr(self.function, "score", self.function)

    def __call__(self, *made, columns):
        """float64 `(N,)`: what each is worth, NaN where nothing applies.

        Args:
            *made: prompts, list of str or int32 arrays, and as many completions; or
                pictures, float32 `(N, H, W, C)`.
            columns: dict of lists or arrays by name, as long.

        Raises:
            ValueError: if the function returns anything but a finite number, or
                `None`, for each.
        """
        found = self._found(made, columns)
        found = [] if found is None else list(found)
        if len(found) != len(made[-1]):
            raise ValueError(
                f"`{self.name}` must return a number for each of the {len(made[-1])} "
                f"that it is given. Received: {len(found)}"
            )
        return np.array([self._number(each) for each in found], "float64")

    def _found(self, made, columns):
        if getattr(self.function, "reads_as_written", False) and "tokens" in columns:
            # What is spelled and read again may come out as other tokens.
            most = self.function.context
            return self.function.score_tokens([row[:most] for row in columns["tokens"]])
        known = {key: columns[key] for key in columns if _takes(self.called, key)}
        return self.called(*made, **known)

    def _number(self, value):
        if value is None:
            return math.nan
        try:
            number = float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise ValueError(
                f"`{self.name}` must return finite numbers, or None where it does not "
                f"apply. Received: {value!r}"
            )
        return number


class Ratings(NamedTuple):
    """What completions or pictures are worth.

    Attributes:
        total: float64 `(N,)`: the weighted sum of the rewards that apply.
        each: float64 `(N, R)`: every reward by itself, NaN where it does not apply.
    """

    total: np.ndarray
    each: np.ndarray


def read_rewards(given):
    """tuple of `Reward`, of what a person gave.

    Args:
        given: a function, or a list of functions, of `(function, weight)`, or of
            `Reward`.

    Raises:
        TypeError: if something in it is no reward.
        ValueError: if there is none, or if two have one name.
    """
    several = isinstance(given, list | tuple) and not _is_pair(given)
    found = tuple(_reward(each) for each in (given if several else [given]))
    names = [reward.name for reward in found]
    if not names or len(set(names)) < len(names):
        raise ValueError(
            "`rewards` must be at least one function, each of another name (see "
            f"`Reward`). Received: {', '.join(names) or 'none'}"
        )
    return found


def rate(rewards, *made, columns=None):
    """What all rewards say of completions or pictures; each is called once.

    Args:
        rewards: tuple of `Reward`.
        *made, columns: see `Reward.__call__`.

    Returns:
        `Ratings`.

    Raises:
        ValueError: if a function returns something else than numbers, or if no reward
            applies to a completion or a picture.
    """
    each = [reward(*made, columns=columns or {}) for reward in rewards]
    each = np.stack(each, axis=1)  # (N, R)
    lost = np.flatnonzero(np.isnan(each).all(axis=1))
    if lost.size:
        raise ValueError(
            "`rewards` must have one that applies to each completion or picture. "
            f"Received: None from all for {str(made[-1][lost[0]])[:80]!r}"
        )
    weights = np.array([reward.weight for reward in rewards], "float64")
    return Ratings(np.nansum(each * weights, axis=1), each)


def prompt_rows(prompts):
    """Prompts as rows, dicts of `prompt` and whatever else rewards are told.

    Args:
        prompts: list of str, of int tokens, or of dicts with `prompt`; all of them with
            the same names.

    Raises:
        ValueError: if there are none, or if rows have other names, or no `prompt`.
    """
    rows = [row if isinstance(row, dict) else {"prompt": row} for row in prompts]
    names = {tuple(sorted(row)) for row in rows}
    if len(names) != 1 or "prompt" not in next(iter(names)):
        raise ValueError(
            "`prompts` must be at least one str, row of tokens, or dict with `prompt`, "
            f"all with the same names. Received: {sorted(names) or 'none'}"
        )
    return rows


def check_vocabulary(rewards, tokenizer):
    """Raises a `ValueError` if a reward model reads other tokens than are written.

    Args:
        rewards: tuple of `Reward`.
        tokenizer: `Tokenizer` of the policy, or `None`.
    """
    for reward in rewards:
        other = getattr(reward.function, "tokenizer", None)
        if not hasattr(reward.function, "score") or other is None or tokenizer is None:
            continue
        if other is not tokenizer and other.to_json() != tokenizer.to_json():
            raise ValueError(
                f"`rewards` must read the policy's tokens, or marks such as its end "
                f"are lost in between. Received: {reward.name} with another tokenizer"
            )


def _reward(value):
    if isinstance(value, Reward):
        return value
    return Reward(*value) if _is_pair(value) else Reward(value)


def _is_pair(value):
    """Whether it is a function and its weight."""
    return isinstance(value, tuple | list) and (
        len(value) == 2 and isinstance(value[1], int | float)
    )


def _takes(function, name):
    """Whether a function has an argument of this name, or takes any."""
    parameters = inspect.signature(function).parameters.values()
    return any(
        each.name == name or each.kind is inspect.Parameter.VAR_KEYWORD
        for each in parameters
    )
