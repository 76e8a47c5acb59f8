"""What a network is told beside its input: noise level, class, text."""

import keras
import numpy as np
from keras import ops

from keras_genai.layers.attention import Attention
from keras_genai.layers.embedding import TokenEmbedding
from keras_genai.layers.feedforward import FeedForward
from keras_genai.layers.transformer import Block
from keras_genai.registry import register

LONGEST = 10_000.0  # longest wave, in steps of a thousandth of the time
PADDING = 0  # token


def waves(values, width, longest=LONGEST):
    """Sines and cosines of numbers, at `width / 2` wavelengths each.

    Args:
        values: float tensor or array of any shape.
        width: even int.
        longest: float. The longest wavelength is `2 pi longest`, the shortest `2 pi`.

    Returns:
        float32 `(..., width)`, sines first.

    Reference: Vaswani et al. 2017, section 3.5, https://arxiv.org/abs/1706.03762
    """
    half = width // 2
    frequencies = np.exp(-np.log(longest) * np.arange(half) / half).astype("float32")
    angles = ops.cast(values, "float32")[..., None] * frequencies
    return ops.concatenate([ops.sin(angles), ops.cos(angles)], axis=-1)


def grid_waves(rows, columns, width):
    """Fixed positions of a grid: half of the vector tells the row, half the column.

    Args:
        rows, columns: int.
        width: int. What it has beyond a multiple of 4 stays 0.

    Returns:
        float32 `(1, rows * columns, width)`, row by row.
    """
    down, right = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    parts = [waves(place.ravel(), 2 * (width // 4)) for place in (down, right)]
    return ops.pad(ops.concatenate(parts, axis=-1), ((0, 0), (0, width % 4)))[None]


@register
class NoiseEmbedding(keras.layers.Layer):
    """A noise level as a vector: waves, then two matrices.

    Args:
        width: even int. Number of waves.
        units: int. Length of the vector.

    Call arguments:
        noise_level: float `(B,)` in [0, 1], the time.

    Returns:
        float `(B, units)`.

    Reference: Ho et al. 2020, appendix B, https://arxiv.org/abs/2006.11239
    """

    def __init__(self, width, units, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.width = width
        self.units = units
        self.expand = keras.layers.Dense(
            units, activation="silu", dtype=self.dtype_policy, name="expand"
        )
        self.contract = keras.layers.Dense(
            units, dtype=self.dtype_policy, name="contract"
        )

    def build(self, noise_level_shape=None):
        self.expand.build((None, self.width))
        self.contract.build((None, self.units))

    def call(self, noise_level):
        # A thousandth is the finest difference that a thousand steps make.
        return self.contract(self.expand(waves(1000 * noise_level, self.width)))

    def get_config(self):
        return {**super().get_config(), "width": self.width, "units": self.units}


@register
class ClassEmbedding(keras.layers.Layer):
    """A class as a vector; one more, the last, stands for "any class".

    Args:
        num_classes: int.
        units: int. Length of the vector.

    Call arguments:
        labels: int `(B,)`, each at most `num_classes`, which is the null class.

    Returns:
        float `(B, units)`.
    """

    def __init__(self, num_classes, units, **kwargs):
        super().__init__(**kwargs)
        self.num_classes = num_classes
        self.units = units
        self.table = TokenEmbedding(
            num_classes + 1,
            units,
            embeddings_initializer=keras.initializers.RandomNormal(stddev=0.5),
            dtype=self.dtype_policy,
            name="table",
        )

    def build(self, labels_shape=None):
        self.table.build((None,))

    def call(self, labels):
        return self.table(labels)

    def get_config(self):
        return {
            **super().get_config(),
            "num_classes": self.num_classes,
            "units": self.units,
        }


@register
class TextEncoder(keras.layers.Layer):
    """A short text as states: a small transformer that looks both ways.

    One state more, the first, is of no token. It says something of a text that is all
    padding, which is "any text", and sees all of any other.

    Args:
        vocabulary_size: int.
        width: int, even and a multiple of `num_heads`.
        depth: int. Number of blocks.
        num_heads: int.

    Call arguments:
        tokens: int `(B, L)`; 0 is padding.

    Returns:
        float `(B, 1 + L, width)`; `real_states` says which of them mean something.
    """

    def __init__(self, vocabulary_size, width=64, depth=2, num_heads=4, **kwargs):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.width = width
        self.depth = depth
        self.num_heads = num_heads
        policy = self.dtype_policy
        self.embedding = TokenEmbedding(
            vocabulary_size,
            width,
            # As loud as the waves that tell the places.
            embeddings_initializer=keras.initializers.RandomNormal(stddev=0.7),
            dtype=policy,
            name="embedding",
        )
        self.blocks = [self._block(index) for index in range(depth)]
        self.norm = _norm("norm")

    def _block(self, index):
        policy = self.dtype_policy
        return Block(
            Attention(
                self.num_heads,
                self.width // self.num_heads,
                dtype=policy,
                name="attention",
            ),
            FeedForward(4 * self.width, "gelu", dtype=policy, name="feedforward"),
            _norm,
            dtype=policy,
            name=f"block_{index}",
        )

    def build(self, tokens_shape=None):
        self.embedding.build((None, None))
        self.start = self.add_weight(
            (self.width,),
            initializer=keras.initializers.RandomNormal(stddev=0.7),
            name="start",
        )
        for layer in (*self.blocks, self.norm):
            layer.build((None, None, self.width))

    def call(self, tokens):
        places = waves(ops.arange(tokens.shape[1]), self.width)
        x = self.embedding(tokens) + ops.cast(places, self.compute_dtype)
        start = ops.cast(self.start, x.dtype) + ops.zeros_like(x[:, :1])
        x = ops.concatenate([start, x], axis=1)
        seen = real_states(tokens)[:, None, None, :]
        for block in self.blocks:
            x, _ = block(x, attention_mask=seen)
        return ops.cast(self.norm(x), self.compute_dtype)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "width": self.width,
            "depth": self.depth,
            "num_heads": self.num_heads,
        }


def _norm(name):
    return keras.layers.LayerNormalization(dtype="float32", name=name)


def real_states(tokens):
    """bool `(B, 1 + L)`: which states of a `TextEncoder` are not of padding.

    Args:
        tokens: int `(B, L)`.
    """
    real = ops.not_equal(tokens, PADDING)
    return ops.concatenate([ops.ones_like(real[:, :1]), real], axis=1)


@register
class Conditioning(keras.layers.Layer):
    """All that a network is told of a whole picture, as one vector.

    Args:
        width: even int. Waves of the noise level.
        units: int. Length of the vector.
        num_classes: int or `None`. If given, it is told classes.
        text_width: int or `None`. If given, it is told texts.

    Call arguments:
        noise_level: float `(B,)` in [0, 1], the time.
        labels: int `(B,)`, or `None` without classes.
        text: float `(B, text_width)`, the first state of a `TextEncoder`, or `None`
            without texts.

    Returns:
        float `(B, units)`, the sum of their vectors.
    """

    def __init__(self, width, units, num_classes=None, text_width=None, **kwargs):
        super().__init__(autocast=False, **kwargs)
        self.width = width
        self.units = units
        self.num_classes = num_classes
        self.text_width = text_width
        policy = self.dtype_policy
        self.noise = NoiseEmbedding(width, units, dtype=policy, name="noise")
        self.label = self.text = None
        if num_classes:
            self.label = ClassEmbedding(num_classes, units, dtype=policy, name="label")
        if text_width:
            self.text = keras.layers.Dense(units, dtype=policy, name="text")

    def build(self, noise_level_shape=None, labels_shape=None, text_shape=None):
        self.noise.build()
        if self.label is not None:
            self.label.build()
        if self.text is not None:
            self.text.build((None, self.text_width))

    def call(self, noise_level, labels=None, text=None):
        vector = self.noise(noise_level)
        if self.label is not None:
            vector = vector + self.label(labels)
        return vector if self.text is None else vector + self.text(text)

    def get_config(self):
        return {
            **super().get_config(),
            "width": self.width,
            "units": self.units,
            "num_classes": self.num_classes,
            "text_width": self.text_width,
        }


@register
class Modulation(keras.layers.Layer):
    """Scales, shifts and gates that a vector decides, all 0 in the beginning.

    Args:
        parts: int. How many of them.
        units: int. Channels of each.

    Call arguments:
        embedding: float `(B, E)`.

    Returns:
        list of `parts` float `(B, units)`.

    Reference: Perez et al. 2018 (FiLM), https://arxiv.org/abs/1709.07871; Peebles & Xie
        2023, section 3.2 (adaLN-Zero), https://arxiv.org/abs/2212.09748
    """

    def __init__(self, parts, units, **kwargs):
        super().__init__(**kwargs)
        self.parts = parts
        self.units = units
        self.project = keras.layers.Dense(
            parts * units,
            kernel_initializer="zeros",
            dtype=self.dtype_policy,
            name="project",
        )

    def build(self, embedding_shape):
        self.project.build(embedding_shape)

    def call(self, embedding):
        return ops.split(self.project(ops.silu(embedding)), self.parts, axis=-1)

    def get_config(self):
        return {**super().get_config(), "parts": self.parts, "units": self.units}
