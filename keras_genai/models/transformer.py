"""Transformer: the encoder-decoder of "Attention is all you need"."""

import functools

import keras

from keras_genai import registry
from keras_genai.checks import (
    check_flags,
    check_heads,
    check_instance,
    check_rates,
    check_sizes,
)
from keras_genai.layers.embedding import token_logits, token_table
from keras_genai.layers.positions import LearnedPositions
from keras_genai.layers.stacks import DecoderStack, EncoderStack, make_stack
from keras_genai.registry import register
from keras_genai.samplers.settings import GenerationSettings
from keras_genai.tasks.encoder_decoder import EncoderDecoderLM

GENERATION = GenerationSettings(max_length=100)


@register
class Transformer(EncoderDecoderLM):
    """Encoder-decoder transformer, normalised after every part; positions are learned.

    Token vectors are multiplied by `width ** 0.5`; both sides share one table. All
    matrices start as Glorot and Bengio's.

    Args:
        vocabulary_size: int, of both sides.
        context: int, in tokens, of each side.
        encoder_depth: int. Number of blocks.
        decoder_depth: int.
        width: int. Length of a token's vector.
        num_heads: int.
        hidden: int. Width inside the feed-forward networks.
        dropout: float. Rate after the embeddings and after every part of a block.
        tie_embeddings: bool. The output matrix is the table of token vectors.
        generation: `GenerationSettings`.

    Call arguments and returns: see `Seq2SeqLM`.

    Raises:
        TypeError: if an argument is of a wrong type.
        ValueError: if it is out of its range, if `width` is not a multiple of
            `num_heads`, or if a sequence is longer than `context`.

    Reference: Vaswani et al. 2017, section 3, https://arxiv.org/abs/1706.03762
    """

    def __init__(
        self,
        vocabulary_size,
        context=100,
        encoder_depth=3,
        decoder_depth=3,
        width=256,
        num_heads=8,
        hidden=512,
        dropout=0.1,
        tie_embeddings=True,
        generation=GENERATION,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_sizes(
            vocabulary_size=vocabulary_size,
            context=context,
            encoder_depth=encoder_depth,
            decoder_depth=decoder_depth,
            hidden=hidden,
        )
        check_heads(width, num_heads)
        check_rates(dropout=dropout)
        check_flags(tie_embeddings=tie_embeddings)
        check_instance("generation", generation, GenerationSettings)
        self.vocabulary_size = vocabulary_size
        self.context = context
        self.encoder_depth = encoder_depth
        self.decoder_depth = decoder_depth
        self.width = width
        self.num_heads = num_heads
        self.hidden = hidden
        self.dropout_rate = dropout
        self.tie_embeddings = tie_embeddings
        self.generation = generation
        self._make_layers()
        self.built = True

    def _make_layers(self):
        policy = self.dtype_policy
        self.embedding = token_table(
            self.vocabulary_size, self.width, self._table_start(), policy
        )
        self.dropout = keras.layers.Dropout(
            self.dropout_rate, dtype=policy, name="dropout"
        )
        self.encoder_positions, self.decoder_positions = (
            LearnedPositions(
                self.context, self.width, self._table_start(), dtype=policy, name=name
            )
            for name in ("encoder_positions", "decoder_positions")
        )
        stack = functools.partial(
            make_stack,
            width=self.width,
            num_heads=self.num_heads,
            hidden=self.hidden,
            activation="relu",
            initializer=keras.initializers.GlorotUniform,
            dropout=self.dropout_rate,
            dtype=policy,
        )
        self.encoder = stack(EncoderStack, self.encoder_depth, name="encoder")
        self.decoder = stack(DecoderStack, self.decoder_depth, name="decoder")
        for positions in (self.encoder_positions, self.decoder_positions):
            positions.build()
        for layer in (self.encoder, self.decoder):
            layer.build((None, None, self.width))
        self.head = None
        if not self.tie_embeddings:
            self.head = keras.layers.Dense(
                self.vocabulary_size, dtype=policy, name="head"
            )
            self.head.build((None, None, self.width))

    def _table_start(self):
        return keras.initializers.RandomNormal(stddev=self.width**-0.5)

    def embed_inputs(self, tokens, positions):
        """Sum of a token and its place. See `EncoderDecoderLM`."""
        return self._embedded(tokens, self.encoder_positions(positions))

    def embed_targets(self, tokens, positions):
        """Sum of a token and its place. See `EncoderDecoderLM`."""
        return self._embedded(tokens, self.decoder_positions(positions))

    def logits(self, x):
        """float32 logits of the decoder's output. See `EncoderDecoderLM`."""
        return token_logits(x, self.embedding, self.head)

    def _embedded(self, tokens, positions):
        # The table starts small for the output's sake; here it stands beside positions.
        return self.dropout(self.embedding(tokens) * self.width**0.5 + positions)

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
            "tie_embeddings": self.tie_embeddings,
            "generation": registry.to_plain(self.generation),
        }
