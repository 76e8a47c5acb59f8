"""SpeechEncoder: spectrograms read by convolutions, then from both ends."""

import keras
from keras import ops

from keras_genai import replicas
from keras_genai.checks import check_rates, check_sizes
from keras_genai.layers.recurrent_stacks import BidirectionalStack
from keras_genai.layers.seeded import Seeded
from keras_genai.registry import from_plain, register, to_plain


@register
class SpeechEncoder(Seeded, keras.layers.Layer):
    """Convolutions over time, which see all bands, and recurrent layers both ways.

    Padding never changes a result: it is 0 wherever a convolution looks, a convolution
    with strides begins at the first frame whatever the padded length is, and it moves
    no recurrent state.

    Args:
        filters: int. Channels of each convolution.
        kernel_size: int, frames.
        strides: tuple of int, one for each convolution: how many frames become one.
        units: int. Width U of each direction.
        num_layers: int, recurrent ones.
        cell: `"simple"`, `"lstm"` or `"gru"`.
        dropout: float. Rate after the convolutions, between layers and at the end.
        augmentation: `SpecAugment`, in training only, or `None`.

    Call arguments:
        mels: float `(B, T, bands)`.
        mask: bool or int `(B, T)`, true at real frames, which come before all padding.
        training: bool.

    Returns:
        `(encoded, mask)`: float `(B, S, 2 * U)` without meaning at padding, and bool
        `(B, S)`, where S is T over the product of the strides, rounded up.

    Raises:
        TypeError: if a size is not an int.
        ValueError: if an argument is out of its range.

    Reference: Amodei et al. 2016, Deep Speech 2, section 3,
        https://arxiv.org/abs/1512.02595
    """

    def __init__(
        self,
        filters=128,
        kernel_size=5,
        strides=(1, 2),
        units=128,
        num_layers=2,
        cell="gru",
        dropout=0.2,
        augmentation=None,
        **kwargs,
    ):
        super().__init__(**kwargs)
        check_sizes(filters=filters, kernel_size=kernel_size)
        for stride in strides:
            check_sizes(strides=stride)
        check_rates(dropout=dropout)
        self.filters, self.kernel_size = filters, kernel_size
        self.strides = tuple(strides)
        self.dropout_rate = dropout
        self.augmentation = augmentation
        self.seed_generator = replicas.SeedGenerator()
        policy = self.dtype_policy
        self.convolutions = [
            keras.layers.Conv1D(
                filters, kernel_size, stride, dtype=policy, name=f"convolution_{index}"
            )
            for index, stride in enumerate(self.strides)
        ]
        self.norms = [
            keras.layers.LayerNormalization(dtype="float32", name=f"norm_{index}")
            for index in range(len(self.strides))
        ]
        self.drop = keras.layers.Dropout(dropout, dtype=policy, name="dropout")
        self.recurrent = BidirectionalStack(
            units, num_layers, cell, dropout, dtype=policy, name="recurrent"
        )

    @property
    def width(self):
        """int: length of an encoded vector."""
        return 2 * self.recurrent.units

    def frame_count(self, frames):
        """How many vectors so many frames become: int, or an int tensor."""
        for stride in self.strides:
            frames = (frames + stride - 1) // stride
        return frames

    def build(self, mels_shape, mask_shape=None):
        width = mels_shape[-1]
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            convolution.build((None, None, width))
            norm.build((None, None, self.filters))
            width = self.filters
        self.recurrent.build((None, None, width))

    def call(self, mels, mask, training=False):
        mask = ops.cast(mask, "bool")
        x = ops.cast(mels, self.compute_dtype)
        if training and self.augmentation is not None:
            frames = ops.sum(ops.cast(mask, "int32"), axis=1)
            x = self.augmentation(x, frames, self.seed_generator.next())
        for convolution, norm in zip(self.convolutions, self.norms, strict=True):
            x = self._convolved(x, mask, convolution)
            mask = mask[:, :: convolution.strides[0]]
            x = ops.cast(ops.relu(norm(x)), self.compute_dtype)
        x = self.drop(x, training=training)
        encoded, _ = self.recurrent(x, mask)
        return self.drop(encoded, training=training), mask

    def _convolved(self, x, mask, convolution):
        """One convolution, whose middle of the kernel is at frames 0, stride, ..."""
        x = x * ops.cast(mask, x.dtype)[:, :, None]
        left = (self.kernel_size - 1) // 2
        right = self.kernel_size - 1 - left
        return convolution(ops.pad(x, ((0, 0), (left, right), (0, 0))))

    def get_config(self):
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "units": self.recurrent.units,
            "num_layers": self.recurrent.num_layers,
            "cell": self.recurrent.cell,
            "dropout": self.dropout_rate,
            "augmentation": to_plain(self.augmentation),
        }

    @classmethod
    def from_config(cls, config):
        return cls(**{**config, "augmentation": from_plain(config["augmentation"])})
