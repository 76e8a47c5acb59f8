"""One vector a sentence, so that sentences that mean the same are near."""

import keras
import numpy as np
from keras import ops

from keras_genai.checks import check_integer
from keras_genai.data import framing
from keras_genai.data.tokenizers import check_texts
from keras_genai.modalities.base import Modality
from keras_genai.registry import register
from keras_genai.tasks.encoder import BATCH, EncoderTask
from keras_genai.tasks.pooling import ACTIVATIONS, POOLINGS, read_pooling
from keras_genai.tasks.values import need

SIMILARITIES = ("cosine", "dot", "euclidean", "manhattan")


@register
class SentenceEmbedder(EncoderTask):
    """One vector a text: the mean of its hidden vectors, of length one.

    Args:
        backbone: see `EncoderTask`.
        pooling: str, or several of them whose vectors stand side by side:
            `"cls"`, `"max"`, `"mean"`, `"mean_sqrt_len"`, `"weightedmean"`,
            `"lasttoken"`.
        dense: sequence of `(units, activation, use_bias)`, layers behind it; an
            activation is `"identity"`, `"tanh"`, `"relu"`, `"gelu"`, `"sigmoid"` or
            `"silu"`.
        normalize: bool. Whether vectors have length one.
        max_length: int or `None` (the context). Tokens that are read of a text.
        lowercase: bool. Whether texts are put in lower case before all else.
        prompts: dict of str to str, or pairs of them, or `None`. What `embed` may put
            before a text, by its name.
        default_prompt: str or `None`, the name of the prompt for all texts.
        similarity: `"cosine"`, `"dot"`, `"euclidean"` or `"manhattan"`.

    Call arguments:
        inputs: what the backbone is called with; or, to be trained on the similarity of
            pairs, a dict of two of these, `first` and `second`.
        training: bool.

    Returns:
        float32 `(B, size)`, `size` the width if nothing else is said; for pairs the
        cosines, `(B,)`.

    Raises:
        ValueError: if an argument is not one of the above.

    Reference: Reimers & Gurevych 2019, section 3, https://arxiv.org/abs/1908.10084
    """

    def __init__(
        self,
        backbone,
        pooling="mean",
        dense=(),
        normalize=True,
        max_length=None,
        lowercase=False,
        prompts=None,
        default_prompt=None,
        similarity="cosine",
        **kwargs,
    ):
        super().__init__(backbone, **kwargs)
        if max_length is not None:
            check_integer("max_length", max_length, 1)
        self.pooling = read_pooling(pooling)
        self.normalize, self.lowercase = normalize, lowercase
        self.max_length = max_length
        self.prompts = dict(prompts or ())
        self.default_prompt = default_prompt
        self._prompt(default_prompt, "default_prompt")
        if similarity not in SIMILARITIES:
            raise ValueError(
                f"`similarity` must be one of {', '.join(SIMILARITIES)}. "
                f"Received: {similarity!r}"
            )
        self.similarity_name = similarity
        self.dense = [tuple(layer) for layer in dense]
        self._layers_behind = self._build_dense(len(self.pooling) * backbone.width)
        self.built = True

    def _build_dense(self, width):
        layers = []
        for index, (units, activation, use_bias) in enumerate(self.dense):
            if activation not in ACTIVATIONS:
                raise ValueError(
                    f"an activation of `dense` must be one of {', '.join(ACTIVATIONS)}."
                    f" Received: {activation!r}"
                )
            layer = keras.layers.Dense(
                units,
                ACTIVATIONS[activation],
                use_bias,
                dtype="float32",
                name=f"dense_{index}",
            )
            layer.build((None, width))
            layers.append(layer)
            width = units
        return layers

    @property
    def target(self):
        return Modality()

    def default_loss(self):
        return keras.losses.MeanSquaredError()

    def looked_up(self, x, y=None):
        if isinstance(x, dict) and "first" in x:
            need(x, {"first", "second"})
            return [
                *self.backbone.looked_up(x["first"]),
                *self.backbone.looked_up(x["second"]),
            ]
        return self.backbone.looked_up(x)

    def call(self, inputs, training=False):
        if isinstance(inputs, dict) and "first" in inputs:
            first = _unit(self._embed(inputs["first"], training))
            second = _unit(self._embed(inputs["second"], training))
            return ops.sum(first * second, axis=-1)
        vectors = self._embed(inputs, training)
        return _unit(vectors) if self.normalize else vectors

    def _embed(self, inputs, training):
        hidden = self.backbone(inputs, training=training)["hidden"]
        hidden = ops.cast(hidden, "float32")  # (B, T, width)
        mask = inputs.get("tokens_mask") if isinstance(inputs, dict) else None
        mask = ops.ones_like(hidden[:, :, 0]) if mask is None else mask
        mask = ops.cast(mask, "float32")
        pooled = [POOLINGS[name](hidden, mask) for name in self.pooling]
        x = pooled[0] if len(pooled) == 1 else ops.concatenate(pooled, axis=-1)
        for layer in self._layers_behind:
            x = layer(x)
        return ops.cast(x, "float32")

    def _encode(self, texts, pairs=None):
        if self.lowercase:
            texts = [text.lower() for text in check_texts("texts", texts)]
        length = min(self.max_length or self.context, self.context)
        return framing.encode(self._need_tokenizer(), texts, pairs, length)

    def _prompt(self, name, argument="prompt"):
        """The text of a prompt."""
        if name is None:
            return ""
        if name not in self.prompts:
            raise ValueError(
                f"`{argument}` must be one of {sorted(self.prompts)} or None. "
                f"Received: {name!r}"
            )
        return self.prompts[name]

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
        """How near texts are: cosines, unless `similarity` says another measure.

        Args:
            texts: list of str.
            others: list of str.

        Returns:
            float32 `(len(texts), len(others))`; the larger, the nearer. Distances are
            negative.
        """
        first, second = self.embed(list(texts)), self.embed(list(others))
        if self.similarity_name == "cosine":
            first, second = (
                each / np.linalg.norm(each, axis=-1, keepdims=True)
                for each in (first, second)
            )
        if self.similarity_name in ("cosine", "dot"):
            return first @ second.T
        apart = first[:, None] - second[None]
        order = 2 if self.similarity_name == "euclidean" else 1
        return -np.linalg.norm(apart, order, axis=-1)

    def get_config(self):
        return {
            **super().get_config(),
            "pooling": list(self.pooling),
            "dense": [list(layer) for layer in self.dense],
            "normalize": self.normalize,
            "max_length": self.max_length,
            "lowercase": self.lowercase,
            "prompts": [list(pair) for pair in self.prompts.items()],
            "default_prompt": self.default_prompt,
            "similarity": self.similarity_name,
        }


def _unit(vectors):
    # The length of a zero vector has no gradient.
    square = ops.sum(ops.square(vectors), -1, keepdims=True)
    return vectors * ops.rsqrt(square + 1e-12)
