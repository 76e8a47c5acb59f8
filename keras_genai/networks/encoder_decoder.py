"""EncoderDecoder: "Attention is all you need", BART, Blenderbot, Marian and others."""

import dataclasses

import keras
from keras import ops

from keras_genai.checks import (
    check_flags,
    check_given_sizes,
    check_heads,
    check_one_of,
    check_sizes,
    refuse_float16,
)
from keras_genai.declared import LATER, Count, Rate, Size
from keras_genai.layers.embedding import token_head, token_logits, token_table
from keras_genai.layers.feedforward import ACTIVATIONS, check_activation
from keras_genai.layers.positions import LearnedPositions
from keras_genai.layers.stacks import DecoderStack, EncoderStack, layer_norm
from keras_genai.layers.waves import WAVES, SinusoidalPositions
from keras_genai.networks.sequence_pair import TwoStacks
from keras_genai.registry import register

NORMED = ("nothing", "sum", "token")  # of a token's vector and that of its place
STARTS = ("glorot", "normal")
# Of a place: a trained vector, or waves.
PLACES = ("learned", *sorted(WAVES))


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
        own_inputs: bool. Whether the encoder has a table of its own, although the
            decoder's is the output's, too.
        positions: str. `"learned"`, a trained vector a place, or the waves of
            `keras_genai.layers.waves.SinusoidalPositions`: `"vaswani"` or
            `"tensor2tensor"`.
        pad_token: int or `None`. If given, this token has no place: its vector is that
            of row `pad_token`, zeros, and the others are counted from the row after.
            Of waves only.
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
    own_inputs: bool = False
    positions: str = "learned"
    pad_token: int | None = None
    logits_bias: bool = False
    initializer: str = "glorot"
    float16: bool = True
    decoder_num_heads: int | None = None
    decoder_inner_width: int | None = None

    def __post_init__(self):
        check_activation(self.activation)
        check_one_of("embedding_norm", self.embedding_norm, NORMED)
        check_one_of("initializer", self.initializer, STARTS)
        check_one_of("positions", self.positions, PLACES)
        if self.pad_token is not None:
            check_sizes(pad_token=self.pad_token + 1)
            if self.positions == "learned":
                raise ValueError(
                    "`pad_token` must be None with learned `positions`. "
                    f"Received: {self.pad_token}"
                )
        check_flags(
            pre_norm=self.pre_norm,
            scale_embedding=self.scale_embedding,
            tie_embeddings=self.tie_embeddings,
            own_inputs=self.own_inputs,
            logits_bias=self.logits_bias,
            float16=self.float16,
        )
        check_given_sizes(
            decoder_num_heads=self.decoder_num_heads,
            decoder_inner_width=self.decoder_inner_width,
        )

    @property
    def has_inputs_table(self):
        """bool: whether encoder and decoder look tokens up in tables of their own."""
        return self.own_inputs or not self.tie_embeddings

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
MARIAN = EncoderDecoderStyle(
    activation="silu", positions="vaswani", logits_bias=True, initializer="normal"
)
PEGASUS = dataclasses.replace(MARIAN, activation="relu", pre_norm=True, float16=False)
MBART = dataclasses.replace(BART, pre_norm=True, scale_embedding=True)
M2M100 = EncoderDecoderStyle(
    pre_norm=True,
    positions="tensor2tensor",
    pad_token=1,
    initializer="normal",
)


@register
class EncoderDecoder(TwoStacks):
    """Encoder-decoder transformer whose places have vectors of their own.

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
        style: `EncoderDecoderStyle`. `TRANSFORMER`, `BART`, `BLENDERBOT`,
            `BLENDERBOT_SMALL`, `MARIAN`, `PEGASUS`, `MBART` and `M2M100` are
            ready-made.
        inputs_vocabulary_size: int or `None` (`vocabulary_size`), of what is read. Of a
            style in which the encoder has a table of its own.

    Call arguments and returns: see `SequencePairNetwork`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range, if `width` is not a multiple of a number
            of heads, if a sequence is longer than `context`, or if the dtype computes
            in float16 and the style does not.

    Reference: Vaswani et al. 2017, section 3, https://arxiv.org/abs/1706.03762;
        Lewis et al. 2020, section 2, https://arxiv.org/abs/1910.13461 (BART);
        Roller et al. 2021, section 2, https://arxiv.org/abs/2004.13637 (Blenderbot);
        Junczys-Dowmunt et al. 2018, https://arxiv.org/abs/1804.00344 (Marian);
        Zhang et al. 2020, section 3, https://arxiv.org/abs/1912.08777 (Pegasus);
        Liu et al. 2020, section 2, https://arxiv.org/abs/2001.08210 (mBART);
        Fan et al. 2020, section 4, https://arxiv.org/abs/2010.11125 (M2M-100)
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
    inputs_vocabulary_size: Count | None = None

    def check(self):
        if self.inputs_vocabulary_size and not self.style.has_inputs_table:
            raise ValueError(
                "`inputs_vocabulary_size` must be None where one table is for all "
                f"tokens. Received: {self.inputs_vocabulary_size}"
            )
        for heads in (self.num_heads, self.style.decoder_num_heads):
            check_heads(self.width, heads or self.num_heads)
        if not self.style.float16:
            refuse_float16(self)

    def make(self):
        style, policy = self.style, self.dtype_policy
        sizes = self.inputs_vocabulary_size or self.vocabulary_size, self.width
        self.embedding = token_table(*sizes, self._table_start(), policy)
        self.decoder_embedding = self.embedding
        if style.has_inputs_table:
            sizes = self.vocabulary_size, self.width
            self.decoder_embedding = token_table(
                *sizes, self._table_start(), policy, "decoder_embedding"
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
        waves, options = self.style.positions, dict(dtype=self.dtype_policy, name=name)
        if waves == "learned":
            start = self._table_start()
            layer = LearnedPositions(self.context, self.width, start, **options)
        else:
            rows = self.context + self._first_place
            layer = SinusoidalPositions(rows, self.width, waves, **options)
        layer.build()
        return layer

    @property
    def _first_place(self):
        """int: the row of the table of positions that the first token reads."""
        pad = self.style.pad_token
        return 0 if pad is None else pad + 1

    def _make_norm(self, name):
        layer = layer_norm(name)
        layer.build((None, None, self.width))
        return layer

    def embed_inputs(self, inputs, positions):
        if self.style.pad_token is not None:
            real = ops.cast(ops.not_equal(inputs, self.style.pad_token), "int32")
            positions = ops.cumsum(real, axis=1) - 1
        places = self._place_vectors(self.encoder_positions, inputs, positions)
        x = self._scaled(self.embedding(inputs)) + places
        return self.drop(self._normalized(x, self.encoder_norm))

    def embed_targets(self, tokens, positions):
        x = self._scaled(self.decoder_embedding(tokens))
        places = self._place_vectors(self.decoder_positions, tokens, positions)
        if self.style.embedding_norm == "token":
            return self.drop(self._normalized(x, self.decoder_norm) + places)
        return self.drop(self._normalized(x + places, self.decoder_norm))

    def logits(self, hidden):
        table = self.decoder_embedding
        return token_logits(hidden, table, self.head, self.logits_bias)

    def _place_vectors(self, layer, tokens, positions):
        """The vectors of places, none at what has no place."""
        places = layer(positions + self._first_place)
        if self.style.pad_token is None:
            return places
        real = ops.not_equal(tokens, self.style.pad_token)[..., None]
        return places * ops.cast(real, places.dtype)

    def _scaled(self, x):
        return x * self.width**0.5 if self.style.scale_embedding else x

    def _normalized(self, x, norm):
        return x if norm is None else ops.cast(norm(x), self.compute_dtype)
