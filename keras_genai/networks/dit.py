"""DiT: a transformer over patches as the network of a diffusion model."""

import keras
from keras import ops

from keras_genai.declared import Rate, Size
from keras_genai.layers.conditioning import Modulation, grid_waves
from keras_genai.layers.denoising import DiTBlock, bare_norm, modulated
from keras_genai.layers.patches import from_patches, to_patches
from keras_genai.networks.denoising import DenoisingNetwork
from keras_genai.registry import register


@register
class DiT(DenoisingNetwork):
    """A transformer over the patches of a picture.

    Args:
        sample_shape: `(H, W, C)`.
        num_classes, vocabulary_size, condition_shape: see `DenoisingNetwork`.
        patch: int, in pixels; divides both sides.
        depth: int. Number of blocks.
        width: int, a multiple of 4 and of `num_heads`. Length of a patch's vector.
        num_heads: int.
        inner_width: int or `None` (`4 * width`). Width inside feed-forward networks.
        dropout: float.

    Call arguments, returns: see `DenoisingNetwork`. In the beginning, zeros.

    Raises:
        ValueError: if `patch` does not divide the sides, or `width` is not a multiple
            of 4 and of `num_heads`.

    Reference: Peebles & Xie 2023, section 3, https://arxiv.org/abs/2212.09748
    """

    patch: Size = 2
    depth: Size = 6
    width: Size = 128
    num_heads: Size = 2
    inner_width: Size | None = None
    dropout: Rate = 0.0

    def check(self):
        super().check()
        rows, columns, _ = self.sample_shape
        if rows % self.patch or columns % self.patch:
            raise ValueError(
                f"`patch` must divide the sides, {rows} and {columns}. "
                f"Received: patch={self.patch}"
            )
        if self.width % 4 or self.width % self.num_heads:
            raise ValueError(
                "`width` must be a multiple of 4 and of `num_heads`. "
                f"Received: width={self.width}, num_heads={self.num_heads}"
            )

    @property
    def grid(self):
        """`(rows, columns)` of patches."""
        rows, columns, _ = self.sample_shape
        return rows // self.patch, columns // self.patch

    def make(self):
        self.make_told(self.width, self.width)
        self.positions = ops.convert_to_numpy(grid_waves(*self.grid, self.width))
        policy, area = self.dtype_policy, self.patch**2
        self.embedding = keras.layers.Dense(self.width, dtype=policy, name="embedding")
        self.embedding.build((None, None, area * self.input_channels))
        sequence = (None, self.grid[0] * self.grid[1], self.width)
        self.blocks = [self._block(index, sequence) for index in range(self.depth)]
        self.norm = bare_norm("norm")
        self.norm.build(sequence)
        self.modulation = Modulation(2, self.width, dtype=policy, name="modulation")
        self.modulation.build((None, self.width))
        self.last = keras.layers.Dense(
            area * self.sample_shape[-1],
            kernel_initializer="zeros",
            dtype=policy,
            name="last",
        )
        self.last.build(sequence)

    def _block(self, index, sequence):
        block = DiTBlock(
            self.num_heads,
            self.inner_width or 4 * self.width,
            self.dropout,
            reads=self.vocabulary_size is not None,
            dtype=self.dtype_policy,
            name=f"block_{index}",
        )
        block.build(sequence, (None, self.width), self.states_shape)
        return block

    def call(self, noisy, time, condition, training=False):
        told = self.tell(time, condition)
        x = to_patches(self.joined(noisy, condition), self.patch)
        x = self.embedding(ops.cast(x, self.compute_dtype))
        x = x + ops.cast(self.positions, x.dtype)
        for block in self.blocks:
            x = block(x, *told)
        x = self.last(modulated(self.norm(x), *self.modulation(told.embedding)))
        return ops.cast(from_patches(x, self.patch, self.sample_shape), "float32")
