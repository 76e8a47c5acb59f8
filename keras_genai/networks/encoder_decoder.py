"""EncoderDecoder: "Attention is all you need", BART and Blenderbot."""

import dataclasses
import functools

import keras
from keras import ops

from keras_genai.checks import (
    check_flags,
    check_given_sizes,
    check_heads,
    check_one_of,
    refuse_float16,
)
from keras_genai.declared import LATER, Count, Rate, Size
from keras_genai.layers.embedding import token_head, token_logits, token_table
from keras_genai.layers.feedforward import ACTIVATIONS, check_activation
from keras_genai.layers.positions import LearnedPositions
from keras_genai.layers.stacks import DecoderStack, EncoderStack, layer_norm
from keras_genai.networks.sequence_pair import TwoStacks
from keras_genai.registry import register

NORMED = ("nothing", "sum", "token")  # of a token's vector and that of its place
STARTS = ("glorot", "normal")


@register
@dataclasses.dataclass(frozen=True)
class EncoderDecoderStyle:
    """The choices in which these networks differ. The defaults are the first one's.

    Args:
        activation: `"relu"`, `"gelu"`, `"gelu_tanh"` or `"silu"`.
        pre_norm: bool. `True` normalises what enters a part, and the last output of
            each side; `False` the output of every part.
        embedding_norm: str. What is normalised before the first block: `"nothing"`;
            `"sum"`, a token and its place together; or `"token"`, which in the decoder
            leaves the place out.
        scale_embedding: bool. Token vectors times `width ** 0.5`.
        tie_embeddings: bool. One token table for the encoder, the decoder and the
            output; or else one for each.
        logits_bias: bool. Numbers that published checkpoints add to the logits, zero
            in most, and never trained.
        initializer: str. How weights begin: `"glorot"`, and tables with a deviation of
            `width ** -0.5`; or `"normal"`, all with one of 0.02.
        float16: bool. Whether it may compute in float16, in which some published
            weights overflow.
        decoder_num_heads: int or `None`, as many as the encoder's.
        decoder_inner_width: int or `None`, as wide as the encoder's.
    """

    activation: str = "relu"
    pre_norm: bool = False
    embedding_norm: str = "nothing"
    scale_embedding: bool = True
    tie_embeddings: bool = True
    logits_bias: bool = False
    initializer: str = "glorot"
    float16: bool = True
    decoder_num_heads: int | None = None
    decoder_inner_width: int | None = None

    def __post_init__(self):
        check_activation(self.activation)
        check_one_of("embedding_norm", self.embedding_norm, NORMED)
        check_one_of("initializer", self.initializer, STARTS)
        check_flags(
            pre_norm=self.pre_norm,
            scale_embedding=self.scale_embedding,
            tie_embeddings=self.tie_embeddings,
            logits_bias=self.logits_bias,
            float16=self.float16,
        )
        check_given_sizes(
            decoder_num_heads=self.decoder_num_heads,
            decoder_inner_width=self.decoder_inner_width,
        )

    def get_config(self):
        return dataclasses.asdict(self)


TRANSFORMER = EncoderDecoderStyle()
BART = EncoderDecoderStyle(
    activation="gelu",
    embedding_norm="sum",
    scale_embedding=False,
    logits_bias=True,
    initializer="normal",
)
BLENDERBOT = EncoderDecoderStyle(
    activation="gelu",
    pre_norm=True,
    logits_bias=True,
    initializer="normal",
    float16=False,
)
BLENDERBOT_SMALL = dataclasses.replace(
    BLENDERBOT, pre_norm=False, embedding_norm="token"
)


@register
class EncoderDecoder(TwoStacks):
    """Encoder-decoder transformer whose positions are learned.

    Args:
        vocabulary_size: int, of both sides. A task fills it in from its tokenizer.
        context: int, in tokens, of each side.
        encoder_depth: int. Number of blocks.
        decoder_depth: int.
        width: int. Length of a token's vector.
        num_heads: int.
        inner_width: int or `None` (`4 * width`). Width inside the feed-forward
            networks.
        dropout: float. Rate after the embeddings and after every part of a block.
        style: `EncoderDecoderStyle`. `TRANSFORMER`, `BART`, `BLENDERBOT` and
            `BLENDERBOT_SMALL` are ready-made.

    Call arguments and returns: see `SequencePairNetwork`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range, if `width` is not a multiple of a number
            of heads, if a sequence is longer than `context`, or if the dtype computes
            in float16 and the style does not.

    Reference: Vaswani et al. 2017, section 3, https://arxiv.org/abs/1706.03762;
        Lewis et al. 2020, section 2, https://arxiv.org/abs/1910.13461 (BART);
        Roller et al. 2021, section 2, https://arxiv.org/abs/2004.13637 (Blenderbot)
    """

    vocabulary_size: Count = LATER
    context: Count
    encoder_depth: Size
    decoder_depth: Size
    width: Size
    num_heads: Size
    inner_width: Size | None = None
    dropout: Rate = 0.1
    style: EncoderDecoderStyle = TRANSFORMER

    def check(self):
        for heads in (self.num_heads, self.style.decoder_num_heads):
            check_heads(self.width, heads or self.num_heads)
        if not self.style.float16:
            refuse_float16(self)

    def make(self):
        style, policy = self.style, self.dtype_policy
        table = functools.partial(token_table, self.vocabulary_size, self.width)
        self.embedding = table(self._table_start(), policy)
        self.decoder_embedding = self.embedding
        if not style.tie_embeddings:
            self.decoder_embedding = table(
                self._table_start(), policy, "decoder_embedding"
            )
        self.drop = keras.layers.Dropout(self.dropout, dtype=policy, name="dropout")
        self.encoder_positions, self.decoder_positions = (
            self._make_positions(f"{side}_positions") for side in ("encoder", "decoder")
        )
        self.encoder_norm = self.decoder_norm = self.head = self.logits_bias = None
        if style.embedding_norm != "nothing":
            self.encoder_norm = self._make_norm("encoder_norm")
            self.decoder_norm = self._make_norm("decoder_norm")
        block = dict(
            activation=ACTIVATIONS[style.activation],
            initializer=self._matrix_start,
            pre_norm=style.pre_norm,
        )
        self.encoder = self.make_stack(
            EncoderStack, self.encoder_depth, self.num_heads, self.inner_width, **block
        )
        self.decoder = self.make_stack(
            DecoderStack,
            self.decoder_depth,
            style.decoder_num_heads or self.num_heads,
            style.decoder_inner_width or self.inner_width,
            **block,
        )
        if not style.tie_embeddings:
            self.head = token_head(
                self.vocabulary_size, self.width, self._table_start(), policy
            )
        if style.logits_bias:
            self.logits_bias = self.add_weight(
                (self.vocabulary_size,),
                initializer="zeros",
                trainable=False,
                name="logits_bias",
            )

    # One object a weight: an initializer draws the same numbers every time.
    def _table_start(self):
        glorot = self.style.initializer == "glorot"
        return keras.initializers.RandomNormal(
            stddev=self.width**-0.5 if glorot else 0.02
        )

    def _matrix_start(self):
        if self.style.initializer == "glorot":
            return keras.initializers.GlorotUniform()
        return keras.initializers.RandomNormal(stddev=0.02)

    def _make_positions(self, name):
        layer = LearnedPositions(
            self.context,
            self.width,
            self._table_start(),
            dtype=self.dtype_policy,
            name=name,
        )
        layer.build()
        return layer

    def _make_norm(self, name):
        layer = layer_norm(name)
        layer.build((None, None, self.width))
        return layer

    def embed_inputs(self, inputs, positions):
        x = self._scaled(self.embedding(inputs)) + self.encoder_positions(positions)
        return self.drop(self._normalized(x, self.encoder_norm))

    def embed_targets(self, tokens, positions):
        x = self._scaled(self.decoder_embedding(tokens))
        places = self.decoder_positions(positions)
        if self.style.embedding_norm == "token":
            return self.drop(self._normalized(x, self.decoder_norm) + places)
        return self.drop(self._normalized(x + places, self.decoder_norm))

    def logits(self, hidden):
        return token_logits(hidden, self.embedding, self.head, self.logits_bias)

    def _scaled(self, x):
        return x * self.width**0.5 if self.style.scale_embedding else x

    def _normalized(self, x, norm):
        return x if norm is None else ops.cast(norm(x), self.compute_dtype)
