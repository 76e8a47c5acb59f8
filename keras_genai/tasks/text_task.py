"""TextTask: heads on any network that reads tokens, and how texts are handed to it."""

from typing import ClassVar

import keras
import numpy as np
from keras import ops

from keras_genai.data import framing
from keras_genai.layers.feedforward import ACTIVATIONS
from keras_genai.tasks.logits import LogitsTask
from keras_genai.tasks.values import need, table_rows

BATCH = 32  # texts that are read at once
INPUTS = ("tokens", "tokens_mask", "segments")


class TextTask(LogitsTask):
    """What tasks share that read whole texts and say something about them.

    A subclass has the fields `network`, any `TokenNetwork`: `BERT`, `RecurrentEncoder`
    or a language network such as `GPT`; and a `Text`, with its tokenizer if there is
    one.

    Call arguments:
        inputs: int tokens `(B, T)`, or a dict of `tokens` and, if wanted,
            `tokens_mask`, bool or int `(B, T)`, true at what is not padding, and
            `segments`, int `(B, T)`, 1 in the second text of a pair; see `batch`.
        training: bool.

    Attributes:
        vocabulary_size: int.
        context: int or `None`, the longest sequence; `None` is unlimited.
        reads_pooled: bool. Whether it reads the network's vector of a whole text.
    """

    reads_pooled: ClassVar = False

    def sizes_of(self, field):
        # A layer that nobody reads would learn nothing.
        return {**super().sizes_of(field), "has_pooler": self.reads_pooled}

    @property
    def vocabulary_size(self):
        return self.network.vocabulary_size

    @property
    def context(self):
        return self.network.context

    def hidden(self, inputs):
        """What the network makes of every token of a batch.

        Args:
            inputs: see the class.

        Returns:
            `(hidden, mask)`: float `(B, T, W)`, and `tokens_mask` or `None`.
        """
        inputs = inputs if isinstance(inputs, dict) else {"tokens": inputs}
        mask = inputs.get("tokens_mask")
        more = {}
        if self._reads_segments:
            more["segments"] = inputs.get("segments")
        return self.network.hidden(inputs["tokens"], mask, **more), mask

    def looked_up(self, x, y=None):
        return [*self.rows_read(x), *super().looked_up(x, y)]

    def rows_read(self, inputs):
        """What the network looks up: a list of `keras_genai.tasks.values.Span`.

        Args:
            inputs: see the class.

        Raises:
            ValueError: if there are no tokens, or something of another rank or dtype.
        """
        hint = ", alone or in a dict as `batch(texts)` makes it"
        if not isinstance(inputs, dict):
            inputs = {"tokens": inputs}
        need(inputs, {"tokens"}, " as `batch(texts)` makes it")
        size, context = self.vocabulary_size, self.context
        spans = [table_rows("tokens", inputs["tokens"], size, context, hint=hint)]
        if self._reads_segments and inputs.get("segments") is not None:
            kinds = self.network.num_segments
            spans.append(table_rows("segments", inputs["segments"], kinds))
        return spans

    @property
    def _reads_segments(self):
        """bool: whether the network tells kinds of sentences apart."""
        return (self.network.num_segments or 0) > 1

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
        tokens = keras.InputSpec("int32", shape=(None, None))
        return dict.fromkeys(INPUTS, tokens)

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
            longest = max(1, *(len(encoding.ids) for encoding in encodings))
            length = -(-longest // framing.ROUND) * framing.ROUND
            length = min(length, self.context or length)
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

    def _make_transform(self):
        """Makes the layer before the last one of a head, of the network's kind."""
        network = self.network
        self.dense = self._dense(
            network.width,
            network.width,
            "transform",
            ACTIVATIONS[network.head_activation],
            network.head_bias,
        )
        self.dense_norm = None
        if network.has_head_norm:
            self.dense_norm = network.make_norm(name="transform_norm")
            self.dense_norm.build((None, None, network.width))

    def _transformed(self, hidden):
        """What that layer makes of float vectors `(..., W)`."""
        x = self.dense(hidden)
        if self.dense_norm is not None:
            x = ops.cast(self.dense_norm(x), self.compute_dtype)
        return x

    def _check_transform(self):
        if self.transform and not hasattr(self.network, "head_activation"):
            raise TypeError(
                "`network` must have a `head_activation` for a `transform`, as BERT "
                f"has. Received: a {type(self.network).__name__}"
            )

    def _dense(self, units, width, name, activation=None, use_bias=True):
        layer = keras.layers.Dense(
            units,
            activation=activation,
            use_bias=use_bias,
            kernel_initializer=keras.initializers.TruncatedNormal(stddev=0.02),
            dtype=self.dtype_policy,
            name=name,
        )
        layer.build((None, None, width))
        return layer


class LabellingTask(TextTask):
    """A `TextTask` that says a label, of texts or of tokens.

    A subclass has the fields `target`, a `Label` or a `Number`, and `dropout`, the rate
    on the vectors that its head reads.

    Attributes:
        labels: tuple of str, what its outputs are called.
        use_bias: bool. Whether each of them has a bias.
    """

    use_bias = True

    @property
    def labels(self):
        return self.target.words

    @property
    def num_outputs(self):
        return len(self.labels)

    def default_loss(self):
        if self.num_outputs == 1:
            return keras.losses.MeanSquaredError()
        return super().default_loss()

    def make(self):
        self.drop = keras.layers.Dropout(
            self.dropout, dtype=self.dtype_policy, name="head_dropout"
        )
        self.classifier = self._dense(
            self.num_outputs, self.network.width, "classifier", use_bias=self.use_bias
        )

    def scores(self, vectors):
        """float32 logits `(..., num_outputs)` of float vectors `(..., W)`."""
        return ops.cast(self.classifier(self.drop(vectors)), "float32")


def likeliest(logits, labels):
    """The most probable of several labels, and its probability.

    Args:
        logits: float array, one number a label.
        labels: sequence.
    """
    probabilities = softmax(logits)
    best = int(np.argmax(probabilities))
    return labels[best], float(probabilities[best])


def softmax(logits):
    """Probabilities of logits, arrays of one axis."""
    powers = np.exp(logits - np.max(logits))
    return powers / powers.sum()
