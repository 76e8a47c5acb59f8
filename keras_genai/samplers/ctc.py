"""How a text follows from what CTC says of every frame: best path, prefix beam.

Symbol 0 is the blank; the others are tokens.
"""

import dataclasses
import math
from typing import Any

import numpy as np

from keras_genai.checks import check_integer, check_number

NEVER = -math.inf


@dataclasses.dataclass(frozen=True)
class BestPath:
    """The text of the most probable path: of each frame the most probable symbol.

    Reference: Graves et al. 2006, section 3.2, "best path decoding"
    """

    def decode(self, scores):
        """The text of one row.

        Args:
            scores: float `(T, V)`, logits or log-probabilities, without padding.

        Returns:
            int32 `(N,)`, tokens.
        """
        path = np.argmax(scores, axis=-1)
        is_new = np.diff(path, prepend=0) != 0
        return path[is_new & (path != 0)].astype("int32")


@dataclasses.dataclass(frozen=True)
class PrefixBeam:
    """The most probable text, summed over its paths, as far as a beam reaches.

    A text is worth log P(text | sound), plus `weight` log P(text) by a language model,
    plus `bonus` for each of its tokens. With a beam that holds all texts, `least=0` and
    no language model this is the best one there is.

    Args:
        width: int >= 1. Texts that are kept after every frame.
        language: object with `log_probabilities(tokens)`, natural logarithms of every
            token of a text given those before, such as
            `keras_genai.networks.NGram`; or `None`.
        weight: float >= 0, of the language model.
        bonus: float, in nats: what makes up for a language model's dislike of
            long texts.
        separator: int or `None`. The token between words: with it, `bonus` is that
            of each separator, so that it counts words.
        least: float in [0, 1). In each frame, symbols less probable are passed over.

    Raises:
        TypeError: if an argument is not a number.
        ValueError: if it is out of its range, or `language` has no
            `log_probabilities`.

    Reference: Hannun et al. 2014, First-Pass Large Vocabulary Continuous Speech
        Recognition, algorithm 1, https://arxiv.org/abs/1408.2873
    """

    width: int = 16
    language: Any = None
    weight: float = 0.5
    bonus: float = 0.0
    separator: int | None = None
    least: float = 1e-4

    def __post_init__(self):
        check_integer("width", self.width, 1)
        check_number("weight", self.weight, "at least 0", lambda value: value >= 0)
        check_number("bonus", self.bonus, "finite", math.isfinite)
        check_number("least", self.least, "in [0, 1)", lambda value: 0 <= value < 1)
        if self.separator is not None:
            check_integer("separator", self.separator, 0)
        if self.language is not None and not hasattr(
            self.language, "log_probabilities"
        ):
            raise ValueError(
                "`language` must have `log_probabilities`, as networks of n-grams do. "
                f"Received: {type(self.language).__name__}"
            )

    def decode(self, scores):
        """The best text of one row: see `BestPath.decode`."""
        return self.search(scores)[0][0]

    def search(self, scores):
        """The best texts of one row.

        Args:
            scores: float `(T, V)`, logits or log-probabilities, without padding.

        Returns:
            list of `(tokens, score)`, the best first: int32 `(N,)`, and float, what the
            text is worth.
        """
        scores = np.asarray(scores, "float64")
        largest = scores.max(axis=-1, keepdims=True)
        scores = scores - largest
        scores = scores - np.log(np.exp(scores).sum(axis=-1, keepdims=True))
        texts = {(): _Prefix(0.0)}
        for frame in scores:
            texts = self._kept(self._extended(texts, frame))
        found = [
            (np.array(symbols, "int32"), text.score) for symbols, text in texts.items()
        ]
        return sorted(found, key=lambda pair: -pair[1])

    def _extended(self, texts, frame):
        """All texts after one more frame: dict of `_Prefix` by symbols."""
        likely = np.flatnonzero(frame[1:] >= math.log(self.least or 1e-300)) + 1
        steps = [(int(symbol), float(frame[symbol])) for symbol in likely]
        blank, found = float(frame[0]), {}
        for symbols, text in texts.items():
            own = found.setdefault(symbols, _Prefix(prior=text.prior))
            own.blank = _sum(own.blank, text.total + blank)
            last = symbols[-1] if symbols else 0
            if last:
                own.symbol = _sum(own.symbol, text.symbol + float(frame[last]))
            for symbol, score in steps:
                # A repeat is another token only after a blank.
                before = text.blank if symbol == last else text.total
                if before == NEVER:
                    continue
                longer = (*symbols, symbol)
                other = found.get(longer)
                if other is None:
                    prior = self._prior(text.prior, longer, texts)
                    other = found[longer] = _Prefix(prior=prior)
                other.symbol = _sum(other.symbol, before + score)
        return found

    def _prior(self, before, symbols, texts):
        """What a text is worth without its sound, from that of all but the last."""
        if symbols in texts:
            return texts[symbols].prior
        prior = before
        if self.separator is None or symbols[-1] == self.separator:
            prior += self.bonus
        if self.language is not None and self.weight:
            tokens = np.array(symbols, "int32")
            prior += self.weight * float(self.language.log_probabilities(tokens)[-1])
        return prior

    def _kept(self, texts):
        """The best `width` of them."""
        if len(texts) <= self.width:
            return texts
        best = sorted(texts.items(), key=lambda pair: -pair[1].score)
        return dict(best[: self.width])


class _Prefix:
    """Log-probabilities of a text's paths that end in a blank, and in its last symbol.

    Args:
        blank, symbol: float.
        prior: float, what the text is worth whatever was heard.
    """

    __slots__ = ("blank", "prior", "symbol")

    def __init__(self, blank=NEVER, symbol=NEVER, prior=0.0):
        self.blank, self.symbol, self.prior = blank, symbol, prior

    @property
    def total(self):
        return _sum(self.blank, self.symbol)

    @property
    def score(self):
        return self.total + self.prior


def _sum(one, other):
    """log(exp(one) + exp(other))."""
    if one < other:
        one, other = other, one
    return one if other == NEVER else one + math.log1p(math.exp(other - one))
