"""TCN: dilated causal convolutions over frames, which see far with few layers."""

import keras
from keras import ops

from keras_genai.declared import LATER, Count, Rate, Size
from keras_genai.layers.temporal import TemporalBlock
from keras_genai.networks.base import Network
from keras_genai.registry import register


@register
class TCN(Network):
    """Temporal convolutional network: what each frame lets one expect of the next.

    Block `i` has a dilation of `2 ** i`. A frame is several numbers, each of which is
    predicted from the frames so far and from nothing of its own.

    Args:
        num_keys: int, K. Numbers in a frame. A task fills it in from its samples.
        depth: int. Number of blocks.
        width: int. Channels of every block.
        kernel_size: int.
        dropout: float. Rate after every convolution.

    Attributes:
        reach: int. How many frames a prediction looks back on, the last one included.

    Call arguments:
        frames: float `(B, T, K)`.
        training: bool.

    Returns:
        float32 logits `(B, T, K)`, of the frames one later.

    Reference: Bai et al. 2018, https://arxiv.org/abs/1803.01271
    """

    num_keys: Count = LATER
    depth: Size
    width: Size
    kernel_size: Size = 5
    dropout: Rate = 0.0

    def make(self):
        self.blocks = [
            TemporalBlock(
                self.width,
                self.kernel_size,
                2**index,
                self.dropout,
                dtype=self.dtype_policy,
                name=f"block_{index}",
            )
            for index in range(self.depth)
        ]
        for channels, block in zip(self._sizes(), self.blocks, strict=True):
            block.build((None, None, channels))
        self.head = keras.layers.Dense(
            self.num_keys, dtype=self.dtype_policy, name="head"
        )
        self.head.build((None, None, self.width))

    @property
    def reach(self):
        both = [2 * block.convolutions[0].reach for block in self.blocks]
        return 1 + sum(both)

    def call(self, frames, training=False):
        x = ops.cast(frames, self.compute_dtype)
        for block in self.blocks:
            x = block(x, training=training)
        return ops.cast(self.head(x), "float32")

    def empty_rings(self, batch_size):
        """tuple of pairs of tensors: what was before the first frame."""
        return tuple(block.empty_rings(batch_size) for block in self.blocks)

    def step(self, frame, rings, time):
        """The logits of the frame that follows one.

        Args:
            frame: float `(B, K)`.
            rings: see `empty_rings`.
            time: int32 scalar. Which step it is, the first 0.

        Returns:
            `(logits, rings)`: float32 `(B, K)`, and the rings with this frame.
        """
        x, later = frame, []
        for block, ring in zip(self.blocks, rings, strict=True):
            x, ring = block.step(x, ring, time)
            later.append(ring)
        return ops.cast(self.head(x), "float32"), tuple(later)

    def _sizes(self):
        """Channels of what enters each block."""
        return [self.num_keys, *[self.width] * (self.depth - 1)]
