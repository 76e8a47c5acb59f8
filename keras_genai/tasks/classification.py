"""SequenceClassifier: a label, or a value, for a text or a pair of texts."""

from typing import ClassVar, Literal, NamedTuple

from keras_genai.data.held import as_rows, columns, in_batches
from keras_genai.declared import Rate
from keras_genai.layers.token_pooling import POOLINGS
from keras_genai.modalities.base import Modality
from keras_genai.modalities.number import Number
from keras_genai.modalities.text import Label, Text
from keras_genai.networks.language import TokenNetwork
from keras_genai.registry import register
from keras_genai.tasks.text_task import BATCH, LabellingTask, likeliest


class Choice(NamedTuple):
    """The most probable label, or the value of a model with a single output."""

    label: str
    probability: float


@register
class SequenceClassifier(LabellingTask):
    """One label for a text, or for a pair of texts; or a value.

    Args:
        network: any `TokenNetwork`.
        target: `Label`, what texts are told apart by; or `Number`, a value such as the
            similarity of two texts.
        given: `Text`.
        dropout: float. Rate on the pooled vector.
        pooling: str or `None`. How a text's vectors become one: the network's own way,
            its `pooled`; or `"cls"`, `"max"`, `"mean"`, `"mean_sqrt_len"`,
            `"weightedmean"`, `"lasttoken"`.
        use_bias: bool. Whether each label has a bias.

    Call arguments:
        inputs, training: see `TextTask`.

    Returns:
        float32 logits `(B, num_classes)`; `(B, 1)` of a value.

    Raises:
        ValueError: if there is no such `pooling`.

    Reference: Devlin et al. 2019, section 4.1, https://arxiv.org/abs/1810.04805; on
        the last token of a GPT Radford et al. 2018, section 3.2
    """

    network: TokenNetwork
    target: Label | Number = Label(2)
    given: tuple[Modality, ...] = (Text(),)
    dropout: Rate = 0.1
    pooling: Literal[tuple(POOLINGS)] | None = None
    use_bias: bool = True

    verbs: ClassVar = ("classify",)

    @property
    def reads_pooled(self):
        return self.pooling is None

    def call(self, inputs, training=False):
        hidden, mask = self.hidden(inputs)
        pool = POOLINGS.get(self.pooling, self.network.pooled)
        return self.scores(pool(hidden, mask))

    def loader(
        self, texts, labels=None, pairs=None, batch_size=32, shuffle=True, seed=0
    ):
        """Batches for `fit` of texts and their labels.

        Args:
            texts: list, generator or data set of str, or of pairs of a str and a label.
            labels: labels of the texts, by name or number, or their values; or `None`:
                in the pairs.
            pairs: list, generator or data set of str, the second text of each, or
                `None`.
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
        pairs = None if pairs is None else as_rows(pairs, "pairs")
        arrays = self.batch(texts, pairs), self.target.read(labels, "labels")
        return in_batches(arrays, len(texts), batch_size, shuffle, seed)

    def classify(self, texts, pairs=None, batch_size=BATCH):
        """The most probable label of each text.

        Args:
            texts: str, or list of str.
            pairs: the second texts, of the same kind, or `None`.
            batch_size: int. Texts that are read at once.

        Returns:
            `Choice`, or a list of them. A model with a single output gives its value
            instead of a probability.
        """
        if isinstance(texts, str):
            pairs = None if pairs is None else [pairs]
            return self.classify([texts], pairs, batch_size)[0]
        found = self._read(self._encode(texts, pairs), batch_size)
        if self.num_outputs == 1:
            return [Choice(self.labels[0], float(logits[0])) for logits in found]
        return [Choice(*likeliest(logits, self.labels)) for logits in found]
