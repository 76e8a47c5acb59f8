"""One vector a sentence, so that sentences that mean the same are near."""

from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from keras_genai.checks import check_one_of
from keras_genai.data import framing
from keras_genai.data.held import as_rows, columns, in_batches
from keras_genai.data.tokenizer import check_texts
from keras_genai.declared import Size
from keras_genai.layers.token_pooling import POOLINGS
from keras_genai.modalities.base import Modality
from keras_genai.modalities.number import Number
from keras_genai.modalities.text import Text
from keras_genai.modalities.vector import Vector
from keras_genai.networks.language import TokenNetwork
from keras_genai.registry import register
from keras_genai.tasks.text_task import BATCH, TextTask
from keras_genai.tasks.values import need

SIMILARITIES = ("cosine", "dot", "euclidean", "manhattan")
# Activations of dense layers behind the pooling.
ACTIVATIONS = {
    "identity": keras.activations.linear,
    "tanh": keras.activations.tanh,
    "relu": keras.activations.relu,
    "gelu": lambda x: keras.activations.gelu(x, approximate=False),
    "sigmoid": keras.activations.sigmoid,
    "silu": keras.activations.silu,
}
COSINE = Number("cosine")
CUT = -1  # to what a model reads


@register
class SentenceEmbedder(TextTask):
    """One vector a text: the mean of its hidden vectors, of length one.

    Args:
        network: any `TokenNetwork`.
        given: `Text`.
        pooling: str, or several of them whose vectors stand side by side:
            `"cls"`, `"max"`, `"mean"`, `"mean_sqrt_len"`, `"weightedmean"`,
            `"lasttoken"`.
        dense: sequence of `(units, activation, use_bias)`, layers behind it; an
            activation is `"identity"`, `"tanh"`, `"relu"`, `"gelu"`, `"sigmoid"` or
            `"silu"`.
        normalize: bool. Whether vectors have length one.
        max_length: int or `None` (the context). Tokens that are read of a text.
        lowercase: bool. Whether texts are put in lower case before all else.
        prompts: dict of str to str, or pairs of them. What `embed` may put before a
            text, by its name.
        default_prompt: str or `None`, the name of the prompt for all texts.
        measure: `"cosine"`, `"dot"`, `"euclidean"` or `"manhattan"`: how `similarity`
            compares.

    Call arguments:
        inputs: see `TextTask`; or, to be trained on the similarity of pairs, a dict of
            two of these, `first` and `second`.
        training: bool.

    Returns:
        float32 `(B, size)`, `size` the width if nothing else is said; for pairs the
        cosines, `(B,)`.

    Raises:
        ValueError: if an argument is not one of the above.

    Reference: Reimers & Gurevych 2019, section 3, https://arxiv.org/abs/1908.10084
    """

    network: TokenNetwork
    given: tuple[Modality, ...] = (Text(),)
    pooling: Any = "mean"
    dense: tuple[tuple, ...] = ()
    normalize: bool = True
    max_length: Size | None = None
    lowercase: bool = False
    prompts: Any = ()
    default_prompt: str | None = None
    measure: Literal[SIMILARITIES] = "cosine"

    makes = Vector()

    def check(self):
        self.pooling = read_pooling(self.pooling)
        self.dense = tuple(tuple(layer) for layer in self.dense)
        for _, activation, _ in self.dense:
            check_one_of("activation", activation, ACTIVATIONS)
        self.prompts = tuple(tuple(pair) for pair in dict(self.prompts or ()).items())
        self._prompt(self.default_prompt, "default_prompt")

    def make(self):
        self.layers_behind = []
        width = len(self.pooling) * self.network.width
        for index, (units, activation, use_bias) in enumerate(self.dense):
            layer = keras.layers.Dense(
                units,
                ACTIVATIONS[activation],
                use_bias,
                dtype="float32",
                name=f"dense_{index}",
            )
            layer.build((None, width))
            self.layers_behind.append(layer)
            width = units

    def default_loss(self):
        return keras.losses.MeanSquaredError()

    def looked_up(self, x, y=None):
        if isinstance(x, dict) and "first" in x:
            need(x, {"first", "second"})
            return [*self.rows_read(x["first"]), *self.rows_read(x["second"])]
        return self.rows_read(x)

    def call(self, inputs, training=False):
        if isinstance(inputs, dict) and "first" in inputs:
            first = _unit(self._embed(inputs["first"]))
            second = _unit(self._embed(inputs["second"]))
            return ops.sum(first * second, axis=-1)
        vectors = self._embed(inputs)
        return _unit(vectors) if self.normalize else vectors

    def _embed(self, inputs):
        hidden, mask = self.hidden(inputs)
        pooled = [POOLINGS[name](hidden, mask) for name in self.pooling]
        x = pooled[0] if len(pooled) == 1 else ops.concatenate(pooled, axis=-1)
        for layer in self.layers_behind:
            x = layer(x)
        return ops.cast(x, "float32")

    def loader(
        self, first, second=None, scores=None, batch_size=32, shuffle=True, seed=0
    ):
        """Batches for `fit` of pairs of texts and how alike they are.

        Args:
            first: list, generator or data set of str, or of triples of two texts and
                a score.
            second: list of as many str, or `None`: in the triples.
            scores: the cosine that each pair shall have, from -1 to 1, or `None`: in
                the triples.
            batch_size: int.
            shuffle: bool. Whether each epoch has another order.
            seed: int, of the order.

        Returns:
            `keras_genai.data.DataLoader` of `({"first", "second"}, scores)`.

        Raises:
            ValueError: if the model has no tokenizer, or a score is out of range.
        """
        first = as_rows(first, "first")
        if second is None or scores is None:
            first, second, scores = columns(first, 3, "first")
        scores = COSINE.read(scores, "scores")
        if np.abs(scores).max() > 1:
            raise ValueError(
                "`scores` must be cosines, from -1 to 1. Received: values from "
                f"{scores.min():g} to {scores.max():g}"
            )
        arrays = {"first": self.batch(first), "second": self.batch(second)}, scores
        return in_batches(arrays, len(first), batch_size, shuffle, seed)

    @property
    def longest_text(self):
        """int or `None`, in tokens: what `embed` reads of a text; the rest is cut."""
        limits = [each for each in (self.max_length, self.context) if each]
        return min(limits, default=None)

    def count_tokens(self, texts):
        """list of int: how many tokens texts have, before they are cut.

        Args:
            texts: sequence of str, as `embed` takes them.
        """
        before = self._prompt(self.default_prompt)
        texts = [before + text for text in check_texts("texts", texts)]
        found = self._encode(texts, longest=None)
        return [len(encoding.ids) for encoding in found]

    def _encode(self, texts, pairs=None, longest=CUT):
        if self.lowercase:
            texts = [text.lower() for text in check_texts("texts", texts)]
        length = self.longest_text if longest == CUT else longest
        return framing.encode(self._need_tokenizer(), texts, pairs, length)

    def _prompt(self, name, argument="prompt"):
        """The text of a prompt."""
        if name is None:
            return ""
        prompts = dict(self.prompts)
        if name not in prompts:
            raise ValueError(
                f"`{argument}` must be one of {sorted(prompts)} or None. "
                f"Received: {name!r}"
            )
        return prompts[name]

    def embed(self, texts, batch_size=BATCH, prompt=None):
        """Vectors of texts; of length one, the product of two is their cosine.

        Args:
            texts: str, or sequence of str.
            batch_size: int. Texts that are read at once.
            prompt: str or `None` (`default_prompt`). The name of the one of `prompts`
                that is put before each text, such as `"query"`.

        Returns:
            float32 `(size,)`, or `(N, size)`.

        Raises:
            ValueError: if there is no such prompt, or no text.
        """
        if isinstance(texts, str):
            return self.embed([texts], batch_size, prompt)[0]
        before = self._prompt(self.default_prompt if prompt is None else prompt)
        texts = [before + text for text in check_texts("texts", texts)]
        if not texts:
            raise ValueError("`texts` must have at least one text. Received: []")
        return np.stack(self._read(self._encode(texts), batch_size))

    def similarity(self, texts, others):
        """How near texts are: cosines, unless `measure` says another.

        Args:
            texts: list of str.
            others: list of str.

        Returns:
            float32 `(len(texts), len(others))`; the larger, the nearer. Distances are
            negative.
        """
        first, second = self.embed(list(texts)), self.embed(list(others))
        if self.measure == "cosine":
            first, second = (
                each / np.linalg.norm(each, axis=-1, keepdims=True)
                for each in (first, second)
            )
        if self.measure in ("cosine", "dot"):
            return first @ second.T
        apart = first[:, None] - second[None]
        order = 2 if self.measure == "euclidean" else 1
        return -np.linalg.norm(apart, order, axis=-1)


def read_pooling(pooling):
    """A tuple of names, in the order of `POOLINGS`, from one or several.

    Raises:
        ValueError: if there is none, or one that does not exist.
    """
    names = (pooling,) if isinstance(pooling, str) else tuple(pooling)
    if not names or not all(name in POOLINGS for name in names):
        raise ValueError(
            f"`pooling` must be one or several of {', '.join(POOLINGS)}. "
            f"Received: {pooling!r}"
        )
    return tuple(name for name in POOLINGS if name in names)


def _unit(vectors):
    # The length of a zero vector has no gradient.
    square = ops.sum(ops.square(vectors), -1, keepdims=True)
    return vectors * ops.rsqrt(square + 1e-12)
