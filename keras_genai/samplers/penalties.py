"""Penalties on what has been written, as servers know them."""

import dataclasses
import math

import numpy as np
import tensorflow as tf

from keras_genai.checks import check_integer, check_number
from keras_genai.samplers.rules import written_counts

MOST_BEGIN = np.iinfo("int32").max


@dataclasses.dataclass(frozen=True)
class FrequencyPenalty:
    """Makes a token less likely with every time that it has been written.

    Args:
        penalty: float. Taken from its logit each time; below 0 encourages.
        begin: int >= 0. Tokens of the prompt, which do not count.

    Raises:
        TypeError: if an argument is not a number.
        ValueError: if `penalty` is infinite or `begin` negative.
    """

    penalty: float
    begin: int = 0

    def __post_init__(self):
        _check_penalty(self.penalty, self.begin)

    def numbers(self, vocabulary_size):
        return np.float32(self.penalty), np.int32(min(self.begin, MOST_BEGIN))

    def apply(self, logits, history, numbers):
        penalty, begin = numbers
        counts = written_counts(history, begin, logits.shape[-1])
        return logits - penalty * tf.cast(counts, tf.float32)


@dataclasses.dataclass(frozen=True)
class PresencePenalty:
    """Makes every token that has been written less likely, however often it was.

    Args:
        penalty: float. Taken from its logit; below 0 encourages.
        begin: int >= 0. Tokens of the prompt, which do not count.

    Raises:
        TypeError: if an argument is not a number.
        ValueError: if `penalty` is infinite or `begin` negative.
    """

    penalty: float
    begin: int = 0

    def __post_init__(self):
        _check_penalty(self.penalty, self.begin)

    def numbers(self, vocabulary_size):
        return np.float32(self.penalty), np.int32(min(self.begin, MOST_BEGIN))

    def apply(self, logits, history, numbers):
        penalty, begin = numbers
        counts = written_counts(history, begin, logits.shape[-1])
        return logits - penalty * tf.cast(counts > 0, tf.float32)


def _check_penalty(penalty, begin):
    """Raises unless a penalty is finite, and `begin` a number of tokens."""
    check_number("penalty", penalty, "finite", lambda value: abs(value) < math.inf)
    check_integer("begin", begin, 0)
