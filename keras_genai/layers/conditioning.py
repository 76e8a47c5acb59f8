"""What a network is told beside its input: noise level, class, text."""

import keras
import numpy as np
from keras import ops

from keras_genai.layers.attention import Attention
from keras_genai.layers.embedding import TokenEmbedding
from keras_genai.layers.feedforward import FeedForward
from keras_genai.layers.positions import LearnedPositions
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
        width: int, a multiple of 4.

    Returns:
        float32 array `(1, rows * columns, width)`, row by row.
    """
    down, right = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    parts = [waves(place.ravel(), width // 2) for place in (down, right)]
    return np.concatenate([ops.convert_to_numpy(p) for p in parts], axis=-1)[None]


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
class TextEmbedding(keras.layers.Layer):
    """A short text as a vector: a small transformer and the mean over its tokens.

    A text of padding only is "any text".

    Args:
        vocabulary_size: int.
        context: int, in tokens.
        units: int. Length of the vector.
        width: int. Width of the transformer.
        depth: int. Number of blocks.
        num_heads: int.

    Call arguments:
        tokens: int `(B, context)`; 0 is padding.

    Returns:
        float `(B, units)`.
    """

    def __init__(
        self, vocabulary_size, context, units, width=64, depth=2, num_heads=2, **kwargs
    ):
        super().__init__(**kwargs)
        self.vocabulary_size = vocabulary_size
        self.context = context
        self.units = units
        self.width = width
        self.depth = depth
        self.num_heads = num_heads
        policy = self.dtype_policy
        self.embedding = TokenEmbedding(
            vocabulary_size, width, dtype=policy, name="embedding"
        )
        self.positions = LearnedPositions(
            context, width, dtype=policy, name="positions"
        )
        self.blocks = [self._block(index) for index in range(depth)]
        self.project = keras.layers.Dense(units, dtype=policy, name="project")

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
            lambda name: keras.layers.LayerNormalization(dtype="float32", name=name),
            dtype=policy,
            name=f"block_{index}",
        )

    def build(self, tokens_shape=None):
        self.embedding.build((None, self.context))
        self.positions.build()
        for block in self.blocks:
            block.build((None, self.context, self.width))
        self.project.build((None, self.width))

    def call(self, tokens):
        real = ops.not_equal(tokens, PADDING)  # (B, T)
        x = self.embedding(tokens) + self.positions(ops.arange(self.context))
        for block in self.blocks:
            x, _ = block(x, attention_mask=real[:, None, None, :])
        weight = ops.cast(real, x.dtype)[..., None]
        mean = ops.sum(x * weight, axis=1) / ops.maximum(ops.sum(weight, axis=1), 1)
        return self.project(mean)

    def get_config(self):
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "context": self.context,
            "units": self.units,
            "width": self.width,
            "depth": self.depth,
            "num_heads": self.num_heads,
        }


@register
class Conditioning(keras.layers.Layer):
    """Noise level and label as one vector: the sum of their embeddings.

    Args:
        width: even int. Waves of the noise level.
        units: int. Length of the vector.
        num_classes: int or `None`. If given, labels are classes.
        vocabulary_size: int or `None`. If given, labels are texts.
        text_length: int, in tokens.

    Call arguments:
        noise_level: float `(B,)` in [0, 1], the time.
        labels: int `(B,)` of classes, int `(B, text_length)` of tokens, or `None`.

    Returns:
        float `(B, units)`.
    """

    def __init__(
        self,
        width,
        units,
        num_classes=None,
        vocabulary_size=None,
        text_length=16,
        **kwargs,
    ):
        super().__init__(autocast=False, **kwargs)
        self.width = width
        self.units = units
        self.num_classes = num_classes
        self.vocabulary_size = vocabulary_size
        self.text_length = text_length
        policy = self.dtype_policy
        self.noise = NoiseEmbedding(width, units, dtype=policy, name="noise")
        self.label = None
        if num_classes:
            self.label = ClassEmbedding(num_classes, units, dtype=policy, name="label")
        elif vocabulary_size:
            self.label = TextEmbedding(
                vocabulary_size, text_length, units, dtype=policy, name="label"
            )

    def build(self, noise_level_shape=None, labels_shape=None):
        self.noise.build()
        if self.label is not None:
            self.label.build()

    def call(self, noise_level, labels=None):
        vector = self.noise(noise_level)
        return vector if self.label is None else vector + self.label(labels)

    def get_config(self):
        return {
            **super().get_config(),
            "width": self.width,
            "units": self.units,
            "num_classes": self.num_classes,
            "vocabulary_size": self.vocabulary_size,
            "text_length": self.text_length,
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
