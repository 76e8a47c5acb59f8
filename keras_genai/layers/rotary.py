"""Frequencies of rotary positions, as they are and stretched for long texts.

All are the frequencies of Su et al. 2021, eq. 15, https://arxiv.org/abs/2104.09864,
which a scheme changes once and for all.
"""

import dataclasses
import math

import numpy as np
from keras import ops

from keras_genai.checks import check_flag, check_number, check_sizes
from keras_genai.layers.positions import rotary_angles
from keras_genai.registry import register


@register
@dataclasses.dataclass(frozen=True)
class Rotary:
    """How queries and keys are turned by their positions.

    Args:
        base: float > 1. The slowest wave is about `2 pi base` tokens long.
        share: float in (0, 1]. How much of a head is turned, its first channels.

    Raises:
        TypeError: if an argument is no number.
        ValueError: if it is out of its range.
    """

    base: float = 10_000.0
    share: float = 1.0

    def __post_init__(self):
        check_number("base", self.base, "above 1", lambda value: value > 1)
        check_number("share", self.share, "in (0, 1]", lambda value: 0 < value <= 1)

    @property
    def gain(self):
        """float: what cosines and sines are multiplied by."""
        return 1.0

    def size(self, head_dim):
        """int: how many channels of a head are turned."""
        return int(head_dim * self.share)

    def frequencies(self, head_dim):
        """float32 `(size // 2,)`, radians a token."""
        size = self.size(head_dim)
        exponents = np.arange(0, size, 2, dtype="float32") / np.float32(size)
        return (1 / np.float32(self.base) ** exponents).astype("float32")

    def angles(self, positions, head_dim):
        """Cosines and sines of positions. See `rotary_angles`."""
        if type(self) is Rotary and self.share == 1:  # as models were trained
            return rotary_angles(positions, head_dim, self.base)
        places = ops.cast(positions, "float32")[..., None, :, None]
        angles = places * self.frequencies(head_dim)
        return ops.cos(angles) * self.gain, ops.sin(angles) * self.gain

    def get_config(self):
        return dataclasses.asdict(self)


@register
@dataclasses.dataclass(frozen=True)
class LinearRotary(Rotary):
    """All waves are `factor` times as long: positions are divided by it.

    Reference: Chen et al. 2023, https://arxiv.org/abs/2306.15595
    """

    factor: float = 1.0

    def __post_init__(self):
        super().__post_init__()
        _check_factor(self.factor)

    def frequencies(self, head_dim):
        return super().frequencies(head_dim) / np.float32(self.factor)


@register
@dataclasses.dataclass(frozen=True)
class Llama3Rotary(LinearRotary):
    """Long waves are stretched, short ones stay, and those between change gradually.

    Args:
        original_context: int, in tokens. The context of the first training.
        low, high: floats, `low < high`. Waves that fit less than `low` times into the
            original context are stretched, those that fit more than `high` times stay.

    Reference: Grattafiori et al. 2024, section 3.4.3, https://arxiv.org/abs/2407.21783
    """

    original_context: int = 8192
    low: float = 1.0
    high: float = 4.0

    def __post_init__(self):
        super().__post_init__()
        check_sizes(original_context=self.original_context)
        check_number("low", self.low, "above 0", lambda value: value > 0)
        check_number("high", self.high, "above `low`", lambda value: value > self.low)

    def frequencies(self, head_dim):
        found = Rotary.frequencies(self, head_dim)
        fits = np.float32(self.original_context / (2 * math.pi)) * found
        kept = np.clip((fits - self.low) / (self.high - self.low), 0, 1)
        stretched = (1 - kept) * found / self.factor + kept * found
        return stretched.astype("float32")


@register
@dataclasses.dataclass(frozen=True)
class YarnRotary(LinearRotary):
    """As `Llama3Rotary`, gradually by the number of a wave; and sharper attention.

    Args:
        original_context: int, in tokens. The context of the first training.
        slow, fast: floats, `slow < fast`. The wave that fits `fast` times into the
            original context is the first to change, `slow` times the last.
        attention_factor: float or `None` (`0.1 log(factor) + 1`). Of queries and keys.
        truncate: bool. Whether the change begins and ends at whole waves.

    Reference: Peng et al. 2023, sections 3.2-3.4, https://arxiv.org/abs/2309.00071
    """

    original_context: int = 4096
    slow: float = 1.0
    fast: float = 32.0
    attention_factor: float | None = None
    truncate: bool = True

    def __post_init__(self):
        super().__post_init__()
        check_sizes(original_context=self.original_context)
        check_number("slow", self.slow, "above 0", lambda value: value > 0)
        check_number("fast", self.fast, "above `slow`", lambda value: value > self.slow)
        if self.attention_factor is not None:
            check_number(
                "attention_factor", self.attention_factor, "above 0", lambda v: v > 0
            )
        check_flag("truncate", self.truncate)

    @property
    def gain(self):
        if self.attention_factor is not None:
            return float(self.attention_factor)
        return 0.1 * math.log(self.factor) + 1 if self.factor > 1 else 1.0

    def frequencies(self, head_dim):
        found, size = Rotary.frequencies(self, head_dim), self.size(head_dim)
        low, high = (self._number(count, size) for count in (self.fast, self.slow))
        if self.truncate:
            low, high = math.floor(low), math.ceil(high)
        low, high = max(low, 0), min(high, size - 1)
        high += 0.001 if low == high else 0
        changed = np.clip(
            (np.arange(size // 2, dtype="float32") - low) / (high - low), 0, 1
        )
        stretched = found / self.factor * changed + found * (1 - changed)
        return stretched.astype("float32")

    def _number(self, count, size):
        """The number of the wave that fits so many times into the original context."""
        waves = self.original_context / (count * 2 * math.pi)
        return size * math.log(waves) / (2 * math.log(self.base))


def _check_factor(factor):
    check_number("factor", factor, "above 0", lambda value: value > 0)
