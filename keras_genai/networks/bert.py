"""BERT: a stack of transformer blocks that read in both directions."""

import functools
from typing import Literal

import keras
from keras import ops

from keras_genai.checks import check_heads
from keras_genai.declared import LATER, Count, Later, Rate, Size
from keras_genai.layers.embedding import TokenEmbedding
from keras_genai.layers.feedforward import ACTIVATIONS
from keras_genai.layers.positions import LearnedPositions
from keras_genai.layers.token_pooling import cls
from keras_genai.layers.transformer import make_block
from keras_genai.networks.language import TokenNetwork
from keras_genai.registry import register

# One object a weight: an initializer draws the same numbers every time.
_start = functools.partial(keras.initializers.TruncatedNormal, stddev=0.02)


@register
class BERT(TokenNetwork):
    """The body of BERT; heads are in `keras_genai.tasks`.

    Args:
        vocabulary_size: int. A task fills it in from its tokenizer.
        context: int, in tokens. The longest sequence.
        depth: int. Number of blocks.
        width: int. Length of a token's vector, a multiple of `num_heads`.
        num_heads: int.
        inner_width: int or `None` (`4 * width`). Width inside the feed-forward network.
        dropout: float. Rate after the embedding and after every part of a block.
        activation: str, `"gelu"` (exact), `"gelu_tanh"`, `"relu"` or `"silu"`.
        num_segments: int. Kinds of sentences; BERT has a first and a second one.
        has_pooler: bool. Whether a layer of its own makes the vector of the whole
            sequence; else it is that of the first token. By itself, there is one
            unless a task does not read this vector.

    Call arguments:
        inputs: int tokens `(B, T)`, or a dict of `tokens` and, if wanted,
            `tokens_mask`, bool or int `(B, T)`, true at what is not padding, and
            `segments`, int `(B, T)`.
        training: bool. Dropout is on if `True`.

    Returns:
        dict of float32 `hidden`, `(B, T, width)`, and `pooled`, `(B, width)`. What
        stands at padding means nothing.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range, if `width` is not a multiple of
            `num_heads`, if there is no such `activation`, or if a sequence is longer
            than `context`.

    Reference: Devlin et al. 2019, section 3, https://arxiv.org/abs/1810.04805
    """

    vocabulary_size: Count = LATER
    context: Count = 512
    depth: Size = 12
    width: Size = 768
    num_heads: Size = 12
    inner_width: Size | None = None
    dropout: Rate = 0.1
    activation: Literal["gelu", "gelu_tanh", "relu", "silu"] = "gelu"
    num_segments: Size = 2
    has_pooler: bool = LATER

    def check(self):
        check_heads(self.width, self.num_heads)

    def complete(self, **sizes):
        sizes = {"has_pooler": True, **sizes}
        if not isinstance(self.has_pooler, Later):  # whatever a task would choose
            del sizes["has_pooler"]
        return super().complete(**sizes)

    def make(self):
        policy, width = self.dtype_policy, self.width
        self.embedding = TokenEmbedding(
            self.vocabulary_size,
            width,
            embeddings_initializer=_start(),
            dtype=policy,
            name="embedding",
        )
        self.segments = TokenEmbedding(
            self.num_segments,
            width,
            embeddings_initializer=_start(),
            dtype=policy,
            name="segments",
        )
        self.positions = LearnedPositions(
            self.context, width, _start(), dtype=policy, name="positions"
        )
        self.embedding_norm = _make_norm(name="embedding_norm")
        self.drop = keras.layers.Dropout(self.dropout, dtype=policy, name="dropout")
        self.blocks = [self._make_block(index) for index in range(self.depth)]
        for layer in (self.embedding, self.segments, self.positions):
            layer.build((None, None))
        for layer in (self.embedding_norm, *self.blocks):
            layer.build((None, None, width))
        if self.has_pooler:
            self.pooler = keras.layers.Dense(
                width,
                activation="tanh",
                kernel_initializer=_start(),
                dtype=policy,
                name="pooler",
            )
            self.pooler.build((None, width))

    def _make_block(self, index):
        return make_block(
            self.width,
            self.num_heads,
            self.inner_width or 4 * self.width,
            ACTIVATIONS[self.activation],
            norm=_make_norm,
            initializer=_start,
            pre_norm=False,
            dropout=self.dropout,
            dtype=self.dtype_policy,
            name=f"block_{index}",
        )

    def call(self, inputs, training=False):
        inputs = inputs if isinstance(inputs, dict) else {"tokens": inputs}
        mask = inputs.get("tokens_mask")
        hidden = self.hidden(inputs["tokens"], mask, inputs.get("segments"))
        return {
            "hidden": ops.cast(hidden, "float32"),
            "pooled": self.pooled(hidden, mask),
        }

    def hidden(self, tokens, mask=None, segments=None):
        """The vectors of all tokens. See `TokenNetwork`.

        Args:
            tokens: int `(B, T)`, `T <= context`.
            mask: bool or int `(B, T)`, true at what is not padding, or `None`.
            segments: int `(B, T)`, which sentence a token is of, or `None`: the first.

        Returns:
            float `(B, T, width)` of the compute dtype.
        """
        return self.hidden_states(tokens, mask, segments)[-1]

    def pooled(self, hidden, mask=None):
        if not self.has_pooler:
            return cls(hidden)
        return ops.cast(self.pooler(hidden[:, 0]), "float32")

    def hidden_states(self, tokens, mask=None, segments=None):
        """What enters the first block and what each block returns.

        Args:
            tokens, mask, segments: see `hidden`.

        Returns:
            List of `depth + 1` tensors, float `(B, T, width)` of the compute dtype.
        """
        x = self._embed(tokens, segments)
        real = None if mask is None else ops.cast(mask, "bool")
        mask = None if mask is None else real[:, None, None]  # (B, 1, 1, T)
        states = [x]
        for block in self.blocks:
            x, _ = block(x, attention_mask=mask, real=real)
            states.append(x)
        return [ops.cast(state, self.compute_dtype) for state in states]

    def _embed(self, tokens, segments):
        length = tokens.shape[1] or ops.shape(tokens)[1]
        if tokens.shape[1] is not None and tokens.shape[1] > self.context:
            raise ValueError(
                f"`tokens` must have at most context={self.context} columns. "
                f"Received: shape {tuple(tokens.shape)}"
            )
        segments = ops.zeros_like(tokens) if segments is None else segments
        x = self.embedding(tokens) + self.positions(ops.arange(length)[None])
        x = self.embedding_norm(x + self.segments(segments))
        return self.drop(ops.cast(x, self.compute_dtype))


def _make_norm(name):
    return keras.layers.LayerNormalization(epsilon=1e-12, dtype="float32", name=name)
