"""PointDenoiser: a set transformer that removes noise from points."""

import keras
from keras import ops

from keras_genai.checks import check_heads
from keras_genai.declared import Rate, Size
from keras_genai.layers.conditioning import Modulation
from keras_genai.layers.denoising import bare_norm, modulated
from keras_genai.layers.point_sets import InducedBlock, coordinate_waves
from keras_genai.networks.denoising import DenoisingNetwork
from keras_genai.registry import register


@register
class PointDenoiser(DenoisingNetwork):
    """A transformer over a set of points, which see each other through a few tokens.

    What comes in another order goes out in that order, and otherwise the same: there is
    no layer that knows a point's place in the array.

    Args:
        sample_shape: `(N, 1, C)`: N points of C coordinates. A picture would be the set
            of its pixels, without their places.
        num_classes, vocabulary_size, condition_shape: see `DenoisingNetwork`.
        num_tokens: int. Tokens that all points share.
        depth: int. Number of blocks.
        width: int, a multiple of `num_heads`. Length of a point's vector.
        token_width: int, a multiple of 4 and of `num_heads`, or `None` (`width`).
            Length of a token's vector. Tokens are few, so that they cost little.
        num_heads: int.
        inner_width: int or `None` (`2 * width`). Width inside the feed-forward networks
            of points; in those of tokens it is twice their width.
        frequencies: int. Waves of each coordinate; the shortest is `2 ** (3 - that)`.
        dropout: float.

    Call arguments, returns: see `DenoisingNetwork`. In the beginning, zeros.

    Raises:
        ValueError: if a width is not a multiple of what it must be.

    Reference: Lee et al. 2019, https://arxiv.org/abs/1810.00825; Luo & Hu 2021
        (diffusion of points), https://arxiv.org/abs/2103.01458; Jabri et al. 2023,
        section 2, https://arxiv.org/abs/2212.11972
    """

    num_tokens: Size = 32
    depth: Size = 4
    width: Size = 128
    token_width: Size | None = None
    num_heads: Size = 4
    inner_width: Size | None = None
    frequencies: Size = 6
    dropout: Rate = 0.0

    def check(self):
        super().check()
        check_heads(self.width, self.num_heads)
        name = "width" if self.token_width is None else "token_width"
        for divisor in (4, self.num_heads):
            if self.told_width % divisor:
                raise ValueError(
                    f"`{name}` must be a multiple of 4 and of `num_heads`. "
                    f"Received: {name}={self.told_width}, num_heads={self.num_heads}"
                )

    @property
    def told_width(self):
        """int: length of a token's vector, and of all that the network is told."""
        return self.token_width or self.width

    def make(self):
        self.make_told(self.told_width, self.told_width)
        policy, points = self.dtype_policy, (None, None, self.width)
        self.embedding = keras.layers.Dense(self.width, dtype=policy, name="embedding")
        channels = self.input_channels * (1 + 2 * self.frequencies)
        self.embedding.build((None, None, channels))
        self.tokens = self.add_weight(
            (self.num_tokens, self.told_width),
            initializer=keras.initializers.RandomNormal(stddev=0.7),
            name="tokens",
        )
        self.blocks = [self._block(index, points) for index in range(self.depth)]
        self.norm = bare_norm("norm")
        self.norm.build(points)
        self.modulation = Modulation(2, self.width, dtype=policy, name="modulation")
        self.modulation.build((None, self.told_width))
        self.last = keras.layers.Dense(
            self.sample_shape[-1],
            kernel_initializer="zeros",
            dtype=policy,
            name="last",
        )
        self.last.build(points)

    def _block(self, index, points):
        block = InducedBlock(
            self.num_heads,
            self.inner_width or 2 * self.width,
            2 * self.told_width,
            self.dropout,
            reads=self.vocabulary_size is not None,
            dtype=self.dtype_policy,
            name=f"block_{index}",
        )
        tokens = (None, None, self.told_width)
        block.build(points, tokens, (None, self.told_width), self.states_shape)
        return block

    def call(self, noisy, time, condition, training=False):
        told = self.tell(time, condition)
        x = self.joined(noisy, condition)
        rows, columns, channels = x.shape[1:]
        x = ops.reshape(x, (-1, rows * columns, channels))
        x = coordinate_waves(x, self.frequencies)
        x = self.embedding(ops.cast(x, self.compute_dtype))
        tokens = ops.cast(self.tokens, x.dtype) + ops.zeros_like(x[:, :1, :1])
        for block in self.blocks:
            x, tokens = block(x, tokens, *told, training=training)
        x = self.last(modulated(self.norm(x), *self.modulation(told.embedding)))
        x = ops.reshape(x, (-1, rows, columns, self.sample_shape[-1]))
        return ops.cast(x, "float32")
