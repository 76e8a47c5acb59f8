"""Tasks on top of an encoder: guess masked tokens, label texts and words.

An encoder, or *backbone*, is called with a dict of `tokens`, `tokens_mask` and
`segments`, all `(B, T)`, and returns a dict of float32 `hidden`, `(B, T, width)`, and
perhaps `pooled`, `(B, width)`. `keras_genai.models.bert.BERT` is one. The spans
of answers are in `keras_genai.tasks.answering`, vectors of sentences in
`keras_genai.tasks.embedding`.
"""

from typing import NamedTuple

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_genai import registry
from keras_genai.checks import check_flags, check_instance, check_one_of, check_rates
from keras_genai.data import framing
from keras_genai.data.held import as_rows, columns, in_batches
from keras_genai.layers.embedding import token_logits
from keras_genai.layers.feedforward import ACTIVATIONS
from keras_genai.modalities.text import Label as Classes
from keras_genai.registry import register
from keras_genai.tasks.base import Task
from keras_genai.tasks.logits import LogitsTask
from keras_genai.tasks.values import need, table_rows

BATCH = 32  # texts that are read at once


class Guess(NamedTuple):
    """A token that may stand at a gap, as text, and how probable it is."""

    token: str
    probability: float


class Label(NamedTuple):
    """The most probable label, or the value of a model with a single output."""

    label: str
    probability: float


class Tag(NamedTuple):
    """A word of a text, `text[start:end]`, and its most probable label."""

    word: str
    label: str
    probability: float
    start: int
    end: int


class EncoderTask(LogitsTask):
    """Base class of an encoder with a head.

    Args:
        backbone: `Task` that encodes, see the head of this module.

    Attributes:
        vocabulary_size: int.
        context: int, the longest sequence.
    """

    def __init__(self, backbone, **kwargs):
        super().__init__(**kwargs)
        check_instance("backbone", backbone, Task)
        self.backbone = backbone
        self.vocabulary_size = backbone.vocabulary_size
        self.context = backbone.context

    def looked_up(self, x, y=None):
        return [*self.backbone.looked_up(x), *super().looked_up(x, y)]

    @classmethod
    def from_config(cls, config):
        backbone = config["backbone"]
        if isinstance(backbone, dict) and "dtype" in config:
            inner = {**backbone["config"], "dtype": config["dtype"]}
            config = {**config, "backbone": {**backbone, "config": inner}}
        return super().from_config(config)

    def batch(self, texts, pairs=None, length=None):
        """Texts as the model reads them, for `fit` or for a call.

        Args:
            texts: sequence of str. Cut to the model's context.
            pairs: sequence of str or `None`, the second text of each.
            length: int or `None`. The padded length.

        Returns:
            Dict of int32 `(B, T)`: `tokens`, `tokens_mask`, `segments`.

        Raises:
            ValueError: if the model has no tokenizer.
        """
        return self._collate(self._encode(texts, pairs), length)

    def input_specs(self):
        return self.backbone.input_specs()

    def _need_tokenizer(self):
        if self.tokenizer is None:
            raise ValueError(
                f"{self.name} must have a `tokenizer` to read texts. Received: None"
            )
        return self.tokenizer

    def _encode(self, texts, pairs=None):
        return framing.encode(self._need_tokenizer(), texts, pairs, self.context)

    def _collate(self, encodings, length=None):
        if length is None:  # rounded up, but never beyond the context
            longest = max(len(encoding.ids) for encoding in encodings)
            length = min(-(-longest // framing.ROUND) * framing.ROUND, self.context)
        return framing.collate(encodings, self.tokenizer.pad_token, length)

    def _read(self, encodings, batch_size=BATCH):
        """The model's outputs for each encoding, padding included."""
        # Texts of similar length share a batch, so that little of it is padding.
        order = np.argsort([-len(encoding.ids) for encoding in encodings])
        outputs = [None] * len(encodings)
        for begin in range(0, len(order), batch_size):
            rows = order[begin : begin + batch_size]
            batch = self._collate([encodings[row] for row in rows])
            found = self.predict_on_batch(batch)
            for place, row in enumerate(rows):
                outputs[row] = keras.tree.map_structure(
                    lambda array, place=place: np.asarray(array[place]), found
                )
        return outputs

    def _dense(self, units, width, name, activation=None):
        layer = keras.layers.Dense(
            units,
            activation=activation,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            dtype=self.dtype_policy,
            name=name,
        )
        layer.build((None, None, width))
        return layer

    def get_config(self):
        return {
            **super().get_config(),
            "backbone": registry.to_plain(self.backbone),
        }


@register
class MaskedLM(EncoderTask):
    """Guesses the tokens that were masked out, from both sides.

    Train it with weights that are 0 at all other tokens, as
    `keras_genai.data.masking` makes them.

    Args:
        backbone: see `EncoderTask`; its `embedding` is a `TokenEmbedding`, and its
            `activation`, a str, is the head's, too.
        tie_embeddings: bool. The output matrix is the token table.

    Call arguments:
        inputs: what the backbone is called with, and perhaps `places`, int `(B, P)`:
            where guesses are wanted. The vocabulary is most of the work of a small
            model, and a seventh of the tokens is hidden.
        training: bool.

    Returns:
        float32 logits `(B, T, vocabulary_size)`, or `(B, P, vocabulary_size)`.

    Reference: Devlin et al. 2019, section 3.1, https://arxiv.org/abs/1810.04805
    """

    def __init__(self, backbone, tie_embeddings=True, **kwargs):
        super().__init__(backbone, **kwargs)
        check_flags(tie_embeddings=tie_embeddings)
        self.tie_embeddings = tie_embeddings
        width = backbone.width
        self.transform = self._dense(
            width, width, "transform", ACTIVATIONS[backbone.activation]
        )
        self.transform_norm = keras.layers.LayerNormalization(
            epsilon=1e-12, dtype="float32", name="transform_norm"
        )
        self.transform_norm.build((None, None, width))
        self.decoder = None
        if not tie_embeddings:
            self.decoder = keras.layers.Dense(
                self.vocabulary_size,
                use_bias=False,
                kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
                dtype=self.dtype_policy,
                name="decoder",
            )
            self.decoder.build((None, None, width))
        self.bias = self.add_weight(
            (self.vocabulary_size,), initializer="zeros", name="bias"
        )
        self.built = True

    @property
    def num_outputs(self):
        return self.vocabulary_size

    def looked_up(self, x, y=None):
        spans = super().looked_up(x, y)
        if isinstance(x, dict) and x.get("places") is not None:
            length = tf.TensorShape(np.shape(x["tokens"]))[1]
            size = self.context if length is None else length
            spans.append(table_rows("places", x["places"], size))
        return spans

    def call(self, inputs, training=False):
        inputs = dict(inputs) if isinstance(inputs, dict) else {"tokens": inputs}
        places = inputs.pop("places", None)
        hidden = self.backbone(inputs, training=training)["hidden"]
        if places is not None:
            hidden = ops.take_along_axis(hidden, places[..., None], axis=1)
        x = self.transform_norm(self.transform(hidden))
        x = ops.cast(x, self.compute_dtype)
        logits = token_logits(x, self.backbone.embedding, self.decoder)
        return logits + ops.cast(self.bias, "float32")

    def fill(self, text, count=5):
        """Guesses for each `[MASK]` in a text.

        Args:
            text: str with the tokenizer's mask token, or a list of them.
            count: int. Guesses a gap, the most probable first.

        Returns:
            List of one list of `Guess` a gap; for a list, a list of those.

        Raises:
            ValueError: if there is no gap, if one lies behind what the model reads, or
                if the tokenizer has no mask token.
        """
        texts = [text] if isinstance(text, str) else list(text)
        encodings = self._encode(texts)
        found = []
        for each, encoding, logits in zip(
            texts, encodings, self._read(encodings), strict=True
        ):
            gaps = self._gaps(each, encoding)
            found.append([self._guesses(logits[gap], count) for gap in gaps])
        return found[0] if isinstance(text, str) else found

    def _encode(self, texts, pairs=None):
        # A text with gaps is a template, also where other texts are nothing but text.
        return framing.encode(
            self._need_tokenizer(), texts, pairs, self.context, special_in_text=True
        )

    def _gaps(self, text, encoding):
        """The places of the gaps; all of them, or an error says what is wrong."""
        mask = self.mask_token
        name = self.tokenizer.core.id_to_token(mask)
        (whole,) = framing.encode(self.tokenizer, [text], special_in_text=True)
        gaps = np.flatnonzero(np.asarray(whole.ids) == mask)
        if not gaps.size:
            raise ValueError(f"`text` must have a {name}. Received: {text[:200]!r}")
        places = np.flatnonzero(np.asarray(encoding.ids) == mask)
        if len(places) < len(gaps):
            raise ValueError(
                f"`text` must have each {name} within the context of {self.context} "
                f"tokens. Received: one at token {gaps[len(places)]}"
            )
        return places

    @property
    def mask_token(self):
        """Int: the token that stands for what is to be guessed."""
        for name in ("[MASK]", "<mask>"):
            index = self.tokenizer.core.token_to_id(name) if self.tokenizer else None
            if index is not None:
                return index
        raise ValueError(f"the tokenizer of {self.name} must have a token `[MASK]`")

    def _guesses(self, logits, count):
        probabilities = _softmax(logits)
        best = np.argsort(-probabilities, kind="stable")[:count]
        return [
            Guess(
                self.tokenizer.core.id_to_token(int(i)) or "", float(probabilities[i])
            )
            for i in best
        ]

    def get_config(self):
        return {
            **super().get_config(),
            "tie_embeddings": self.tie_embeddings,
        }


@register
class SequenceClassifier(EncoderTask):
    """One label for a text, or for a pair of texts.

    Args:
        backbone: see `EncoderTask`; it must have a pooler, unless `pooling="mean"`.
        labels: sequence of str, or int for so many labels without names. A single one
            is a value, as the similarity of two texts.
        dropout: float. Rate on the pooled vector.
        pooling: `"pooler"`, the backbone's own, or `"mean"` of the hidden vectors.

    Call arguments:
        inputs: what the backbone is called with.
        training: bool.

    Returns:
        float32 logits `(B, len(labels))`.

    Raises:
        ValueError: if there is no such `pooling`.

    Reference: Devlin et al. 2019, section 4.1, https://arxiv.org/abs/1810.04805
    """

    def __init__(self, backbone, labels=2, dropout=0.1, pooling="pooler", **kwargs):
        super().__init__(backbone, **kwargs)
        check_one_of("pooling", pooling, ("pooler", "mean"))
        check_rates(dropout=dropout)
        self.pooling = pooling
        self.labels = read_labels(labels)
        self.dropout = keras.layers.Dropout(
            dropout, dtype=self.dtype_policy, name="head_dropout"
        )
        self.classifier = self._dense(len(self.labels), backbone.width, "classifier")
        self.built = True

    def loader(self, texts, labels=None, batch_size=32, shuffle=True, seed=0):
        """Batches for `fit` of texts and their labels.

        Args:
            texts: list, generator or data set of str, or of pairs of a str and a label.
            labels: labels of the texts, by name or number, or `None`: in the pairs.
            batch_size: int.
            shuffle: bool. Whether each epoch has another order.
            seed: int, of the order.

        Returns:
            `keras_genai.data.DataLoader`.

        Raises:
            ValueError: if the model has no tokenizer, or there is no such label.
        """
        texts = as_rows(texts, "texts")
        if labels is None:
            texts, labels = columns(texts, 2, "texts")
        arrays = self.batch(texts), self.target.read(labels, "labels")
        return in_batches(arrays, len(texts), batch_size, shuffle, seed)

    @property
    def target(self):
        return Classes(len(self.labels), self.labels)

    @property
    def num_outputs(self):
        return len(self.labels)

    def default_loss(self):
        if len(self.labels) == 1:
            return keras.losses.MeanSquaredError()
        return super().default_loss()

    def call(self, inputs, training=False):
        outputs = self.backbone(inputs, training=training)
        if self.pooling == "mean":
            mask = inputs.get("tokens_mask") if isinstance(inputs, dict) else None
            pooled = mean_of_tokens(outputs["hidden"], mask)
        else:
            pooled = outputs["pooled"]
        return ops.cast(self.classifier(self.dropout(pooled)), "float32")

    def classify(self, texts, pairs=None, batch_size=BATCH):
        """The most probable label of each text.

        Args:
            texts: str, or list of str.
            pairs: the second texts, of the same kind, or `None`.
            batch_size: int. Texts that are read at once.

        Returns:
            `Label`, or a list of them. A model with one label gives its value instead
            of a probability.
        """
        if isinstance(texts, str):
            pairs = None if pairs is None else [pairs]
            return self.classify([texts], pairs, batch_size)[0]
        found = self._read(self._encode(texts, pairs), batch_size)
        if len(self.labels) == 1:
            return [Label(self.labels[0], float(logits[0])) for logits in found]
        return [Label(*_best(logits, self.labels)) for logits in found]

    def get_config(self):
        return {
            **super().get_config(),
            "labels": list(self.labels),
            "dropout": self.dropout.rate,
            "pooling": self.pooling,
        }


@register
class TokenClassifier(EncoderTask):
    """One label for each token, as for the names in a text.

    Args:
        backbone: see `EncoderTask`.
        labels: sequence of str, or int for so many labels without names.
        dropout: float. Rate on the hidden vectors.

    Call arguments:
        inputs: what the backbone is called with.
        training: bool.

    Returns:
        float32 logits `(B, T, len(labels))`.

    Reference: Devlin et al. 2019, section 5.3, https://arxiv.org/abs/1810.04805
    """

    def __init__(self, backbone, labels=2, dropout=0.1, **kwargs):
        super().__init__(backbone, **kwargs)
        check_rates(dropout=dropout)
        self.labels = read_labels(labels)
        self.dropout = keras.layers.Dropout(
            dropout, dtype=self.dtype_policy, name="head_dropout"
        )
        self.classifier = self._dense(len(self.labels), backbone.width, "classifier")
        self.built = True

    @property
    def target(self):
        return Classes(len(self.labels), self.labels)

    @property
    def num_outputs(self):
        return len(self.labels)

    def call(self, inputs, training=False):
        hidden = self.backbone(inputs, training=training)["hidden"]
        return ops.cast(self.classifier(self.dropout(hidden)), "float32")

    def tag(self, texts, batch_size=BATCH):
        """The label of each word; its first token decides.

        Args:
            texts: str, or list of str.
            batch_size: int. Texts that are read at once.

        Returns:
            List of `Tag`, one a word; for a list, a list of those.
        """
        if isinstance(texts, str):
            return self.tag([texts], batch_size)[0]
        encodings = self._encode(texts)
        found = self._read(encodings, batch_size)
        return [
            [
                Tag(text[start:end], *_best(logits[token], self.labels), start, end)
                for token, start, end in _words(encoding)
            ]
            for text, encoding, logits in zip(texts, encodings, found, strict=True)
        ]

    def get_config(self):
        return {
            **super().get_config(),
            "labels": list(self.labels),
            "dropout": self.dropout.rate,
        }


def mean_of_tokens(hidden, mask=None):
    """float32 `(B, width)`: the mean of `hidden`, `(B, T, width)`, without padding.

    Args:
        hidden: float `(B, T, width)`.
        mask: bool or int `(B, T)`, true at what is not padding, or `None`.
    """
    hidden = ops.cast(hidden, "float32")
    if mask is None:
        return ops.mean(hidden, axis=1)
    weight = ops.cast(mask, "float32")[:, :, None]  # (B, T, 1)
    count = ops.maximum(ops.sum(weight, axis=1), 1.0)
    return ops.sum(hidden * weight, axis=1) / count


def encoder_rows(inputs, vocabulary_size, context=None, num_segments=None):
    """What an encoder looks up: a list of `keras_genai.tasks.values.Span`.

    Args:
        inputs: tokens `(B, T)`, or a dict of `tokens` and perhaps `segments`.
        vocabulary_size: int.
        context: int or `None`. The longest row.
        num_segments: int, or `None` of an encoder that does not read them.

    Raises:
        ValueError: if there are no tokens, or something of another rank or dtype.
    """
    hint = ", alone or in a dict as `batch(texts)` makes it"
    if not isinstance(inputs, dict):
        inputs = {"tokens": inputs}
    need(inputs, {"tokens"}, " as `batch(texts)` makes it")
    tokens = inputs["tokens"]
    spans = [table_rows("tokens", tokens, vocabulary_size, context, hint=hint)]
    if num_segments is not None and inputs.get("segments") is not None:
        spans.append(table_rows("segments", inputs["segments"], num_segments))
    return spans


def read_labels(labels):
    """A tuple of names, from names or their number."""
    if isinstance(labels, int) and not isinstance(labels, bool):
        labels = tuple(f"LABEL_{index}" for index in range(labels))
    whole = isinstance(labels, list | tuple)
    labels = tuple(labels) if whole else labels
    if not whole or not labels or not all(isinstance(label, str) for label in labels):
        raise ValueError(
            f"`labels` must be one or more str, or an int >= 1. Received: {labels!r}"
        )
    return labels


def _words(encoding):
    """Yields (first token, start, end) of each word of the text."""
    last = None
    words = []
    for token, word in enumerate(encoding.word_ids):
        start, end = encoding.offsets[token]
        if word is None:
            last = None
        elif word == last:
            words[-1][2] = end
        else:
            words.append([token, start, end])
            last = word
    yield from words


def _best(logits, labels):
    probabilities = _softmax(logits)
    best = int(np.argmax(probabilities))
    return labels[best], float(probabilities[best])


def _softmax(logits):
    powers = np.exp(logits - np.max(logits))
    return powers / powers.sum()
