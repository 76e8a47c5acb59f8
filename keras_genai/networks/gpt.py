"""GPT: a stack of causal transformer blocks, in GPT-2's or Llama's style."""

import dataclasses
import functools
from typing import Annotated

import keras
from keras import ops

from keras_genai.checks import check_flags, check_given_sizes, check_one_of
from keras_genai.declared import LATER, Count, Rate, Size
from keras_genai.layers.attention import (
    Attention,
    causal_mask,
    position_mask,
    segment_mask,
    write_slots,
)
from keras_genai.layers.embedding import TokenEmbedding, token_logits
from keras_genai.layers.feedforward import (
    FeedForward,
    GatedFeedForward,
    gelu_tanh,
    quick_gelu,
)
from keras_genai.layers.positions import (
    LearnedPositions,
    PeriodicPositions,
    RelativeKeys,
    check_periods,
    rotary_angles,
)
from keras_genai.layers.transformer import Block
from keras_genai.networks.language import LanguageNetwork
from keras_genai.registry import register


@keras.saving.register_keras_serializable(package="keras_genai")
def relu_squared(x):
    """The square of ReLU.

    Reference: So et al. 2021, section 3, https://arxiv.org/abs/2109.08668
    """
    return ops.square(ops.relu(x))


# Of a style's `feedforward`: the network and its activation.
FEEDFORWARDS = {
    "gelu": (FeedForward, gelu_tanh),
    "gelu_exact": (FeedForward, "gelu"),
    "quick_gelu": (FeedForward, quick_gelu),
    "relu_squared": (FeedForward, relu_squared),
    "swiglu": (GatedFeedForward, "silu"),
}


@register
@dataclasses.dataclass(frozen=True)
class Style:
    """The choices in which causal transformers differ. The defaults are GPT-2's.

    Args:
        positions: `"learned"`, `"rotary"` or `"relative"`: a learned vector of every
            distance within the context is compared with queries.
        norm: `"layer"` or `"rms"`.
        feedforward: `"gelu"` (tanh form), `"gelu_exact"`, `"quick_gelu"` (sigmoid form,
            CLIP's), `"relu_squared"` or `"swiglu"`.
        use_bias: bool. Biases in all matrices and LayerNorms.
        normalize_heads: bool. RMS-normalised queries and keys.
        tie_embeddings: bool. The output matrix is the token table.
        num_memory_heads: int or `None`. Key/value heads, if fewer than queries'.
    """

    positions: str = "learned"
    norm: str = "layer"
    feedforward: str = "gelu"
    use_bias: bool = True
    normalize_heads: bool = False
    tie_embeddings: bool = True
    num_memory_heads: int | None = None

    def __post_init__(self):
        check_one_of("positions", self.positions, ("learned", "rotary", "relative"))
        check_one_of("norm", self.norm, ("layer", "rms"))
        check_one_of("feedforward", self.feedforward, [*FEEDFORWARDS])
        check_flags(
            use_bias=self.use_bias,
            normalize_heads=self.normalize_heads,
            tie_embeddings=self.tie_embeddings,
        )
        check_given_sizes(num_memory_heads=self.num_memory_heads)

    def get_config(self):
        return dataclasses.asdict(self)


Periods = Annotated[tuple[int, ...], check_periods]
GPT2 = Style()
LLAMA = Style(
    positions="rotary",
    norm="rms",
    feedforward="swiglu",
    use_bias=False,
    tie_embeddings=False,
)
# Rotary positions and RMSNorm as in Llama; squared ReLU: So et al. 2021, section 3; and
# normalised queries and keys: Henry et al. 2020, https://arxiv.org/abs/2010.04245
MODERN = Style(
    positions="rotary",
    norm="rms",
    feedforward="relu_squared",
    use_bias=False,
    normalize_heads=True,
)


@register
class GPT(LanguageNetwork):
    """Causal transformer over tokens.

    Args:
        vocabulary_size: int. A task fills it in from its tokenizer.
        context: int, in tokens. The most a prediction can look back on. A prior of
            codes fills it in from their number.
        depth: int. Number of blocks.
        width: int. Length of a token's vector.
        num_heads: int.
        dropout: float. Rate after the embedding and after every part of a block.
        head_dim: int or `None` (`width // num_heads`).
        inner_width: int or `None` (`4 * width`). Width inside the feed-forward network.
        style: `Style`. `GPT2`, `LLAMA` and `MODERN` are ready-made.
        periods: tuple of int >= 2, or `None`. Of each, a learned vector of a token's
            place within so many tokens is added to its own.

    Call arguments, returns: see `LanguageNetwork`; `T <= context`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range, if `width` is not a multiple of
            `num_heads` and no `head_dim` is given, if `head_dim` is odd with rotary
            positions, or if a sequence is longer than `context`.

    Reference: Radford et al. 2019, section 2.3 (GPT-2); Touvron et al. 2023,
        section 2.2, https://arxiv.org/abs/2302.13971 (Llama)
    """

    reads_segments = True

    vocabulary_size: Count = LATER
    context: Count = LATER
    depth: Size
    width: Size
    num_heads: Size
    dropout: Rate = 0.0
    head_dim: Size | None = None
    inner_width: Size | None = None
    style: Style = GPT2
    periods: Periods | None = None

    def check(self):
        if self.head_dim is None and self.width % self.num_heads:
            raise ValueError(
                "`width` must be a multiple of `num_heads`, or `head_dim` be given. "
                f"Received: width={self.width}, num_heads={self.num_heads}"
            )
        if self.style.positions == "rotary" and self.head_size % 2:
            raise ValueError(
                "`head_dim` must be even to be turned. "
                f"Received: head_dim={self.head_size}"
            )

    @property
    def head_size(self):
        """int: length of a head's vectors."""
        return self.head_dim or self.width // self.num_heads

    def make(self):
        style, policy = self.style, self.dtype_policy
        # One object a weight: an initializer draws the same numbers every time.
        start = functools.partial(keras.initializers.RandomNormal, stddev=0.02)
        self.embedding = TokenEmbedding(
            self.vocabulary_size,
            self.width,
            embeddings_initializer=start(),
            dtype=policy,
            name="embedding",
        )
        self.embedding.build((None, None))
        if style.positions == "learned":
            self.positions = LearnedPositions(
                self.context, self.width, start(), dtype=policy, name="positions"
            )
            self.positions.build()
        if self.periods is not None:
            self.periodic = PeriodicPositions(
                self.periods, self.width, start(), dtype=policy, name="periodic"
            )
            self.periodic.build()
        self.drop = keras.layers.Dropout(self.dropout, dtype=policy, name="dropout")
        self.blocks = [self._make_block(index) for index in range(self.depth)]
        self.norm = self._make_norm(name="norm")
        for layer in (*self.blocks, self.norm):
            layer.build((None, None, self.width))
        if not style.tie_embeddings:
            self.head = keras.layers.Dense(
                self.vocabulary_size,
                use_bias=False,
                kernel_initializer=start(),
                dtype=policy,
                name="head",
            )
            self.head.build((None, None, self.width))

    def _make_norm(self, name):
        if self.style.norm == "rms":
            return keras.layers.RMSNormalization(
                epsilon=1e-6, dtype="float32", name=name
            )
        return keras.layers.LayerNormalization(
            epsilon=1e-5, center=self.style.use_bias, dtype="float32", name=name
        )

    def _make_block(self, index):
        style, policy = self.style, self.dtype_policy
        start = functools.partial(keras.initializers.RandomNormal, stddev=0.02)
        # Each block adds twice to the residual stream: GPT-2, section 2.3.
        residual = functools.partial(
            keras.initializers.RandomNormal, stddev=0.02 * (2 * self.depth) ** -0.5
        )
        relative = None
        if style.positions == "relative":
            relative = RelativeKeys(
                self.num_heads,
                self.head_size,
                self.context,
                start(),
                dtype=policy,
                name="relative_keys",
            )
        attention = Attention(
            self.num_heads,
            self.head_size,
            num_memory_heads=style.num_memory_heads,
            use_bias=style.use_bias,
            normalize=style.normalize_heads,
            initializer=start(),
            output_initializer=residual(),
            relative_keys=relative,
            dtype=policy,
            name="attention",
        )
        inner, activation = FEEDFORWARDS[style.feedforward]
        feedforward = inner(
            self.inner_width or 4 * self.width,
            activation,
            style.use_bias,
            initializer=start(),
            output_initializer=residual(),
            dtype=policy,
            name="feedforward",
        )
        return Block(
            attention,
            feedforward,
            self._make_norm,
            dropout=self.dropout,
            dtype=policy,
            name=f"block_{index}",
        )

    def hidden(self, tokens, mask=None, segments=None):
        """The vectors of all tokens, before the head.

        Args:
            tokens: int `(B, T)`, `T <= context`.
            mask: ignored: no token sees what is behind it, where padding is.
            segments: see `LanguageNetwork`.

        Returns:
            float `(B, T, width)` of the compute dtype.
        """
        if segments is None:
            length = tokens.shape[1] or ops.shape(tokens)[1]
            mask, positions = causal_mask(length), ops.arange(length)[None]
            distances = None
        else:
            mask = segment_mask(segments)
            # As many as a token sees before itself.
            positions = ops.sum(ops.cast(mask[:, 0], "int32"), axis=-1) - 1  # (B, T)
            distances = self._distances(positions, positions)
        x, rotation = self._embed(tokens, positions)
        for block in self.blocks:
            x, _ = block(x, attention_mask=mask, rotation=rotation, distances=distances)
        return ops.cast(self.norm(x), self.compute_dtype)

    def logits(self, hidden):
        """float32 logits `(..., vocabulary_size)` of what `hidden` returned."""
        head = None if self.style.tie_embeddings else self.head
        return token_logits(hidden, self.embedding, head)

    def initial_cache(self, batch_size, length):
        """Empty cache of `length` slots. See `LanguageNetwork`."""
        groups = self.style.num_memory_heads or self.num_heads
        shape = (batch_size, groups, length, self.head_size)
        pairs = [
            (ops.zeros(shape, self.compute_dtype), ops.zeros(shape, self.compute_dtype))
            for _ in self.blocks
        ]
        return {
            "positions": ops.full((batch_size, length), -1, dtype="int32"),
            "blocks": pairs,
        }

    def decode(self, tokens, positions, cache, index):
        """Logits of the next token, and the cache after `tokens`. See its base."""
        x, rotation = self._embed(tokens, positions)
        slots = write_slots(cache["positions"], positions, index, axis=1)
        mask = position_mask(positions, slots)
        distances = self._distances(positions, slots)
        pairs = []
        for block, pair in zip(self.blocks, cache["blocks"], strict=True):
            x, pair = block(
                x,
                attention_mask=mask,
                rotation=rotation,
                cache=pair,
                index=index,
                distances=distances,
            )
            pairs.append(pair)
        if tokens.shape[1] != 1:
            last = ops.sum(ops.cast(positions >= 0, "int32"), axis=1) - 1
            x = ops.take_along_axis(x, last[:, None, None], axis=1)
        hidden = ops.cast(self.norm(x), self.compute_dtype)
        return self.logits(hidden)[:, 0], {"positions": slots, "blocks": pairs}

    def _embed(self, tokens, positions):
        x = self.embedding(tokens)
        if self.periods is not None:
            x = x + self.periodic(positions)
        if self.style.positions == "learned":
            x = x + self.positions(positions)
        if self.style.positions == "rotary":
            return self.drop(x), rotary_angles(positions, self.head_size)
        return self.drop(x), None

    def _distances(self, queries, keys):
        """int `(B, Q, K)` of int `(B, Q)` and `(B, K)`, where somebody asks for it."""
        if self.style.positions != "relative":
            return None
        return queries[:, :, None] - keys[:, None]
