"""T5: every task as text to text, positions as a bias on attention."""

import dataclasses

import keras

from keras_genai.checks import check_flags, check_number, refuse_float16
from keras_genai.declared import LATER, Count, Rate, Size
from keras_genai.layers.attention import Attention
from keras_genai.layers.embedding import token_head, token_logits, token_table
from keras_genai.layers.feedforward import (
    ACTIVATIONS,
    FeedForward,
    GatedFeedForward,
    check_activation,
)
from keras_genai.layers.positions import RelativePositionBias, check_buckets
from keras_genai.layers.stacks import DecoderStack, EncoderStack, memory_mask
from keras_genai.layers.transformer import Block
from keras_genai.networks.sequence_pair import TwoStacks
from keras_genai.registry import register


@register
@dataclasses.dataclass(frozen=True)
class T5Style:
    """The choices in which T5 checkpoints differ. The defaults are the original's.

    Args:
        activation: `"relu"`, `"gelu"`, `"gelu_tanh"` or `"silu"`.
        gated: bool. The hidden layer is multiplied by an activated gate.
        tie_embeddings: bool. The output matrix is the token table.
        scale_logits: bool. The last vectors are multiplied by `width ** -0.5`.
        num_buckets: even int >= 4. See `RelativePositionBias`.
        max_distance: int, in tokens. See `RelativePositionBias`.
        epsilon: float. Of the norms.
    """

    activation: str = "relu"
    gated: bool = False
    tie_embeddings: bool = True
    scale_logits: bool = True
    num_buckets: int = 32
    max_distance: int = 128
    epsilon: float = 1e-6

    def __post_init__(self):
        check_activation(self.activation)
        check_flags(
            gated=self.gated,
            tie_embeddings=self.tie_embeddings,
            scale_logits=self.scale_logits,
        )
        check_buckets(self.num_buckets, self.max_distance)
        check_number("epsilon", self.epsilon, "a number > 0", lambda value: value > 0)

    def get_config(self):
        return dataclasses.asdict(self)


ORIGINAL = T5Style()
V1_1 = T5Style("gelu_tanh", gated=True, tie_embeddings=False, scale_logits=False)


@register
class T5(TwoStacks):
    """Encoder-decoder transformer without biases or position vectors.

    Args:
        vocabulary_size: int. A task fills it in from its tokenizer.
        encoder_depth: int. Number of blocks.
        decoder_depth: int.
        width: int. Length of a token's vector.
        num_heads: int.
        head_dim: int. Need not have to do with `width`.
        inner_width: int. Width inside the feed-forward networks.
        dropout: float. Rate after the embeddings, every part, and both last norms.
        style: `T5Style`. `ORIGINAL` or `V1_1` (also Flan-T5) are ready-made.

    Call arguments and returns: see `SequencePairNetwork`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range, or if the dtype computes in float16, in
            which these weights overflow.

    Reference: Raffel et al. 2020, section 2.1, https://arxiv.org/abs/1910.10683;
        Shazeer 2020 (v1.1), https://arxiv.org/abs/2002.05202
    """

    vocabulary_size: Count = LATER
    encoder_depth: Size
    decoder_depth: Size
    width: Size
    num_heads: Size
    head_dim: Size
    inner_width: Size
    dropout: Rate = 0.1
    style: T5Style = ORIGINAL

    def check(self):
        refuse_float16(self)

    def make(self):
        policy = self.dtype_policy
        self.embedding = token_table(
            self.vocabulary_size, self.width, _normal(1.0), policy
        )
        self.drop = keras.layers.Dropout(self.dropout, dtype=policy, name="dropout")
        self.encoder = EncoderStack(
            [self._make_block(index) for index in range(self.encoder_depth)],
            norm=self._norm(name="norm"),
            position_bias=self._make_bias(causal=False),
            dtype=policy,
            name="encoder",
        )
        self.decoder = DecoderStack(
            [self._make_block(index, True) for index in range(self.decoder_depth)],
            norm=self._norm(name="norm"),
            position_bias=self._make_bias(causal=True),
            dtype=policy,
            name="decoder",
        )
        self.head = None
        if not self.style.tie_embeddings:
            start = _normal(self.width**-0.5)
            self.head = token_head(self.vocabulary_size, self.width, start, policy)
        for stack in (self.encoder, self.decoder):
            stack.build((None, None, self.width))

    def _make_bias(self, causal):
        return RelativePositionBias(
            self.num_heads,
            self.style.num_buckets,
            self.style.max_distance,
            causal,
            initializer=_normal(self.width**-0.5),
            dtype="float32",
            name="position_bias",
        )

    def _make_block(self, index, looks_across=False):
        policy, inner = self.dtype_policy, self.num_heads * self.head_dim

        def attention(name):
            return Attention(
                self.num_heads,
                self.head_dim,
                use_bias=False,
                scale=1.0,
                initializer=_normal(self.width**-0.5),
                output_initializer=_normal(inner**-0.5),
                # Without a scale the queries are started small instead.
                query_initializer=_normal((self.width * self.head_dim) ** -0.5),
                dtype=policy,
                name=name,
            )

        kind = GatedFeedForward if self.style.gated else FeedForward
        feedforward = kind(
            self.inner_width,
            ACTIVATIONS[self.style.activation],
            use_bias=False,
            initializer=_normal(self.width**-0.5),
            output_initializer=_normal(self.inner_width**-0.5),
            dtype=policy,
            name="feedforward",
        )
        return Block(
            attention("attention"),
            feedforward,
            self._norm,
            cross_attention=attention("cross_attention") if looks_across else None,
            dropout=self.dropout,
            dtype=policy,
            name=f"block_{index}",
        )

    def _norm(self, name):
        return keras.layers.RMSNormalization(
            epsilon=self.style.epsilon, dtype="float32", name=name
        )

    def encode(self, inputs, inputs_mask):
        x = self.encoder(self.embed_inputs(inputs), memory_mask(inputs_mask))
        return self.decoder.project_memory(self.drop(x), inputs_mask)

    def embed_inputs(self, inputs, positions=None):
        return self.drop(self.embedding(inputs))  # positions come in as a bias

    def embed_targets(self, tokens, positions):
        return self.drop(self.embedding(tokens))

    def logits(self, hidden):
        x = self.drop(hidden)
        if self.style.scale_logits:
            x = x * self.width**-0.5
        return token_logits(x, self.embedding, self.head)


def _normal(stddev):
    """A fresh initializer: one object draws the same numbers every time."""
    return keras.initializers.RandomNormal(stddev=stddev)
