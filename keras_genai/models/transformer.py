"""Transformer: the encoder-decoder of "Attention is all you need"."""

import keras
from keras import ops

from keras_genai import registry
from keras_genai.layers.attention import Attention
from keras_genai.layers.embedding import TokenEmbedding, token_logits
from keras_genai.layers.feedforward import FeedForward
from keras_genai.layers.positions import LearnedPositions
from keras_genai.layers.stacks import DecoderStack, EncoderStack, memory_mask
from keras_genai.layers.transformer import Block
from keras_genai.registry import register
from keras_genai.samplers.settings import GenerationSettings
from keras_genai.tasks.seq2seq import Seq2SeqLM

GENERATION = GenerationSettings(max_length=100)


@register
class Transformer(Seq2SeqLM):
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
        ValueError: if `width` is not a multiple of `num_heads`, or if a sequence is
            longer than `context`.

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
        if width % num_heads:
            raise ValueError(
                "`width` must be a multiple of `num_heads`. "
                f"Received: {width=}, {num_heads=}"
            )
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
        self.embedding = TokenEmbedding(
            self.vocabulary_size,
            self.width,
            embeddings_initializer=self._table_start(),
            dtype=policy,
            name="embedding",
        )
        self.embedding.build((None, None))
        self.dropout = keras.layers.Dropout(
            self.dropout_rate, dtype=policy, name="dropout"
        )
        self.encoder_positions, self.decoder_positions = (
            LearnedPositions(
                self.context,
                self.width,
                self._table_start(),
                dtype=policy,
                name=f"{side}_positions",
            )
            for side in ("encoder", "decoder")
        )
        self.encoder = EncoderStack(
            [self._make_block(index) for index in range(self.encoder_depth)],
            dtype=policy,
            name="encoder",
        )
        self.decoder = DecoderStack(
            [
                self._make_block(index, looks_across=True)
                for index in range(self.decoder_depth)
            ],
            dtype=policy,
            name="decoder",
        )
        for positions in (self.encoder_positions, self.decoder_positions):
            positions.build()
        for stack in (self.encoder, self.decoder):
            stack.build((None, None, self.width))
        self.head = None
        if not self.tie_embeddings:
            self.head = keras.layers.Dense(
                self.vocabulary_size, dtype=policy, name="head"
            )
            self.head.build((None, None, self.width))

    def _table_start(self):
        return keras.initializers.RandomNormal(stddev=self.width**-0.5)

    def _make_block(self, index, looks_across=False):
        policy = self.dtype_policy

        def attention(name):
            return Attention(
                self.num_heads, self.width // self.num_heads, dtype=policy, name=name
            )

        return Block(
            attention("attention"),
            FeedForward(self.hidden, "relu", dtype=policy, name="feedforward"),
            _norm,
            cross_attention=attention("cross_attention") if looks_across else None,
            pre_norm=False,
            dropout=self.dropout_rate,
            dtype=policy,
            name=f"block_{index}",
        )

    def encode(self, inputs, inputs_mask):
        """Keys and values of every decoder block. See `Seq2SeqLM`."""
        places = ops.arange(inputs.shape[1] or ops.shape(inputs)[1])[None]
        x = self._embedded(inputs, self.encoder_positions(places))
        x = self.encoder(x, memory_mask(inputs_mask))
        return self.decoder.project_memory(x, inputs_mask)

    def read(self, targets, memory):
        """Logits after every token. See `Seq2SeqLM`."""
        places = ops.arange(targets.shape[1] or ops.shape(targets)[1])[None]
        x = self._embedded(targets, self.decoder_positions(places))
        return self._logits(self.decoder(x, memory))

    def empty_cache(self, batch_size, length):
        """Empty cache of `length` slots. See `Seq2SeqLM`."""
        return self.decoder.empty_cache(batch_size, length)

    def decode(self, tokens, positions, cache, index):
        """Logits of the next token, and the cache after `tokens`. See `Seq2SeqLM`."""
        x = self._embedded(tokens, self.decoder_positions(positions))
        x, cache = self.decoder.step(x, positions, cache, index)
        return self._logits(x)[:, 0], cache

    def _embedded(self, tokens, positions):
        # The table starts small for the output's sake; here it stands beside positions.
        return self.dropout(self.embedding(tokens) * self.width**0.5 + positions)

    def _logits(self, x):
        return token_logits(x, self.embedding, self.head)

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


def _norm(name):
    return keras.layers.LayerNormalization(epsilon=1e-5, dtype="float32", name=name)
