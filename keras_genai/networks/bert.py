"""BERT: a stack of transformer blocks that read in both directions.

RoBERTa, DistilBERT, MPNet, ELECTRA and ALBERT are styles of it.
"""

import dataclasses
import functools
from typing import Literal

import keras
from keras import ops

from keras_genai.checks import (
    check_given_sizes,
    check_heads,
    check_number,
    check_one_of,
    check_sizes,
)
from keras_genai.declared import LATER, Count, Later, Rate, Size
from keras_genai.layers.embedding import TokenEmbedding
from keras_genai.layers.feedforward import ACTIVATIONS
from keras_genai.layers.positions import (
    LearnedPositions,
    RelativePositionBias,
    check_buckets,
)
from keras_genai.layers.token_pooling import cls
from keras_genai.layers.transformer import make_block
from keras_genai.networks.language import TokenNetwork
from keras_genai.registry import register

# One object a weight: an initializer draws the same numbers every time.
_start = functools.partial(keras.initializers.TruncatedNormal, stddev=0.02)
MAX_DISTANCE = 128  # tokens; what is farther away shares a bucket
_POOLERS = {"tanh": "tanh", "relu": "relu", "gelu": "gelu"}


@register
@dataclasses.dataclass(frozen=True)
class BERTStyle:
    """The choices in which encoders differ. The defaults are BERT's.

    Args:
        pad_token: int or `None`. If given, this token stands at the place of its own
            number, and others are counted from the next place on.
        num_buckets: even int >= 4, or `None`. If given, there is a learned bias on
            attention for each distance, shared by all blocks; see
            `RelativePositionBias`.
        embedding_width: int or `None`. If given, tokens have vectors of this length,
            which are projected to the network's width.
        num_groups: int or `None` (all are different). So many groups of blocks are
            shared out over the depth: neighbouring blocks have the same weights.
        group_size: int. Blocks of a group, which follow one another every time.
        pooler_activation: `"tanh"`, `"relu"` or `"gelu"`.
        guess_activation: str or `None` (the network's). That of a `MaskedLM` on it.
        epsilon: float above 0, of the norms.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range.
    """

    pad_token: int | None = None
    num_buckets: int | None = None
    embedding_width: int | None = None
    num_groups: int | None = None
    group_size: int = 1
    pooler_activation: str = "tanh"
    guess_activation: str | None = None
    epsilon: float = 1e-12

    def __post_init__(self):
        if self.pad_token is not None:
            check_sizes(pad_token=self.pad_token + 1)
        if self.num_buckets is not None:
            check_buckets(self.num_buckets, MAX_DISTANCE)
        check_given_sizes(
            embedding_width=self.embedding_width, num_groups=self.num_groups
        )
        check_sizes(group_size=self.group_size)
        check_one_of("pooler_activation", self.pooler_activation, [*_POOLERS])
        if self.guess_activation is not None:
            check_one_of("guess_activation", self.guess_activation, [*ACTIVATIONS])
        check_number("epsilon", self.epsilon, "a number > 0", lambda value: value > 0)

    def get_config(self):
        return dataclasses.asdict(self)


ORIGINAL = BERTStyle()
# Liu et al. 2019, https://arxiv.org/abs/1907.11692; XLM-RoBERTa: Conneau et al. 2020,
# https://arxiv.org/abs/1911.02116
ROBERTA = BERTStyle(pad_token=1, guess_activation="gelu", epsilon=1e-5)
# Sanh et al. 2019, https://arxiv.org/abs/1910.01108. It has no segments.
DISTILBERT = BERTStyle(pooler_activation="relu")
# Song et al. 2020, https://arxiv.org/abs/2004.09297. It has no segments.
MPNET = BERTStyle(pad_token=1, num_buckets=32, guess_activation="gelu", epsilon=1e-5)
# Clark et al. 2020, https://arxiv.org/abs/2003.10555. Base and large have vectors of
# the network's width.
ELECTRA = BERTStyle(
    embedding_width=128, pooler_activation="gelu", guess_activation="gelu"
)
# Lan et al. 2020, https://arxiv.org/abs/1909.11942
ALBERT = BERTStyle(embedding_width=128, num_groups=1)


@register
class BERT(TokenNetwork):
    """The body of BERT and its kin; heads are in `keras_genai.tasks`.

    Args:
        vocabulary_size: int. A task fills it in from its tokenizer.
        context: int, in tokens. The longest sequence.
        depth: int. Number of blocks.
        width: int. Length of a token's vector, a multiple of `num_heads`.
        num_heads: int.
        inner_width: int or `None` (`4 * width`). Width inside the feed-forward network.
        dropout: float. Rate after the embedding and after every part of a block.
        activation: str, `"gelu"` (exact), `"gelu_tanh"`, `"relu"` or `"silu"`.
        num_segments: int or `None`. Kinds of sentences; BERT has a first and a second
            one. If there are fewer, `segments` are not read; `None` adds no vector.
        has_pooler: bool. Whether a layer of its own makes the vector of the whole
            sequence; else it is that of the first token. By itself, there is one
            unless a task does not read this vector.
        style: `BERTStyle`. `ORIGINAL`, `ROBERTA`, `DISTILBERT`, `MPNET`, `ELECTRA` and
            `ALBERT` are ready-made.

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

    Reference: Devlin et al. 2019, section 3, https://arxiv.org/abs/1810.04805; for the
        others see the styles
    """

    vocabulary_size: Count = LATER
    context: Count = 512
    depth: Size = 12
    width: Size = 768
    num_heads: Size = 12
    inner_width: Size | None = None
    dropout: Rate = 0.1
    activation: Literal["gelu", "gelu_tanh", "relu", "silu"] = "gelu"
    num_segments: Size | None = 2
    has_pooler: bool = LATER
    style: BERTStyle = ORIGINAL

    def check(self):
        check_heads(self.width, self.num_heads)

    def complete(self, **sizes):
        sizes = {"has_pooler": True, **sizes}
        if not isinstance(self.has_pooler, Later):  # whatever a task would choose
            del sizes["has_pooler"]
        return super().complete(**sizes)

    @property
    def num_blocks(self):
        """int: how many blocks have weights of their own."""
        groups = self.style.num_groups
        return self.depth if groups is None else groups * self.style.group_size

    @property
    def order(self):
        """tuple of int: the block that is called at each depth."""
        groups, size = self.style.num_groups, self.style.group_size
        if groups is None:
            return tuple(range(self.depth))
        return tuple(
            int(step / (self.depth / groups)) * size + place
            for step in range(self.depth)
            for place in range(size)
        )

    @property
    def guess_activation(self):
        """str: the activation of a head that guesses tokens."""
        return self.style.guess_activation or self.activation

    @property
    def head_activation(self):
        """str: that of a layer before the last one of a head that reads tokens."""
        return self.activation

    def make(self):
        policy, style = self.dtype_policy, self.style
        inner = style.embedding_width or self.width
        self.embedding = self._make_table(self.vocabulary_size, "embedding")
        if self.num_segments is not None:
            self.segments = self._make_table(self.num_segments, "segments")
        first = 0 if style.pad_token is None else style.pad_token + 1
        self.positions = LearnedPositions(
            first + self.context, inner, _start(), dtype=policy, name="positions"
        )
        self.positions.build()
        self.embedding_norm = self.make_norm(name="embedding_norm")
        self.embedding_norm.build((None, None, inner))
        if style.embedding_width is not None:
            self.projection = self._make_dense(inner, "projection")
        self.drop = keras.layers.Dropout(self.dropout, dtype=policy, name="dropout")
        if style.num_buckets is not None:
            self.position_bias = RelativePositionBias(
                self.num_heads,
                style.num_buckets,
                MAX_DISTANCE,
                initializer=_start(),
                dtype="float32",
                name="position_bias",
            )
            self.position_bias.build()
        self.blocks = [self._make_block(index) for index in range(self.num_blocks)]
        for block in self.blocks:
            block.build((None, None, self.width))
        if self.has_pooler:
            activation = _POOLERS[style.pooler_activation]
            self.pooler = self._make_dense(self.width, "pooler", activation)

    def _make_table(self, size, name):
        layer = TokenEmbedding(
            size,
            self.style.embedding_width or self.width,
            embeddings_initializer=_start(),
            dtype=self.dtype_policy,
            name=name,
        )
        layer.build((None, None))
        return layer

    def _make_dense(self, inputs, name, activation=None):
        layer = keras.layers.Dense(
            self.width,
            activation=activation,
            kernel_initializer=_start(),
            dtype=self.dtype_policy,
            name=name,
        )
        layer.build((None, inputs))
        return layer

    def make_norm(self, name):
        """A new normalisation layer of the network's kind, for it or for a head."""
        return keras.layers.LayerNormalization(
            epsilon=self.style.epsilon, dtype="float32", name=name
        )

    def _make_block(self, index):
        return make_block(
            self.width,
            self.num_heads,
            self.inner_width or 4 * self.width,
            ACTIVATIONS[self.activation],
            norm=self.make_norm,
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
        bias = None
        if self.style.num_buckets is not None:
            places = ops.arange(_length(tokens))
            bias = self.position_bias(places, places)
        states, size = [x], self.style.group_size
        for step, index in enumerate(self.order):
            x, _ = self.blocks[index](x, attention_mask=mask, bias=bias, real=real)
            if step % size == size - 1:
                states.append(x)
        return [ops.cast(state, self.compute_dtype) for state in states]

    def _embed(self, tokens, segments):
        if tokens.shape[1] is not None and tokens.shape[1] > self.context:
            raise ValueError(
                f"`tokens` must have at most context={self.context} columns. "
                f"Received: shape {tuple(tokens.shape)}"
            )
        x = self.embedding(tokens) + self.positions(self._places(tokens))
        if self.num_segments is not None:
            if segments is None or self.num_segments == 1:
                segments = ops.zeros_like(tokens)
            x = x + self.segments(segments)
        x = self.drop(ops.cast(self.embedding_norm(x), self.compute_dtype))
        return x if self.style.embedding_width is None else self.projection(x)

    def _places(self, tokens):
        """int `(1, T)` or `(B, T)`: the rows of the table of positions."""
        pad = self.style.pad_token
        if pad is None:
            return ops.arange(_length(tokens))[None]
        real = ops.cast(ops.not_equal(tokens, pad), "int32")
        return pad + real * ops.cumsum(real, axis=1)


def _length(tokens):
    return tokens.shape[1] or ops.shape(tokens)[1]
