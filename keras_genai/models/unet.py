"""U-Net: the convolutional network of diffusion models."""

from keras import ops

from keras_genai.checks import check_size
from keras_genai.layers.conditioning import Conditioning
from keras_genai.layers.convolution import (
    Downsample,
    GroupNorm,
    PictureAttention,
    ResidualBlock,
    Upsample,
    convolution,
)
from keras_genai.registry import register
from keras_genai.tasks import pictures
from keras_genai.tasks.diffusion import Diffusion


@register
class UNet(Diffusion):
    """Diffusion model whose network is a U-Net.

    The picture is halved level by level and doubled again; what each level saw on the
    way down is given to it on the way up.

    Args:
        image_shape: `(H, W, C)`, sides divisible by 2 for each level but the first.
        width: int. Channels of the first level.
        multipliers: tuple of int. Channels of each level, in widths.
        blocks: int. Residual blocks a level on the way down; one more on the way up.
        attention_at: tuple of int. Levels with attention, 0 the first; the middle
            always has it.
        num_heads: int. Attention heads; few and wide ones are faster.
        dropout: float. Rate in residual blocks.
        num_classes, condition_shape, schedule, prediction, weighting: see `Diffusion`.
        **kwargs: of `Diffusion`: `label_dropout`, `vocabulary_size`, `text_length`,
            `codec`, `latent_scale`.

    Call arguments, returns: see `Diffusion`.

    Raises:
        ValueError: if a side cannot be halved so often.

    Reference: Ho et al. 2020, appendix B, https://arxiv.org/abs/2006.11239; Dhariwal &
        Nichol 2021, section 3, https://arxiv.org/abs/2105.05233
    """

    def __init__(
        self,
        image_shape,
        width=64,
        multipliers=(1, 2, 2),
        blocks=2,
        attention_at=(),
        num_heads=1,
        dropout=0.0,
        num_classes=None,
        condition_shape=None,
        schedule=None,
        prediction=None,
        weighting=None,
        **kwargs,
    ):
        super().__init__(
            image_shape,
            num_classes,
            condition_shape,
            schedule,
            prediction,
            weighting,
            **kwargs,
        )
        pictures.check_sizes("multipliers", multipliers)
        for name, value in (
            ("width", width),
            ("blocks", blocks),
            ("num_heads", num_heads),
        ):
            check_size(name, value)
        if width % 2:  # of the waves of the noise level, half are sines
            raise ValueError(f"`width` must be even. Received: {width=}")
        pictures.check_rate("dropout", dropout)
        self._check_levels(attention_at, len(multipliers))
        self.width = width
        self.multipliers = tuple(multipliers)
        self.blocks = blocks
        self.attention_at = tuple(attention_at)
        self.num_heads = num_heads
        self.dropout_rate = dropout
        stride = 2 ** (len(self.multipliers) - 1)
        height, columns = self.sample_shape[:2]
        if height % stride or columns % stride:
            raise ValueError(
                f"`image_shape` must have sides divisible by {stride} with "
                f"{len(self.multipliers)} `multipliers`. "
                f"Received: {height} x {columns}"
            )
        self._make_layers()
        self.built = True

    def _check_levels(self, attention_at, levels):
        if not isinstance(attention_at, tuple | list) or not all(
            level in range(levels) for level in attention_at
        ):
            raise ValueError(
                f"`attention_at` must be a tuple of ints from 0 to {levels - 1}. "
                f"Received: {attention_at=}"
            )

    def _make_layers(self):
        self.conditioning = Conditioning(
            self.width,
            4 * self.width,
            self.num_classes,
            self.vocabulary_size,
            self.text_length,
            dtype=self.dtype_policy,
            name="conditioning",
        )
        self.conditioning.build()
        policy, channels = self.dtype_policy, self.sample_shape[-1]
        inputs = channels + (self.condition_shape[-1] if self.condition_shape else 0)
        last = len(self.multipliers) - 1
        self.first = convolution(self.width, "first", policy)
        self.first.build((None, None, None, inputs))
        # Each entry of `down` leaves its output for the way up.
        self.down, self.middle, self.up = [], [], []
        kept, x = [self.width], self.width
        for level, multiplier in enumerate(self.multipliers):
            for index in range(self.blocks):
                x = self._add(self.down, f"down_{level}_{index}", x, multiplier, level)
                kept.append(x)
            if level < last:
                x = self._resize(self.down, Downsample, f"down_{level}_half", x)
                kept.append(x)
        # A single place has nothing to look at.
        attends = max(self.sample_shape[:2]) > 2**last
        x = self._add(self.middle, "middle_0", x, self.multipliers[-1], None, attends)
        x = self._add(self.middle, "middle_1", x, self.multipliers[-1])
        for level in range(last, -1, -1):
            for index in range(self.blocks + 1):
                joined = x + kept.pop()
                multiplier = self.multipliers[level]
                x = self._add(self.up, f"up_{level}_{index}", joined, multiplier, level)
            if level:
                x = self._resize(self.up, Upsample, f"up_{level}_double", x)
        self.norm = GroupNorm(dtype=policy, name="norm")
        self.norm.build((None, None, None, x))
        self.last = convolution(channels, "last", policy, zero=True)
        self.last.build((None, None, None, x))

    def _add(self, layers, name, inputs, multiplier, level=None, attends=False):
        """Appends a residual block and its attention; returns its channels."""
        policy, channels = self.dtype_policy, self.width * multiplier
        block = ResidualBlock(channels, self.dropout_rate, dtype=policy, name=name)
        block.build((None, None, None, inputs), (None, 4 * self.width))
        layers.append(block)
        if attends or level in self.attention_at:
            attention = PictureAttention(
                self.num_heads, dtype=policy, name=f"{name}_attention"
            )
            attention.build((None, None, None, channels))
            layers.append(attention)
        return channels

    def _resize(self, layers, kind, name, channels):
        layer = kind(channels, dtype=self.dtype_policy, name=name)
        layer.build((None, 1, 1, channels))
        layers.append(layer)
        return channels

    def forward(self, noisy, noise_level, labels, condition, training=False):
        """The network's output. See `Diffusion`."""
        embedding = self.conditioning(noise_level, labels)
        parts = [noisy] if condition is None else [noisy, condition]
        x = self.first(ops.cast(ops.concatenate(parts, -1), self.compute_dtype))
        kept = [x]
        for layer in self.down:
            x = self._apply(layer, x, embedding, training)
            if isinstance(layer, PictureAttention):
                kept.pop()  # a block and its attention leave one output
            kept.append(x)
        for layer in self.middle:
            x = self._apply(layer, x, embedding, training)
        for layer in self.up:
            if isinstance(layer, ResidualBlock):
                x = ops.concatenate([x, kept.pop()], axis=-1)
            x = self._apply(layer, x, embedding, training)
        return ops.cast(self.last(ops.silu(self.norm(x))), "float32")

    def _apply(self, layer, x, embedding, training):
        if isinstance(layer, ResidualBlock):
            return layer(x, embedding, training=training)
        return layer(x)

    def get_config(self):
        return {
            **super().get_config(),
            "width": self.width,
            "multipliers": list(self.multipliers),
            "blocks": self.blocks,
            "attention_at": list(self.attention_at),
            "num_heads": self.num_heads,
            "dropout": self.dropout_rate,
        }
