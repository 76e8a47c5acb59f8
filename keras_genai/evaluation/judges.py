"""Judges of texts that are no neural networks, to check those that are."""

import numpy as np

from keras_genai.data.extras import require

WORDS = (("word", (1, 2)),)
CHARACTERS = (("char_wb", (2, 5)),)
BOTH = WORDS + CHARACTERS
ROWS = 64  # texts that a classifier reads at once


class TextJudge:
    """Logistic regression on the words and the runs of letters of a text.

    It knows no order beyond a few letters, and is hard to beat by small networks. What
    a policy learned to please is not what this one looks at.

    Args:
        texts: sequence of str to learn from.
        labels: as many bools or ints 0 and 1; 1 is the better one.
        features: tuple of `(analyzer, (shortest, longest))` of scikit-learn's
            `TfidfVectorizer`: `WORDS`, `CHARACTERS` or `BOTH`.
        reads_prompt: bool. Whether the text is a prompt with its completion, or the
            completion alone.

    Raises:
        ImportError: if scikit-learn is not installed.
        ValueError: if there are not as many labels as texts, or only one kind of them.
    """

    def __init__(self, texts, labels, features=BOTH, reads_prompt=True):
        texts, labels = list(texts), np.asarray(labels).astype(int)
        if len(texts) != len(labels) or {*labels.tolist()} != {0, 1}:
            raise ValueError(
                "`labels` must be 0 and 1, one for each text, both of them. Received: "
                f"{len(labels)} of {sorted({*labels.tolist()})} for {len(texts)} texts"
            )
        self.reads_prompt = reads_prompt
        self._model = _pipeline(features).fit(texts, labels)

    def score(self, prompts, completions):
        """Log-odds that texts are of the better kind.

        Args:
            prompts: list of str.
            completions: list of as many str.

        Returns:
            float64 `(N,)`.
        """
        texts = _read(prompts, completions, self.reads_prompt)
        return self._model.decision_function(texts).astype("float64")


class PairJudge:
    """The same, learned from pairs of which one was preferred.

    Args:
        rows: sequence of dict of `prompt`, `chosen` and `rejected`, str.
        features: see `TextJudge`.
        reads_length: bool. Whether the logarithm of how many characters a completion
            has is a feature, too.

    Raises:
        ImportError: if scikit-learn is not installed.
        ValueError: if there are no pairs.
    """

    def __init__(self, rows, features=BOTH, reads_length=False):
        rows = list(rows)
        if not rows:
            raise ValueError("`rows` must be at least one pair. Received: none")
        texts = require("sklearn.pipeline", "PairJudge")
        vectorizers = [(kind, _vectorizer(kind, sizes)) for kind, sizes in features]
        self.reads_length = reads_length
        sides = [row[side] for side in ("chosen", "rejected") for row in rows]
        self._features = texts.FeatureUnion(vectorizers).fit(sides)
        found = self._read(sides)
        apart = found[: len(rows)] - found[len(rows) :]
        linear = require("sklearn.linear_model", "PairJudge")
        sparse = require("scipy.sparse", "PairJudge")
        # Each pair both ways round, so that no side is the better one as such.
        both = sparse.vstack([apart, -apart])
        labels = np.repeat([1, 0], len(rows))
        self._model = linear.LogisticRegression(max_iter=1000, fit_intercept=False).fit(
            both, labels
        )

    def score(self, prompts, completions):
        """How good completions are, up to a constant.

        Args:
            prompts: list of str, which it does not read.
            completions: list of str.

        Returns:
            float64 `(N,)`.
        """
        found = self._read(list(completions))
        return self._model.decision_function(found).astype("float64")

    def _read(self, completions):
        """Features of completions, a sparse matrix with a row for each."""
        found = self._features.transform(completions)
        if not self.reads_length:
            return found
        lengths = [[np.log1p(len(text))] for text in completions]
        sparse = require("scipy.sparse", "PairJudge")
        return sparse.hstack([found, lengths], format="csr")


class ClassifierJudge:
    """A classifier of texts, as a judge: the log-odds of one of its classes.

    Args:
        model: `SequenceClassifier` with a tokenizer.
        label: str or int, the class that is the better one.
        reads_prompt: see `TextJudge`.

    Raises:
        ValueError: if the model has no such class.
    """

    def __init__(self, model, label, reads_prompt=True):
        names = list(model.labels)
        if label not in names and label not in range(len(names)):
            raise ValueError(
                f"`label` must be one of {names}, or its number. Received: {label!r}"
            )
        self.model, self.reads_prompt = model, reads_prompt
        self.index = names.index(label) if label in names else label

    def score(self, prompts, completions):
        """Log-odds of the class.

        Args:
            prompts, completions: see `TextJudge.score`.

        Returns:
            float64 `(N,)`.
        """
        texts = _read(prompts, completions, self.reads_prompt)
        batches = [
            self.model.predict_on_batch(self.model.batch(texts[begin : begin + ROWS]))
            for begin in range(0, len(texts), ROWS)
        ]
        logits = np.concatenate(batches).astype("float64")
        if logits.shape[1] == 1:
            return logits[:, 0]
        others = np.delete(logits, self.index, axis=1)
        return logits[:, self.index] - np.logaddexp.reduce(others, axis=1)


def _read(prompts, completions, with_prompts):
    """The texts that a judge reads."""
    if not with_prompts:
        return list(completions)
    return [a + b for a, b in zip(prompts, completions, strict=True)]


def _pipeline(features):
    pipeline = require("sklearn.pipeline", "TextJudge")
    linear = require("sklearn.linear_model", "TextJudge")
    vectorizers = [(kind, _vectorizer(kind, sizes)) for kind, sizes in features]
    return pipeline.make_pipeline(
        pipeline.FeatureUnion(vectorizers), linear.LogisticRegression(max_iter=1000)
    )


def _vectorizer(kind, sizes):
    text = require("sklearn.feature_extraction.text", "a judge")
    return text.TfidfVectorizer(
        analyzer=kind, ngram_range=sizes, sublinear_tf=True, min_df=1
    )
