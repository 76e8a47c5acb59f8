"""Rules that make tokens less or more likely, wherever a text is."""

import dataclasses
import math

import numpy as np
import tensorflow as tf

from keras_genai.checks import check_integer, check_number
from keras_genai.samplers.rules import BANNED, as_int32, written_counts


@dataclasses.dataclass(frozen=True)
class RepetitionPenalty:
    """Makes every token that has appeared less likely, prompt included.

    Args:
        penalty: float > 0. Positive logits are divided by it, negative ones
            multiplied; above 1 discourages.

    Raises:
        ValueError: if `penalty` is not positive.

    Reference: Keskar et al. 2019, section 4.1, https://arxiv.org/abs/1909.05858
    """

    penalty: float

    def __post_init__(self):
        check_number(
            "penalty",
            self.penalty,
            "a number > 0, below inf",
            lambda value: 0 < value < math.inf,
        )

    def numbers(self, vocabulary_size):
        return np.float32(self.penalty)

    def apply(self, logits, history, penalty):
        seen = written_counts(history, 0, logits.shape[-1]) > 0
        changed = tf.where(logits < 0, logits * penalty, logits / penalty)
        return tf.where(seen, changed, logits)


@dataclasses.dataclass(frozen=True)
class _CountedPenalty:
    """What is taken from the logits of tokens that have been written."""

    penalty: float
    begin: int = 0

    def __post_init__(self):
        check_number(
            "penalty", self.penalty, "finite", lambda value: abs(value) < math.inf
        )
        check_integer("begin", self.begin, 0)

    def numbers(self, vocabulary_size):
        return np.float32(self.penalty), as_int32(self.begin)

    def apply(self, logits, history, numbers):
        penalty, begin = numbers
        counts = written_counts(history, begin, logits.shape[-1])
        return logits - penalty * tf.cast(self.counted(counts), tf.float32)


class FrequencyPenalty(_CountedPenalty):
    """Makes a token less likely with every time that it has been written.

    Args:
        penalty: float. Taken from its logit each time; below 0 encourages.
        begin: int >= 0. Tokens of the prompt, which do not count.

    Raises:
        TypeError: if an argument is not a number.
        ValueError: if `penalty` is infinite or `begin` negative.
    """

    def counted(self, counts):
        return counts


class PresencePenalty(_CountedPenalty):
    """Makes every token that has been written less likely, however often it was.

    Args:
        penalty: float. Taken from its logit; below 0 encourages.
        begin: int >= 0. Tokens of the prompt, which do not count.

    Raises:
        TypeError: if an argument is not a number.
        ValueError: if `penalty` is infinite or `begin` negative.
    """

    def counted(self, counts):
        return counts > 0


@dataclasses.dataclass(frozen=True)
class LogitBias:
    """Adds a number to the logits of some tokens.

    Args:
        biases: dict of token to float. `-inf` forbids a token.

    Raises:
        TypeError: if `biases` is not a dict of int to float.
        ValueError: if a bias is NaN or `inf`.
    """

    biases: dict

    def __post_init__(self):
        if not isinstance(self.biases, dict):
            raise TypeError(
                "`biases` must be a dict of token to float. "
                f"Received: biases={self.biases!r}"
            )
        for token, bias in self.biases.items():
            check_integer("token", token, 0)
            check_number("bias", bias, "below inf", lambda value: value < math.inf)

    def numbers(self, vocabulary_size):
        dense = np.zeros(vocabulary_size, "float32")
        for token, bias in self.biases.items():
            if token >= vocabulary_size:
                raise ValueError(
                    f"`biases` must be about tokens below {vocabulary_size}. "
                    f"Received: {token=}"
                )
            dense[token] = max(bias, BANNED)
        return dense

    def apply(self, logits, history, biases):
        # Not a sum, which XLA makes one slow loop of with the product before it: see
        # `layers.embedding.token_logits`.
        return logits - -biases[None]


@dataclasses.dataclass(frozen=True)
class Renormalize:
    """Makes log-probabilities of what other rules left, so that they add up to one.

    The scores of beams count what was forbidden otherwise. It comes last.
    """

    def numbers(self, vocabulary_size):
        return np.float32(0)

    def apply(self, logits, history, nothing):
        return tf.nn.log_softmax(logits)
