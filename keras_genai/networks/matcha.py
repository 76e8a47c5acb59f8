"""Matcha: a network that says of a text how it sounds, and makes sound of noise."""

from typing import Any, NamedTuple

import keras
from keras import ops

from keras_genai.declared import LATER, Rate, Size
from keras_genai.layers.conditioning import ClassEmbedding, Modulation, NoiseEmbedding
from keras_genai.layers.convolution_block import ConvolutionBlock
from keras_genai.layers.denoising import bare_norm, modulated
from keras_genai.layers.embedding import TokenEmbedding
from keras_genai.layers.positions import rotary_angles
from keras_genai.layers.transformer import make_block
from keras_genai.networks.base import Network
from keras_genai.registry import register

DILATIONS = (1, 2, 4)
PADDING = 0  # token


class Symbols(NamedTuple):
    """What a text says, symbol by symbol.

    Between all tokens, before the first and behind the last one, is a symbol more,
    which may be silence or the way from one sound to the next.

    Attributes:
        means: float32 `(B, S, bands)`: how each symbol sounds, S being 2 T + 1.
        log_durations: float32 `(B, S)`: the logarithm of its frames.
        lengths: int32 `(B,)`: symbols of each text.
    """

    means: Any
    log_durations: Any
    lengths: Any


@register
class Matcha(Network):
    """Two networks: one reads a text, the other turns noise into its spectrogram.

    The reader is convolutions and a transformer that looks both ways, and says of each
    symbol how it sounds and for how long. The other one is told that for every frame,
    sees noise, and says where to it has to move. It is made of convolutions of growing
    distance, each steered by the time and by who speaks.

    Args:
        vocabulary_size: int. Token 0 is padding.
        bands: int. Of the spectrograms.
        num_speakers: int or `None`. If given, it is told who speaks.
        depth: int. Blocks of the reader.
        width: int, an even multiple of `num_heads`. Of the reader.
        num_heads: int.
        decoder_depth: int. Blocks of the other network.
        decoder_width: int.
        dropout: float. Of the reader.

    Call arguments:
        noisy: float32 `(B, F, bands)`.
        time: float32 `(B,)` in [0, 1]; at 0 all is noise.
        means: float32 `(B, F, bands)`, of the symbol of each frame.
        real: float32 `(B, F, 1)`, 0 behind the end.
        speakers: int `(B,)`, or `None` without.

    Returns:
        float32 `(B, F, bands)`: the velocity, noise to sound. In the beginning, zeros.

    Raises:
        ValueError: if `width` is no even multiple of `num_heads`.

    Reference: Mehta et al. 2024, section 2, https://arxiv.org/abs/2309.03199
    """

    casts_inputs = False  # bfloat16 cannot tell neighbouring times
    jit_generate = False  # XLA's convolutions are slow on CPUs

    vocabulary_size: Size = LATER
    bands: Size = LATER
    num_speakers: Size | None = None
    depth: Size = 3
    width: Size = 128
    num_heads: Size = 2
    decoder_depth: Size = 6
    decoder_width: Size = 128
    dropout: Rate = 0.1

    def check(self):
        if self.width % (2 * self.num_heads):
            raise ValueError(
                "`width` must be an even multiple of `num_heads`. "
                f"Received: width={self.width}, num_heads={self.num_heads}"
            )

    def make(self):
        self._make_reader()
        self._make_decoder()

    def _make_reader(self):
        policy, wide = self.dtype_policy, (None, None, self.width)
        self.embedding = TokenEmbedding(
            self.vocabulary_size + 1,  # the last one stands between the others
            self.width,
            embeddings_initializer=keras.initializers.RandomNormal(stddev=0.5),
            dtype=policy,
            name="embedding",
        )
        self.embedding.build((None, None))
        self.prenet = [
            ConvolutionBlock(1, dtype=policy, name=f"prenet_{index}")
            for index in range(2)
        ]
        for layer in self.prenet:
            layer.build(wide)
        self.blocks = [self._block(index) for index in range(self.depth)]
        self.norm = keras.layers.LayerNormalization(dtype="float32", name="norm")
        self.mean = keras.layers.Dense(self.bands, dtype="float32", name="mean")
        self.duration = keras.layers.Dense(1, dtype="float32", name="duration")
        self.clock = ConvolutionBlock(1, dtype=policy, name="clock")
        for layer in (*self.blocks, self.norm, self.mean, self.duration, self.clock):
            layer.build(wide)
        self.reader_voice = self._voice("reader_voice", self.width)

    def _make_decoder(self):
        policy, wide = self.dtype_policy, (None, None, self.decoder_width)
        units = self.decoder_width
        self.time = NoiseEmbedding(units, units, dtype=policy, name="time")
        self.time.build()
        self.voice = self._voice("voice", units)
        self.first = keras.layers.Dense(units, dtype=policy, name="first")
        self.first.build((None, None, 2 * self.bands))
        self.steps = [
            ConvolutionBlock(
                DILATIONS[index % len(DILATIONS)],
                steered=True,
                dtype=policy,
                name=f"step_{index}",
            )
            for index in range(self.decoder_depth)
        ]
        for layer in self.steps:
            layer.build(wide)
        self.last_norm = bare_norm("last_norm")
        self.last_norm.build(wide)
        self.modulation = Modulation(2, units, dtype=policy, name="modulation")
        self.modulation.build((None, units))
        self.last = keras.layers.Dense(
            self.bands, kernel_initializer="zeros", dtype="float32", name="last"
        )
        self.last.build(wide)

    def _block(self, index):
        return make_block(
            self.width,
            self.num_heads,
            4 * self.width,
            "gelu",
            lambda name: keras.layers.LayerNormalization(dtype="float32", name=name),
            keras.initializers.GlorotUniform,
            dropout=self.dropout,
            dtype=self.dtype_policy,
            name=f"block_{index}",
        )

    def _voice(self, name, units):
        if self.num_speakers is None:
            return None
        layer = ClassEmbedding(
            self.num_speakers, units, dtype=self.dtype_policy, name=name
        )
        layer.build()
        return layer

    def read(self, tokens, speakers=None, training=False):
        """What texts say.

        Args:
            tokens: int `(B, T)`, 0 where nothing is.
            speakers: int `(B,)`, or `None` without.
            training: bool. Dropout is on if `True`.

        Returns:
            `Symbols`. What is behind a text means nothing.
        """
        symbols, lengths = self._apart(tokens)
        places = ops.arange(symbols.shape[1] or ops.shape(symbols)[1])
        within = places[None] < lengths[:, None]
        real = ops.cast(within, self.compute_dtype)[..., None]
        x = self.embedding(symbols)
        if self.reader_voice is not None:
            x = x + self.reader_voice(speakers)[:, None]
        for layer in self.prenet:
            x = layer(x, real)
        rotation = rotary_angles(places, self.width // self.num_heads)
        seen = within[:, None, None, :]
        for block in self.blocks:
            x, _ = block(x, attention_mask=seen, rotation=rotation, training=training)
        x = self.norm(x)
        # How long a symbol is shall not change what is said of how it sounds.
        timed = self.clock(ops.cast(ops.stop_gradient(x), self.compute_dtype), real)
        log_durations = self.duration(ops.cast(timed, "float32"))[..., 0]
        return Symbols(self.mean(x), log_durations, lengths)

    def _apart(self, tokens):
        """Tokens with the symbol between them, `(B, 2 T + 1)`, and their counts."""
        count = ops.sum(ops.cast(tokens != PADDING, "int32"), axis=1)
        between = ops.full_like(tokens, self.vocabulary_size)
        pairs = ops.stack([between, tokens], axis=2)
        length = tokens.shape[1] or ops.shape(tokens)[1]
        pairs = ops.reshape(pairs, (-1, 2 * length))
        return ops.concatenate([pairs, between[:, :1]], axis=1), 2 * count + 1

    def call(self, noisy, time, means, real, speakers=None, training=False):
        told = self.time(time)
        if self.voice is not None:
            told = told + self.voice(speakers)
        x = ops.concatenate([noisy, means], axis=-1)
        x = self.first(ops.cast(x, self.compute_dtype))
        real = ops.cast(real, x.dtype)
        for layer in self.steps:
            x = layer(x, real, told)
        x = modulated(self.last_norm(x), *self.modulation(told))
        return self.last(ops.cast(x, "float32"))
