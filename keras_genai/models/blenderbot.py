"""Blenderbot: a chatting encoder-decoder, far deeper in its decoder."""

import dataclasses
import functools

import keras
from keras import ops

from keras_genai import registry
from keras_genai.layers.attention import Attention
from keras_genai.layers.embedding import TokenEmbedding, token_logits
from keras_genai.layers.feedforward import ACTIVATIONS, FeedForward, check_activation
from keras_genai.layers.positions import LearnedPositions
from keras_genai.layers.stacks import DecoderStack, EncoderStack, memory_mask
from keras_genai.layers.transformer import Block
from keras_genai.registry import register
from keras_genai.samplers.settings import GenerationSettings
from keras_genai.tasks.seq2seq import Seq2SeqLM
from keras_genai.tasks.turns import BLENDERBOT as BLENDERBOT_TURNS


@register
@dataclasses.dataclass(frozen=True)
class BlenderbotStyle:
    """The choices in which Blenderbot checkpoints differ.

    Args:
        pre_norm: bool. `True` normalises what enters a part, and the last output of
            each side; `False`, the small variant, normalises the embeddings and each
            part's output.
        activation: `"relu"`, `"gelu"`, `"gelu_tanh"` or `"silu"`.
        scale_embedding: bool. Token vectors times `width ** 0.5`.
        tie_embeddings: bool. One token table for the encoder, the decoder and the
            output; or else one for each.
        decoder_num_heads: int or `None`, as many as the encoder's.
        decoder_hidden: int or `None`, as wide as the encoder's.
    """

    pre_norm: bool = True
    activation: str = "gelu"
    scale_embedding: bool = True
    tie_embeddings: bool = True
    decoder_num_heads: int | None = None
    decoder_hidden: int | None = None

    def __post_init__(self):
        check_activation(self.activation)

    def get_config(self):
        return dataclasses.asdict(self)


BLENDERBOT = BlenderbotStyle()
BLENDERBOT_SMALL = BlenderbotStyle(pre_norm=False)
GENERATION = GenerationSettings()


@register
class Blenderbot(Seq2SeqLM):
    """Encoder-decoder transformer of the Blenderbot recipes.

    Args:
        vocabulary_size: int.
        context: int, in tokens, of each side.
        encoder_depth: int. Number of blocks.
        decoder_depth: int.
        width: int. Length of a token's vector.
        num_heads: int.
        hidden: int or `None` (`4 * width`). Width inside the feed-forward networks.
        dropout: float. Rate after the embeddings and after every part of a block.
        style: `BlenderbotStyle`. `BLENDERBOT` or `BLENDERBOT_SMALL` are ready-made.
        generation: `GenerationSettings`.

    Call arguments and returns: see `Seq2SeqLM`.

    Raises:
        ValueError: if the dtype computes in float16, in which these weights overflow,
            if `width` is not a multiple of a number of heads, or if a sequence is
            longer than `context`.

    Reference: Roller et al. 2021, section 2, https://arxiv.org/abs/2004.13637
    """

    turns = BLENDERBOT_TURNS

    def __init__(
        self,
        vocabulary_size,
        context,
        encoder_depth,
        decoder_depth,
        width,
        num_heads,
        hidden=None,
        dropout=0.1,
        style=BLENDERBOT,
        generation=GENERATION,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self._refuse_float16()
        self.vocabulary_size = vocabulary_size
        self.context = context
        self.encoder_depth = encoder_depth
        self.decoder_depth = decoder_depth
        self.width = width
        self.num_heads = num_heads
        self.hidden = hidden or 4 * width
        self.dropout_rate = dropout
        self.style = style
        self.generation = generation
        for heads in (num_heads, style.decoder_num_heads or num_heads):
            if width % heads:
                raise ValueError(
                    "`width` must be a multiple of `num_heads`. "
                    f"Received: {width=}, num_heads={heads}"
                )
        self._make_layers()

    def _make_layers(self):
        style, policy = self.style, self.dtype_policy
        start = functools.partial(keras.initializers.RandomNormal, stddev=0.02)
        self.embedding = self._make_embedding("embedding")
        self.decoder_embedding = self.embedding
        if not style.tie_embeddings:
            self.decoder_embedding = self._make_embedding("decoder_embedding")
        self.dropout = keras.layers.Dropout(
            self.dropout_rate, dtype=policy, name="dropout"
        )
        self.encoder_positions, self.decoder_positions = (
            LearnedPositions(
                self.context,
                self.width,
                start(),
                dtype=policy,
                name=f"{side}_positions",
            )
            for side in ("encoder", "decoder")
        )
        self.encoder_positions.build()
        self.decoder_positions.build()
        self.encoder = EncoderStack(
            [
                self._make_block(index, self.num_heads, self.hidden)
                for index in range(self.encoder_depth)
            ],
            norm=_norm(name="norm") if style.pre_norm else None,
            dtype=policy,
            name="encoder",
        )
        heads = style.decoder_num_heads or self.num_heads
        hidden = style.decoder_hidden or self.hidden
        self.decoder = DecoderStack(
            [
                self._make_block(index, heads, hidden, looks_across=True)
                for index in range(self.decoder_depth)
            ],
            norm=_norm(name="norm") if style.pre_norm else None,
            dtype=policy,
            name="decoder",
        )
        built = [self.encoder, self.decoder]
        if not style.pre_norm:
            self.encoder_norm = _norm(name="encoder_norm")
            self.decoder_norm = _norm(name="decoder_norm")
            built += [self.encoder_norm, self.decoder_norm]
        self.head = None
        if not style.tie_embeddings:
            self.head = keras.layers.Dense(
                self.vocabulary_size,
                use_bias=False,
                kernel_initializer=start(),
                dtype=policy,
                name="head",
            )
            built.append(self.head)
        for layer in built:
            layer.build((None, None, self.width))
        # Part of published checkpoints, and zero in most; never trained.
        self.logits_bias = self.add_weight(
            (self.vocabulary_size,),
            initializer="zeros",
            trainable=False,
            name="logits_bias",
        )
        self.built = True

    def _make_embedding(self, name):
        layer = TokenEmbedding(
            self.vocabulary_size,
            self.width,
            embeddings_initializer=keras.initializers.RandomNormal(stddev=0.02),
            dtype=self.dtype_policy,
            name=name,
        )
        layer.build((None, None))
        return layer

    def _make_block(self, index, num_heads, hidden, looks_across=False):
        policy = self.dtype_policy
        start = functools.partial(keras.initializers.RandomNormal, stddev=0.02)

        def attention(name):
            return Attention(
                num_heads,
                self.width // num_heads,
                initializer=start(),
                output_initializer=start(),
                dtype=policy,
                name=name,
            )

        feedforward = FeedForward(
            hidden,
            ACTIVATIONS[self.style.activation],
            initializer=start(),
            output_initializer=start(),
            dtype=policy,
            name="feedforward",
        )
        return Block(
            attention("attention"),
            feedforward,
            _norm,
            cross_attention=attention("cross_attention") if looks_across else None,
            pre_norm=self.style.pre_norm,
            dropout=self.dropout_rate,
            dtype=policy,
            name=f"block_{index}",
        )

    def encode(self, inputs, inputs_mask):
        """Keys and values of every decoder block. See `Seq2SeqLM`."""
        positions = ops.arange(inputs.shape[1] or ops.shape(inputs)[1])[None]
        x = self._scaled(self.embedding(inputs)) + self.encoder_positions(positions)
        if not self.style.pre_norm:
            x = ops.cast(self.encoder_norm(x), self.compute_dtype)
        x = self.encoder(self.dropout(x), memory_mask(inputs_mask))
        return self.decoder.project_memory(x, inputs_mask)

    def read(self, targets, memory):
        """Logits after every token. See `Seq2SeqLM`."""
        positions = ops.arange(targets.shape[1] or ops.shape(targets)[1])[None]
        return self._logits(self.decoder(self._targets(targets, positions), memory))

    def empty_cache(self, batch_size, length):
        """Empty cache of `length` slots. See `Seq2SeqLM`."""
        return self.decoder.empty_cache(batch_size, length)

    def decode(self, tokens, positions, cache, index):
        """Logits of the next token, and the cache after `tokens`. See `Seq2SeqLM`."""
        x = self._targets(tokens, positions)
        x, cache = self.decoder.step(x, positions, cache, index)
        return self._logits(x)[:, 0], cache

    def _targets(self, tokens, positions):
        x = self._scaled(self.decoder_embedding(tokens))
        if not self.style.pre_norm:  # here the positions are not normalised with it
            x = ops.cast(self.decoder_norm(x), self.compute_dtype)
        return self.dropout(x + self.decoder_positions(positions))

    def _scaled(self, x):
        return x * self.width**0.5 if self.style.scale_embedding else x

    def _logits(self, x):
        logits = token_logits(x, self.embedding, self.head)
        return logits + ops.cast(self.logits_bias, "float32")

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "context": self.context,
            "encoder_depth": self.encoder_depth,
            "decoder_depth": self.decoder_depth,
            "width": self.width,
            "num_heads": self.num_heads,
            "hidden": self.hidden,
            "dropout": self.dropout_rate,
            "style": registry.to_plain(self.style),
            "generation": registry.to_plain(self.generation),
        }


def _norm(name):
    return keras.layers.LayerNormalization(epsilon=1e-5, dtype="float32", name=name)
