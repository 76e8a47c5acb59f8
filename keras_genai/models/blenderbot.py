"""Blenderbot: a chatting encoder-decoder, far deeper in its decoder."""

import dataclasses
import functools

import keras
from keras import ops

from keras_genai import registry
from keras_genai.checks import (
    check_flags,
    check_given_sizes,
    check_heads,
    check_instance,
    check_rates,
    check_sizes,
)
from keras_genai.layers.embedding import token_head, token_logits, token_table
from keras_genai.layers.feedforward import ACTIVATIONS, check_activation
from keras_genai.layers.positions import LearnedPositions
from keras_genai.layers.stacks import DecoderStack, EncoderStack, layer_norm, make_stack
from keras_genai.registry import register
from keras_genai.samplers.settings import GenerationSettings
from keras_genai.tasks.encoder_decoder import EncoderDecoderLM
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
        check_flags(
            pre_norm=self.pre_norm,
            scale_embedding=self.scale_embedding,
            tie_embeddings=self.tie_embeddings,
        )
        check_given_sizes(
            decoder_num_heads=self.decoder_num_heads,
            decoder_hidden=self.decoder_hidden,
        )

    def get_config(self):
        return dataclasses.asdict(self)


BLENDERBOT = BlenderbotStyle()
BLENDERBOT_SMALL = BlenderbotStyle(pre_norm=False)
GENERATION = GenerationSettings()


@register
class Blenderbot(EncoderDecoderLM):
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
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range, if the dtype computes in float16, in
            which these weights overflow, if `width` is not a multiple of a number of
            heads, or if a sequence is longer than `context`.

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
        check_sizes(
            vocabulary_size=vocabulary_size,
            context=context,
            encoder_depth=encoder_depth,
            decoder_depth=decoder_depth,
        )
        check_heads(width, num_heads)
        check_given_sizes(hidden=hidden)
        check_rates(dropout=dropout)
        check_instance("style", style, BlenderbotStyle)
        check_instance("generation", generation, GenerationSettings)
        self._refuse_float16()
        self.vocabulary_size = vocabulary_size
        self.context = context
        self.encoder_depth = encoder_depth
        self.decoder_depth = decoder_depth
        self.width = width
        self.num_heads = num_heads
        self.hidden = 4 * width if hidden is None else hidden
        self.dropout_rate = dropout
        self.style = style
        self.generation = generation
        self._make_layers()

    def _make_layers(self):
        style, policy = self.style, self.dtype_policy
        start = functools.partial(keras.initializers.RandomNormal, stddev=0.02)
        table = functools.partial(token_table, self.vocabulary_size, self.width)
        self.embedding = table(start(), policy)
        self.decoder_embedding = self.embedding
        if not style.tie_embeddings:
            self.decoder_embedding = table(start(), policy, "decoder_embedding")
        self.dropout = keras.layers.Dropout(
            self.dropout_rate, dtype=policy, name="dropout"
        )
        self.encoder_positions, self.decoder_positions = (
            LearnedPositions(self.context, self.width, start(), dtype=policy, name=name)
            for name in ("encoder_positions", "decoder_positions")
        )
        for positions in (self.encoder_positions, self.decoder_positions):
            positions.build()
        stack = functools.partial(
            make_stack,
            width=self.width,
            activation=ACTIVATIONS[style.activation],
            initializer=start,
            pre_norm=style.pre_norm,
            dropout=self.dropout_rate,
            dtype=policy,
        )
        self.encoder = stack(
            EncoderStack,
            self.encoder_depth,
            num_heads=self.num_heads,
            hidden=self.hidden,
            name="encoder",
        )
        self.decoder = stack(
            DecoderStack,
            self.decoder_depth,
            num_heads=style.decoder_num_heads or self.num_heads,
            hidden=style.decoder_hidden or self.hidden,
            name="decoder",
        )
        built = [self.encoder, self.decoder]
        if not style.pre_norm:
            self.encoder_norm = layer_norm("encoder_norm")
            self.decoder_norm = layer_norm("decoder_norm")
            built += [self.encoder_norm, self.decoder_norm]
        for layer in built:
            layer.build((None, None, self.width))
        self.head = None
        if not style.tie_embeddings:
            self.head = token_head(self.vocabulary_size, self.width, start(), policy)
        # Part of published checkpoints, and zero in most; never trained.
        self.logits_bias = self.add_weight(
            (self.vocabulary_size,),
            initializer="zeros",
            trainable=False,
            name="logits_bias",
        )
        self.built = True

    def embed_inputs(self, tokens, positions):
        """Sum of a token and its place. See `EncoderDecoderLM`."""
        x = self._scaled(self.embedding(tokens)) + self.encoder_positions(positions)
        if not self.style.pre_norm:
            x = ops.cast(self.encoder_norm(x), self.compute_dtype)
        return self.dropout(x)

    def embed_targets(self, tokens, positions):
        """Sum of a token and its place. See `EncoderDecoderLM`."""
        x = self._scaled(self.decoder_embedding(tokens))
        if not self.style.pre_norm:  # here the positions are not normalised with it
            x = ops.cast(self.decoder_norm(x), self.compute_dtype)
        return self.dropout(x + self.decoder_positions(positions))

    def logits(self, x):
        """float32 logits of the decoder's output. See `EncoderDecoderLM`."""
        return token_logits(x, self.embedding, self.head, self.logits_bias)

    def _scaled(self, x):
        return x * self.width**0.5 if self.style.scale_embedding else x

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
