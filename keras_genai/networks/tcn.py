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

    def initial_cache(self, batch_size):
        """What was before the first frame: a nest of tensors, the batch first."""
        return [
            block.initial_cache(batch_size, channels)
            for channels, block in zip(self._sizes(), self.blocks, strict=True)
        ]

    def step(self, frame, cache):
        """Reads one frame.

        Args:
            frame: float `(B, K)`.
            cache: what `initial_cache` or the previous call returned.

        Returns:
            float32 logits `(B, K)` of the next frame, and the next cache.
        """
        x, kept = frame, []
        for block, seen in zip(self.blocks, cache, strict=True):
            x, seen = block.step(x, seen)
            kept.append(seen)
        return ops.cast(self.head(x), "float32"), kept

    def _sizes(self):
        """Channels of what enters each block."""
        return [self.num_keys, *[self.width] * (self.depth - 1)]
