"""U-Net: the convolutional network of diffusion models."""

from keras import ops

from keras_genai.declared import Rate, Size, Sizes
from keras_genai.layers.convolution import (
    Downsample,
    GroupNorm,
    Upsample,
    convolution,
)
from keras_genai.layers.denoising import UNetBlock
from keras_genai.networks.denoising import DenoisingNetwork
from keras_genai.registry import register


@register
class UNet(DenoisingNetwork):
    """Convolutions over smaller and smaller pictures, and back again.

    The picture is halved level by level and doubled again; what each level saw on the
    way down is given to it on the way up.

    Args:
        sample_shape: `(H, W, C)`, sides divisible by 2 for each level but the first.
        num_classes, vocabulary_size, condition_shape: see `DenoisingNetwork`.
        width: even int. Channels of the first level.
        multipliers: tuple of int. Channels of each level, in widths.
        blocks: int. Residual blocks a level on the way down; one more on the way up.
        attention_at: tuple of int. Levels with attention, within the picture and to
            texts, 0 the first; the middle always has it.
        num_heads: int. Attention heads; few and wide ones are faster.
        dropout: float. Rate in residual blocks.

    Call arguments, returns: see `DenoisingNetwork`. In the beginning, zeros.

    Raises:
        ValueError: if a side cannot be halved so often.

    Reference: Ho et al. 2020, appendix B, https://arxiv.org/abs/2006.11239; Dhariwal &
        Nichol 2021, section 3, https://arxiv.org/abs/2105.05233
    """

    width: Size = 64
    multipliers: Sizes = (1, 2, 2)
    blocks: Size = 2
    attention_at: tuple[int, ...] = ()
    num_heads: Size = 1
    dropout: Rate = 0.0

    def check(self):
        super().check()
        if self.width % 2:  # of the waves of the noise level, half are sines
            raise ValueError(f"`width` must be even. Received: width={self.width}")
        levels = len(self.multipliers)
        if not all(level in range(levels) for level in self.attention_at):
            raise ValueError(
                f"`attention_at` must be a tuple of ints from 0 to {levels - 1}. "
                f"Received: attention_at={self.attention_at}"
            )
        height, columns = self.sample_shape[:2]
        stride = 2 ** (levels - 1)
        if height % stride or columns % stride:
            raise ValueError(
                f"`sample_shape` must have sides divisible by {stride} with "
                f"{levels} `multipliers`. Received: {height} x {columns}"
            )

    def make(self):
        self.make_told(self.width, 4 * self.width)
        policy, last = self.dtype_policy, len(self.multipliers) - 1
        self.first = convolution(self.width, "first", policy)
        self.first.build((None, None, None, self.input_channels))
        self.down, self.halves, self.middle, self.up, self.doubles = [], [], [], [], []
        kept, x = [self.width], self.width  # channels of what is kept for the way up
        for level in range(last + 1):
            for index in range(self.blocks):
                x = self._block(self.down, f"down_{level}_{index}", x, level)
                kept.append(x)
            if level < last:
                self._resize(self.halves, Downsample, f"down_{level}_half", x)
                kept.append(x)
        x = self._block(self.middle, "middle_0", x, last, in_middle=True)
        x = self._block(self.middle, "middle_1", x, last, in_middle=False)
        for level in range(last, -1, -1):
            for index in range(self.blocks + 1):
                x = self._block(self.up, f"up_{level}_{index}", x + kept.pop(), level)
            if level:
                self._resize(self.doubles, Upsample, f"up_{level}_double", x)
        self.norm = GroupNorm(dtype=policy, name="norm")
        self.norm.build((None, None, None, x))
        self.last = convolution(self.sample_shape[-1], "last", policy, zero=True)
        self.last.build((None, None, None, x))

    def _block(self, layers, name, inputs, level, in_middle=None):
        """Appends a block; returns its channels."""
        attends = level in self.attention_at if in_middle is None else in_middle
        channels = self.width * self.multipliers[level]
        block = UNetBlock(
            channels,
            self.dropout,
            self.num_heads,
            # A single place has nothing to look at.
            looks=attends and max(self.sample_shape[:2]) > 2**level,
            reads=attends and self.vocabulary_size is not None,
            dtype=self.dtype_policy,
            name=name,
        )
        vector = (None, 4 * self.width)
        block.build((None, None, None, inputs), vector, self.states_shape)
        layers.append(block)
        return channels

    def _resize(self, layers, kind, name, channels):
        layer = kind(channels, dtype=self.dtype_policy, name=name)
        layer.build((None, 1, 1, channels))
        layers.append(layer)

    def call(self, noisy, time, condition, training=False):
        told = self.tell(time, condition)
        x = self.first(ops.cast(self.joined(noisy, condition), self.compute_dtype))
        kept, halves, doubles = [x], iter(self.halves), iter(self.doubles)
        for index, block in enumerate(self.down, 1):
            x = block(x, *told)
            kept.append(x)
            if index % self.blocks == 0 and index < len(self.down):
                x = next(halves)(x)
                kept.append(x)
        for block in self.middle:
            x = block(x, *told)
        for index, block in enumerate(self.up, 1):
            x = block(ops.concatenate([x, kept.pop()], axis=-1), *told)
            if index % (self.blocks + 1) == 0 and index < len(self.up):
                x = next(doubles)(x)
        return ops.cast(self.last(ops.silu(self.norm(x))), "float32")
