"""NGram: tables of what followed what, of any order, with any smoothing."""

import functools
from typing import Annotated

from keras import ops

from keras_genai import checks
from keras_genai.declared import LATER, Count
from keras_genai.networks import ngram_smoothing, ngram_tables
from keras_genai.networks.language import LanguageNetwork
from keras_genai.networks.ngram_lookup import Lookup
from keras_genai.networks.ngram_smoothing import (
    KneserNey,
    Smoothing,
    check_smoothing,
)
from keras_genai.registry import register

# A logit that stands for probability zero where samplers divide and subtract.
NEVER = -1e9
LONGEST = 256  # tokens in an n-gram
Order = Annotated[int, functools.partial(checks.check_size, most=LONGEST)]


@register
class NGram(LanguageNetwork):
    """The next token by how often which one followed the last `order - 1` tokens.

    It has tables of counts instead of weights, which `CountingLM` of
    `keras_genai.tasks.counting` fills; and no hidden vectors for other heads. Near
    the beginning of a text it uses the shorter contexts there are.

    Args:
        vocabulary_size: int. A task fills it in from its tokenizer.
        order: int from 1 to 256. Length of the longest n-gram; 2 is a bigram model.
        smoothing: `KneserNey()`, `AddK(k)` or `MaximumLikelihood()`.

    Attributes:
        levels: tuple of `ngram_tables.Level`: all that it knows, one a length of
            n-grams; empty before anything was counted.

    Call arguments:
        tokens: int `(B, T)`.

    Returns:
        float32 logits of the next token, `(B, T, vocabulary_size)`. They are
        log-probabilities; `-inf` where maximum likelihood says never.

    Raises:
        TypeError: if `order` or `vocabulary_size` is not an int.
        ValueError: if one is out of its range, or `smoothing` is not a `Smoothing`.
        RuntimeError: if it is used before anything was counted or loaded.

    Reference: Chen and Goodman 1998, An Empirical Study of Smoothing Techniques
        for Language Modeling, TR-10-98
    """

    jit_generate = False
    context = None

    vocabulary_size: Count = LATER
    order: Order
    smoothing: Annotated[Smoothing, check_smoothing] = KneserNey()

    def make(self):
        self.supports_jit = False
        self._lookup = Lookup(
            self.vocabulary_size, self.order, self.smoothing.backs_off
        )
        self.hold([])

    def hold(self, levels):
        """Knows these n-grams from now on, and no others.

        Args:
            levels: list of `ngram_tables.Level`, as `count_ngrams` returns it.
        """
        self.levels = tuple(levels)
        self._scorer = tuple(self.smoothing.weigh(levels, self.vocabulary_size))
        if levels:
            self._lookup.assign(self._scorer)

    def log_probabilities(self, tokens, ages=None):
        """Scores every token of a text given everything before it.

        Args:
            tokens: int `(N,)`. The first ones have shorter contexts.
            ages: int `(N,)`, how many tokens precede each in its own text; `None` if
                all are one.

        Returns:
            float64 `(N,)`, natural logarithms; `-inf` where maximum likelihood says
            never.

        Raises:
            ValueError: if a token is not an int in `[0, vocabulary_size)`.
            RuntimeError: if nothing has been counted.
        """
        tokens = ngram_tables.check_tokens(tokens, self.vocabulary_size)
        self._check_counted()
        return ngram_smoothing.log_probabilities(
            self._scorer, tokens, self.vocabulary_size, self.smoothing.backs_off, ages
        )

    def call(self, tokens):
        self._check_counted()
        batch, length = ops.shape(tokens)
        reach = max(self.order - 1, 1)
        padded = ops.pad(
            ops.cast(tokens, "int32"), [[0, 0], [reach - 1, 0]], constant_values=-1
        )
        history = ops.stack(  # (B, T, H)
            [padded[:, start : start + length] for start in range(reach)], axis=-1
        )
        logits = self._lookup.log_probabilities(ops.reshape(history, (-1, reach)))
        return ops.reshape(logits, (batch, length, self.vocabulary_size))

    def initial_cache(self, batch_size, length):
        return {"recent": ops.full((batch_size, self.order - 1), -1, "int32")}

    def decode(self, tokens, positions, cache, index):
        self._check_counted()
        recent = cache["recent"]  # (B, order - 1), newest last, -1 where none yet
        real = ops.sum(ops.cast(positions >= 0, "int32"), axis=1)  # (B,)
        history = ops.concatenate([recent, ops.cast(tokens, "int32")], axis=1)
        window = real[:, None] + ops.arange(
            self.order - 1, dtype="int32"
        )  # drops the padding
        recent = ops.take_along_axis(history, window, axis=1)
        logits = self._lookup.log_probabilities(recent)
        return ops.maximum(logits, NEVER), {"recent": recent}

    def count_params(self):
        """The number of counts held, over all n-gram lengths."""
        return sum(level.counts.size for level in self.levels)

    def get_tables(self):
        """Everything learned, as it is stored in presets and weight files.

        Returns:
            dict of str to arrays `(size,)` of ints, sizes as found in the text, in the
            smallest dtype that holds them; empty if nothing has been counted. See
            `ngram_tables.Level` for the meaning.
        """
        return ngram_tables.to_arrays(self.levels)

    def set_tables(self, tables):
        """Takes over what `get_tables` returned.

        Raises:
            ValueError: if a table is missing, unknown, unsorted, out of range, or
                does not fit the others.
        """
        levels = []
        if tables:
            levels = ngram_tables.from_arrays(tables, self.vocabulary_size, self.order)
        self.hold(levels)

    def save_own_variables(self, store):
        super().save_own_variables(store)
        for name, table in self.get_tables().items():
            store[f"table_{name}"] = table

    def load_own_variables(self, store):
        tables, others = {}, {}
        for key in store.keys():  # noqa: SIM118 - Keras' store cannot be iterated
            target = tables if key.startswith("table_") else others
            target[key.removeprefix("table_")] = store[key]
        super().load_own_variables(others)
        self.set_tables(tables)

    def _check_counted(self):
        if not self.levels:
            raise RuntimeError(
                f"{self.name} has counted nothing yet. Call `fit_tokens(tokens)` or "
                "`fit` of a CountingLM with it, or load a fitted one"
            )
