"""TokenClassifier: a label for every word of a text, as for the names in it."""

from typing import NamedTuple

import numpy as np

from keras_genai.data import framing
from keras_genai.data.held import as_rows, columns, in_batches
from keras_genai.declared import Rate
from keras_genai.modalities.base import Modality
from keras_genai.modalities.number import Number
from keras_genai.modalities.text import Label, Text
from keras_genai.networks.language import TokenNetwork
from keras_genai.registry import register
from keras_genai.tasks.text_task import BATCH, LabellingTask, likeliest


class Tag(NamedTuple):
    """A word of a text, `text[start:end]`, and its likeliest label, or its value."""

    word: str
    label: str
    probability: float
    start: int
    end: int


@register
class TokenClassifier(LabellingTask):
    """One label for each token, as for the names in a text; or a value.

    Args:
        network: any `TokenNetwork`.
        target: `Label`, what words are told apart by; or `Number`, a value such as the
            logit by which ELECTRA tells whether a token was replaced.
        given: `Text`.
        dropout: float. Rate on the hidden vectors.
        transform: bool. Whether there is another layer before the last one, with the
            network's `head_activation` and what else its kind has there.

    Call arguments:
        inputs, training: see `TextTask`.

    Returns:
        float32 logits `(B, T, num_classes)`; `(B, T, 1)` of a value.

    Raises:
        TypeError: if there is a `transform` and the network has no `head_activation`.

    Reference: Devlin et al. 2019, section 5.3, https://arxiv.org/abs/1810.04805; on
        replaced tokens Clark et al. 2020, section 2, https://arxiv.org/abs/2003.10555
    """

    network: TokenNetwork
    target: Label | Number = Label(2)
    given: tuple[Modality, ...] = (Text(),)
    dropout: Rate = 0.1
    transform: bool = False

    def check(self):
        self._check_transform()

    def make(self):
        if self.transform:
            self._make_transform()
        super().make()

    def call(self, inputs, training=False):
        hidden, _ = self.hidden(inputs)
        return self.scores(self._transformed(hidden) if self.transform else hidden)

    def loader(self, words, tags=None, batch_size=32, shuffle=True, seed=0):
        """Batches for `fit` of texts whose words have labels.

        Args:
            words: list, generator or data set of texts: lists of words, or str whose
                words are between blanks. Or of pairs, of such a text and its tags.
            tags: for each text a label for each word, by name or number; or `None`: in
                the pairs.
            batch_size: int.
            shuffle: bool. Whether each epoch has another order.
            seed: int, of the order.

        Returns:
            `keras_genai.data.DataLoader` of `(inputs, targets, sample_weight)`, int32
            and float32 `(B, T)`: the first token of a word has its label and weight 1,
            all others have weight 0. Values are float32 `(B, T, 1)`.

        Raises:
            ValueError: if the model has no tokenizer, if there is no such label, or if
                a text has not one for each word.
        """
        words = as_rows(words, "words")
        if tags is None:
            words, tags = columns(words, 2, "words")
        words = [row.split() if isinstance(row, str) else list(row) for row in words]
        tokenizer = self._need_tokenizer()
        encodings = framing.encode_words(tokenizer, words, self.context)
        inputs = self._collate(encodings)
        kind = "float32" if isinstance(self.target, Number) else "int32"
        targets = np.zeros(inputs["tokens"].shape, kind)
        weight = np.zeros(targets.shape, "float32")
        rows = zip(words, tags, encodings, strict=True)
        for row, (text, labels, encoding) in enumerate(rows):
            labels = self._labels_of(text, labels)
            for token, word in _first_tokens(encoding):
                targets[row, token], weight[row, token] = labels[word], 1
        if kind == "float32":  # a loss of values is a mean over the last axis
            targets = targets[..., None]
        arrays = inputs, targets, weight
        return in_batches(arrays, len(words), batch_size, shuffle, seed)

    def _labels_of(self, words, tags):
        """int32 `(len(words),)`: the labels of a text's words."""
        if len(tags) != len(words):
            raise ValueError(
                f"`tags` must have one for each word of a text. Received: {len(tags)} "
                f"for {len(words)} words, {' '.join(words)[:60]!r}"
            )
        return self.target.read(tags, "tags")

    def tag(self, texts, batch_size=BATCH):
        """The label of each word; its first token decides.

        Args:
            texts: str, or list of str.
            batch_size: int. Texts that are read at once.

        Returns:
            List of `Tag`, one a word; for a list, a list of those. A model with a
            single output gives its value instead of a probability.
        """
        if isinstance(texts, str):
            return self.tag([texts], batch_size)[0]
        encodings = self._encode(texts)
        found = self._read(encodings, batch_size)
        return [
            [
                Tag(text[start:end], *self._said(logits[token]), start, end)
                for token, start, end in _words(encoding)
            ]
            for text, encoding, logits in zip(texts, encodings, found, strict=True)
        ]

    def _said(self, logits):
        """The label of a token, and how probable it is; or its value."""
        if self.num_outputs == 1:
            return self.labels[0], float(logits[0])
        return likeliest(logits, self.labels)


def _first_tokens(encoding):
    """Yields (token, word) where a word begins."""
    last = None
    for token, word in enumerate(encoding.word_ids):
        if word is not None and word != last:
            yield token, word
        last = word


def _words(encoding):
    """Yields (first token, start, end) of each word of the text."""
    ends = {}
    for word, (_, end) in zip(encoding.word_ids, encoding.offsets, strict=True):
        ends[word] = end
    for token, word in _first_tokens(encoding):
        yield token, encoding.offsets[token][0], ends[word]
