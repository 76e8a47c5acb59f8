"""NGram: language models that count, of any order, with any smoothing."""

import keras
import numpy as np
from keras import ops

from keras_genai import compat, registry
from keras_genai.checks import check_size, check_sizes
from keras_genai.models import ngram_smoothing, ngram_tables
from keras_genai.models.ngram_lookup import Lookup
from keras_genai.models.ngram_smoothing import KneserNey, Smoothing
from keras_genai.models.ngram_windows import (
    collect_windows,
    is_array,
    split_windows,
)
from keras_genai.registry import register
from keras_genai.tasks.language import CausalLM

# A logit that stands for probability zero where samplers divide and subtract.
NEVER = -1e9
LONGEST = 256  # tokens in an n-gram


@register
class NGram(CausalLM):
    """Language model that looks at the last `order - 1` tokens and has counted.

    It is fitted in one pass, by `fit_tokens` on a whole text or by `fit` on windows,
    and every fit starts anew. Near the beginning of a text it uses the shorter
    contexts there are.

    Args:
        vocabulary_size: int.
        order: int from 1 to 256. Length of the longest n-gram; 2 is a bigram model.
        smoothing: `KneserNey()` (the default), `AddK(k)` or `MaximumLikelihood()`.

    Call arguments:
        tokens: int `(B, T)`.

    Returns:
        float32 logits of the next token, `(B, T, vocabulary_size)`. They are
        log-probabilities; `-inf` where maximum likelihood says never.

    Raises:
        TypeError: if `order` or `vocabulary_size` is not an int.
        ValueError: if one is out of its range, or `smoothing` is not a `Smoothing`.
        RuntimeError: if it is used before it was fitted or loaded.

    Reference: Chen and Goodman 1998, An Empirical Study of Smoothing Techniques
        for Language Modeling, TR-10-98
    """

    jit_generate = False
    counts_tokens = True

    def __init__(self, vocabulary_size, order, smoothing=None, **kwargs):
        super().__init__(**kwargs)
        check_sizes(vocabulary_size=vocabulary_size)
        check_size("order", order, most=LONGEST)
        smoothing = KneserNey() if smoothing is None else smoothing
        if not isinstance(smoothing, Smoothing):
            raise ValueError(
                "`smoothing` must be KneserNey(), AddK(k) or MaximumLikelihood(). "
                f"Received: {smoothing!r}"
            )
        self.vocabulary_size = vocabulary_size
        self.order = order
        self.smoothing = smoothing
        self.supports_jit = False
        self._lookup = Lookup(vocabulary_size, order, smoothing.backs_off)
        self.set_tables({})
        self.built = True

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "order": self.order,
            "smoothing": registry.to_plain(self.smoothing),
        }

    def fit_tokens(self, tokens):
        """Counts every n-gram of one text, in order, each token once.

        Args:
            tokens: int `(N,)`, N >= order.

        Returns:
            `keras.callbacks.History` with `"loss"`: nats per token of this text.

        Raises:
            ValueError: if the text is shorter than `order`, or a token is not an
                int in `[0, vocabulary_size)`.
        """
        tokens = ngram_tables.check_tokens(tokens, self.vocabulary_size)
        return self.fit(tokens, verbose=0)

    def fit(
        self,
        x=None,
        y=None,
        batch_size=None,
        epochs=1,
        verbose="auto",
        callbacks=None,
        validation_split=0.0,
        validation_data=None,
        shuffle=True,
        class_weight=None,
        sample_weight=None,
        initial_epoch=0,
        steps_per_epoch=None,
        validation_steps=None,
        validation_batch_size=None,
        validation_freq=1,
    ):
        """Counts the n-grams inside the given windows, targets included.

        The arguments are those of `keras.Model.fit`. All epochs are one: counting
        twice what was counted teaches nothing.

        Args:
            x: whatever gives batches of `(tokens, targets)` or `(tokens, targets,
                sample_weight)`, `(B, T)` each: a `tf.data.Dataset`, a `PyDataset`, a
                generator; or an int array, one text `(N,)` or windows `(B, T)`.
            y: int `(B, T)` or `None`. Targets, if `x` is an array of windows.
            batch_size: ignored: everything is counted at once.
            epochs: int. Nothing is counted unless it is above `initial_epoch`.
            verbose: int or `"auto"`. 0 shows no progress bar.
            callbacks: list of `keras.callbacks.Callback`. They see one epoch of one
                batch.
            validation_split: float. The share of an array's windows, the last ones,
                that is not counted but validated on.
            validation_data: what `evaluate` takes, or `None`.
            shuffle: ignored: counts do not depend on the order.
            class_weight: `None`: a count cannot weigh more than another.
            sample_weight: 0 and 1, `(B, T)` or `(B,)`, or `None`. Targets of weight 0
                are not counted.
            initial_epoch: int. See `epochs`.
            steps_per_epoch: int or `None`. Batches to read from an endless dataset.
            validation_steps, validation_batch_size: see `evaluate`.
            validation_freq: int or list of int. Epochs after which to validate; as all
                are one, it is done once if there is such an epoch.

        Returns:
            `keras.callbacks.History` with `"loss"`, nats per target, and the
            metrics of `evaluate` as `"val_..."`.

        Raises:
            ValueError: as `fit_tokens`; if a dataset is endless and
                `steps_per_epoch` is `None`; if a weight is neither 0 nor 1; or if
                `class_weight` is given, or `validation_split` without windows.
        """
        if class_weight is not None:
            raise ValueError(
                "`class_weight` must be None: a count cannot weigh more than another. "
                f"Received: {class_weight=}"
            )
        if validation_split and validation_data is None:
            (x, y, sample_weight), validation_data = split_windows(
                x, y, sample_weight, validation_split
            )
        callbacks = keras.callbacks.CallbackList(
            callbacks,
            add_history=True,
            add_progbar=verbose != 0,
            model=self,
            verbose=1 if verbose == "auto" else verbose,
            epochs=1,
            steps=1,
        )
        if not self.compiled:
            self.compile(optimizer=None)
        self.stop_training = False
        callbacks.on_train_begin()
        logs = None
        if initial_epoch < epochs:
            logs = self._fit_once(x, y, sample_weight, steps_per_epoch, callbacks)
            named = range(initial_epoch, epochs)
            wanted = any(
                compat.evaluates(self, epoch, validation_freq) for epoch in named
            )
            if validation_data is not None and wanted:
                scores = self._validate(
                    validation_data, validation_steps, validation_batch_size
                )
                logs |= {f"val_{name}": score for name, score in scores.items()}
            callbacks.on_epoch_end(0, logs)
        callbacks.on_train_end(logs)
        return self.history

    def _fit_once(self, x, y, sample_weight, steps, callbacks):
        """Counts, between what callbacks see of a batch: dict with the loss."""
        callbacks.on_epoch_begin(0)
        callbacks.on_train_batch_begin(0)
        logs = {"loss": self._count(x, y, sample_weight, steps)}
        callbacks.on_train_batch_end(0, logs)
        return logs

    def _count(self, x, y, sample_weight, steps):
        if is_array(x) and np.ndim(x) == 1:
            tokens, ages, predicted = np.asarray(x), None, None
        else:
            tokens, ages, predicted = collect_windows(x, y, sample_weight, steps)
        tokens = ngram_tables.check_tokens(tokens, self.vocabulary_size)
        longest = tokens.size if ages is None else ages.max(initial=-1) + 1
        if longest < self.order:
            raise ValueError(
                f"`order` must be at most the length of the text or window. "
                f"Received: order={self.order}, {longest} tokens"
            )
        self._take_over(
            ngram_tables.count_ngrams(
                tokens, self.vocabulary_size, self.order, ages, predicted
            )
        )
        scores = self._score(tokens, ages)
        if predicted is not None:
            targets = predicted & (ages > 0)
            scores = scores[targets if targets.any() else predicted]
        return float(-scores.mean())

    def _validate(self, validation_data, steps, batch_size):
        if isinstance(validation_data, tuple | list):
            x, y, sample_weight = keras.utils.unpack_x_y_sample_weight(validation_data)
        else:
            x, y, sample_weight = validation_data, None, None
        return self.evaluate(
            x,
            y,
            sample_weight=sample_weight,
            batch_size=batch_size,
            steps=steps,
            verbose=0,
            return_dict=True,
        )

    def log_probabilities(self, tokens):
        """Scores every token of a text given everything before it.

        Args:
            tokens: int `(N,)`. The first ones have shorter contexts.

        Returns:
            float64 `(N,)`, natural logarithms; `-inf` where maximum likelihood says
            never.

        Raises:
            ValueError: if a token is not an int in `[0, vocabulary_size)`.
            RuntimeError: if the model has not been fitted.
        """
        tokens = ngram_tables.check_tokens(tokens, self.vocabulary_size)
        return self._score(tokens, None)

    def _score(self, tokens, ages):
        self._check_fitted()
        return ngram_smoothing.log_probabilities(
            self._scorer, tokens, self.vocabulary_size, self.smoothing.backs_off, ages
        )

    def build(self, tokens_shape):
        pass

    def call(self, tokens):
        self._check_fitted()
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
        self._check_fitted()
        recent = cache["recent"]  # (B, order - 1), newest last, -1 where none yet
        real = ops.sum(ops.cast(positions >= 0, "int32"), axis=1)  # (B,)
        history = ops.concatenate([recent, ops.cast(tokens, "int32")], axis=1)
        window = real[:, None] + ops.arange(
            self.order - 1, dtype="int32"
        )  # drops the padding
        recent = ops.take_along_axis(history, window, axis=1)
        logits = self._lookup.log_probabilities(recent)
        return ops.maximum(logits, NEVER), {"recent": recent}

    def get_tables(self):
        """Everything learned, as it is stored in presets and weight files.

        Returns:
            dict of str to int64 `(size,)`, sizes as found in the text; empty if the
            model has not been fitted. See `ngram_tables.Level` for the meaning.
        """
        return ngram_tables.to_arrays(self._levels)

    def set_tables(self, tables):
        """Takes over what `get_tables` returned.

        Raises:
            ValueError: if a table is missing, unknown, unsorted, out of range, or
                does not fit the others.
        """
        levels = []
        if tables:
            levels = ngram_tables.from_arrays(tables, self.vocabulary_size, self.order)
        self._take_over(levels)

    def _take_over(self, levels):
        self._levels = tuple(levels)
        self._scorer = tuple(self.smoothing.weigh(levels, self.vocabulary_size))
        if levels:
            self._lookup.assign(self._scorer)

    def count_params(self):
        """The number of counts held, over all n-gram lengths."""
        return sum(level.counts.size for level in self._levels)

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

    def _check_fitted(self):
        if not self._levels:
            raise RuntimeError(
                "This NGram has counted nothing yet. Call `fit_tokens(tokens)` or "
                "`fit`, or load a fitted one"
            )
