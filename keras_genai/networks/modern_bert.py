"""ModernBERT: an encoder of long texts, most of whose blocks look at what is near."""

import dataclasses
import functools
import typing
from typing import Literal

import keras
from keras import ops

from keras_genai.checks import (
    check_flags,
    check_heads,
    check_instance,
    check_number,
    check_one_of,
    check_sizes,
)
from keras_genai.declared import LATER, Count, Later, Rate, Size
from keras_genai.layers.attention import Attention
from keras_genai.layers.embedding import TokenEmbedding
from keras_genai.layers.feedforward import ACTIVATIONS, GatedFeedForward
from keras_genai.layers.rotary import Rotary
from keras_genai.layers.token_pooling import POOLINGS
from keras_genai.layers.transformer import Block
from keras_genai.networks.language import TokenNetwork
from keras_genai.registry import register

FAR, NEAR = Rotary(160_000.0), Rotary(10_000.0)
_start = functools.partial(keras.initializers.TruncatedNormal, stddev=0.02)


@register
@dataclasses.dataclass(frozen=True)
class ModernBERTStyle:
    """The choices in which such encoders differ. The defaults are the published ones.

    Args:
        window: int, in tokens. How far local blocks look to either side.
        local_blocks: tuple of bool, repeated over the depth. Which blocks are local.
        rotary, local_rotary: `Rotary` of the blocks that see all, and of local ones.
        attention_bias, feedforward_bias, norm_bias, head_bias: bool. Biases of what
            they say; the last one of the layer in a head before the last one.
        head_activation: str, of that layer, see `ModernBERT`.
        pooling: `"cls"` or `"mean"`. How a text's vectors become one.
        epsilon: float above 0, of the norms.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range.
    """

    window: int = 64
    local_blocks: tuple = (False, True, True)
    rotary: Rotary = FAR
    local_rotary: Rotary = NEAR
    attention_bias: bool = False
    feedforward_bias: bool = False
    norm_bias: bool = False
    head_bias: bool = False
    head_activation: str = "gelu"
    pooling: str = "cls"
    epsilon: float = 1e-5

    def __post_init__(self):
        check_sizes(window=self.window)
        object.__setattr__(self, "local_blocks", tuple(self.local_blocks))  # of a file
        if {type(each) for each in self.local_blocks} != {bool}:
            raise ValueError(
                "`local_blocks` must be a tuple of at least one bool. "
                f"Received: {self.local_blocks!r}"
            )
        check_instance("rotary", self.rotary, Rotary)
        check_instance("local_rotary", self.local_rotary, Rotary)
        check_flags(
            attention_bias=self.attention_bias,
            feedforward_bias=self.feedforward_bias,
            norm_bias=self.norm_bias,
            head_bias=self.head_bias,
        )
        check_one_of("head_activation", self.head_activation, [*ACTIVATIONS])
        check_one_of("pooling", self.pooling, ("cls", "mean"))
        check_number("epsilon", self.epsilon, "above 0", lambda value: value > 0)

    def is_local(self, index):
        """Whether the block of this number sees only what is near."""
        return self.local_blocks[index % len(self.local_blocks)]

    def get_config(self):
        return {
            field.name: getattr(self, field.name) for field in dataclasses.fields(self)
        }


PUBLISHED = ModernBERTStyle()


@register
class ModernBERT(TokenNetwork):
    """An encoder with rotary positions and gated feed-forward networks.

    Args:
        vocabulary_size: int. A task fills it in from its tokenizer.
        context: int, in tokens. The longest sequence.
        depth: int. Number of blocks.
        width: int. Length of a token's vector, a multiple of `num_heads`.
        num_heads: int. Each is of an even length, to be turned.
        inner_width: int. Width inside the feed-forward network, of gate and value each.
        dropout: float. Rate after the embedding and after every part of a block.
        activation: str, `"gelu"` (exact), `"gelu_tanh"`, `"relu"` or `"silu"`.
        has_pooler: bool. Whether a layer and a norm of its own are put on the vector of
            the whole sequence. By itself, there are unless a task does not read it.
        style: `ModernBERTStyle`.

    Call arguments:
        inputs: int tokens `(B, T)`, or a dict of `tokens` and, if wanted,
            `tokens_mask`, bool or int `(B, T)`, true at what is not padding.
        training: bool. Dropout is on if `True`.

    Returns:
        dict of float32 `hidden`, `(B, T, width)`, and `pooled`, `(B, width)`. What
        stands at padding means nothing.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range, if `width` is not a multiple of
            `num_heads`, if heads are of an odd length, or if a sequence is longer than
            `context`.

    Reference: Warner et al. 2024, section 2.1, https://arxiv.org/abs/2412.13663
    """

    has_head_norm: typing.ClassVar = True

    vocabulary_size: Count = LATER
    context: Count = 8192
    depth: Size = 22
    width: Size = 768
    num_heads: Size = 12
    inner_width: Size = 1152
    dropout: Rate = 0.0
    activation: Literal["gelu", "gelu_tanh", "relu", "silu"] = "gelu"
    has_pooler: bool = LATER
    style: ModernBERTStyle = PUBLISHED

    def check(self):
        check_heads(self.width, self.num_heads)
        for rotary in (self.style.rotary, self.style.local_rotary):
            if rotary.size(self.head_size) % 2 or not rotary.size(self.head_size):
                raise ValueError(
                    "heads must be of an even length to be turned. "
                    f"Received: width={self.width}, num_heads={self.num_heads}"
                )

    def complete(self, **sizes):
        sizes = {"has_pooler": True, **sizes}
        if not isinstance(self.has_pooler, Later):  # whatever a task would choose
            del sizes["has_pooler"]
        return super().complete(**sizes)

    @property
    def head_size(self):
        """int: length of a head's vectors."""
        return self.width // self.num_heads

    @property
    def head_activation(self):
        """str: the activation of a head's layer before the last one."""
        return self.style.head_activation

    guess_activation = head_activation

    @property
    def head_bias(self):
        """bool: whether that layer has a bias."""
        return self.style.head_bias

    def make(self):
        policy = self.dtype_policy
        self.embedding = TokenEmbedding(
            self.vocabulary_size,
            self.width,
            embeddings_initializer=_start(),
            dtype=policy,
            name="embedding",
        )
        self.embedding.build((None, None))
        self.embedding_norm = self.make_norm(name="embedding_norm")
        self.drop = keras.layers.Dropout(self.dropout, dtype=policy, name="dropout")
        self.blocks = [self._make_block(index) for index in range(self.depth)]
        self.norm = self.make_norm(name="norm")
        for layer in (self.embedding_norm, *self.blocks, self.norm):
            layer.build((None, None, self.width))
        if self.has_pooler:
            self.pooler = keras.layers.Dense(
                self.width,
                activation=ACTIVATIONS[self.head_activation],
                use_bias=self.head_bias,
                kernel_initializer=_start(),
                dtype=policy,
                name="pooler",
            )
            self.pooler_norm = self.make_norm(name="pooler_norm")
            for layer in (self.pooler, self.pooler_norm):
                layer.build((None, self.width))

    def make_norm(self, name):
        """A new normalisation layer of the network's kind, for it or for a head."""
        return keras.layers.LayerNormalization(
            epsilon=self.style.epsilon,
            center=self.style.norm_bias,
            dtype="float32",
            name=name,
        )

    def _make_block(self, index):
        style, policy = self.style, self.dtype_policy
        # Each block adds twice to the residual stream.
        residual = functools.partial(_start, stddev=0.02 * (2 * self.depth) ** -0.5)
        attention = Attention(
            self.num_heads,
            self.head_size,
            use_bias=style.attention_bias,
            initializer=_start(),
            output_initializer=residual(),
            dtype=policy,
            name="attention",
        )
        feedforward = GatedFeedForward(
            self.inner_width,
            ACTIVATIONS[self.activation],
            style.feedforward_bias,
            initializer=_start(),
            output_initializer=residual(),
            dtype=policy,
            name="feedforward",
        )

        def make_norm(name):
            if index == 0 and name == "attention_norm":  # the embedding has just been
                return None
            return self.make_norm(name)

        return Block(
            attention,
            feedforward,
            make_norm,
            dropout=self.dropout,
            dtype=policy,
            name=f"block_{index}",
        )

    def call(self, inputs, training=False):
        inputs = inputs if isinstance(inputs, dict) else {"tokens": inputs}
        mask = inputs.get("tokens_mask")
        hidden = self.hidden(inputs["tokens"], mask)
        return {
            "hidden": ops.cast(hidden, "float32"),
            "pooled": self.pooled(hidden, mask),
        }

    def hidden(self, tokens, mask=None):
        """The vectors of all tokens. See `TokenNetwork`.

        Args:
            tokens: int `(B, T)`, `T <= context`.
            mask: bool or int `(B, T)`, true at what is not padding, or `None`.

        Returns:
            float `(B, T, width)` of the compute dtype.
        """
        return self.hidden_states(tokens, mask)[-1]

    def pooled(self, hidden, mask=None):
        vector = POOLINGS[self.style.pooling](hidden, mask)
        if not self.has_pooler:
            return vector
        vector = self.pooler(ops.cast(vector, self.compute_dtype))
        return ops.cast(self.pooler_norm(vector), "float32")

    def hidden_states(self, tokens, mask=None):
        """What enters the first block and what each block returns.

        Args:
            tokens, mask: see `hidden`.

        Returns:
            List of `depth + 1` tensors, float `(B, T, width)` of the compute dtype, the
            last one normalised, as heads read it.
        """
        if tokens.shape[1] is not None and tokens.shape[1] > self.context:
            raise ValueError(
                f"`tokens` must have at most context={self.context} columns. "
                f"Received: shape {tuple(tokens.shape)}"
            )
        x = self.embedding_norm(self.embedding(tokens))
        x = self.drop(ops.cast(x, self.compute_dtype))
        real = None if mask is None else ops.cast(mask, "bool")
        views = self._views(tokens.shape[1] or ops.shape(tokens)[1], real)
        states = [x]
        for index, block in enumerate(self.blocks):
            x, _ = block(x, real=real, **views[self.style.is_local(index)])
            states.append(x)
        states[-1] = self.norm(x)
        return [ops.cast(state, self.compute_dtype) for state in states]

    def _views(self, length, real):
        """What blocks may see and how they turn it: whether one is local to a dict."""
        style, places = self.style, ops.arange(length)
        visible = None if real is None else real[:, None, None]  # (B, 1, 1, T)
        distance = ops.absolute(places[:, None] - places[None, :])
        near = (distance <= style.window)[None, None]  # (1, 1, T, T)
        return {
            False: {
                "attention_mask": visible,
                "rotation": style.rotary.angles(places[None], self.head_size),
            },
            True: {
                "attention_mask": near if visible is None else near & visible,
                "rotation": style.local_rotary.angles(places[None], self.head_size),
            },
        }
