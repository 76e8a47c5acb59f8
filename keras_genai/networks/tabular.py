"""Networks of dense layers over tables: a denoiser, and an autoencoder."""

from typing import Annotated

import keras
from keras import ops

from keras_genai.checks import check_layer_sizes, check_size
from keras_genai.declared import LATER, Rate, Size, Sizes
from keras_genai.layers.conditioning import Conditioning
from keras_genai.networks.base import Network
from keras_genai.registry import register


def _check_columns(name, value):
    check_size(name, value, least=0)


def _check_category_sizes(name, values):
    if values != ():
        check_layer_sizes(name, values, "a tuple of ints >= 1, or empty")


Columns = Annotated[int, _check_columns]
CategorySizes = Annotated[tuple[int, ...], _check_category_sizes]


class TableNetwork(Network):
    """What networks over tables share. A row is its numbers and its categories.

    Args:
        numbers: int, N. Columns of numbers; a task fills it in from its table.
        categories: tuple of int, how many categories each column of them has; K is
            their sum. Likewise.
        num_classes: int or `None`. If given, it is told classes.
    """

    casts_inputs = False
    jit_generate = False  # a row takes no time, and XLA seconds

    numbers: Columns = LATER
    categories: CategorySizes = LATER
    num_classes: Size | None = None

    def check(self):
        if not self.width:
            raise ValueError(
                "`numbers` and `categories` must be at least one column together. "
                f"Received: numbers={self.numbers}, categories={self.categories}"
            )

    @property
    def width(self):
        """int: N + K, the numbers of a row."""
        return self.numbers + sum(self.categories)


@register
class TabularDenoiser(TableNetwork):
    """Dense layers that see a noisy row, how noisy it is and of which class.

    Args:
        numbers, categories, num_classes: see `TableNetwork`.
        hidden: tuple of int. Widths of the layers.
        dropout: float. Rate after each of them.
        waves: even int, of the noise level.

    Call arguments:
        numbers: float32 `(B, N)`, of deviation about 1.
        categories: float32 `(B, K)`, one-hot.
        time: float32 `(B,)` in [0, 1], the noise level.
        labels: int `(B,)`, or `None` without classes.
        training: bool.

    Returns:
        float32 `(B, N + K)`: what it says of the numbers, and the logits of the clean
        categories.

    Reference: Kotelnikov et al. 2023, section 3.1 and eq. 8-9,
        https://arxiv.org/abs/2209.15421
    """

    hidden: Sizes = (256, 256)
    dropout: Rate = 0.0
    waves: Size = 128

    def make(self):
        policy = self.dtype_policy
        self.enter = _dense(self.width, self.hidden[0], "enter", policy)
        self.conditioning = Conditioning(
            self.waves,
            self.hidden[0],
            self.num_classes,
            dtype=policy,
            name="conditioning",
        )
        self.conditioning.build()
        self.layers_inside = _stack(self.hidden[0], self.hidden, "hidden", policy)
        self.drop = keras.layers.Dropout(self.dropout, dtype=policy, name="drop")
        self.head = _dense(self.hidden[-1], self.width, "head", policy)

    def call(self, numbers, categories, time, labels=None, training=False):
        x = ops.concatenate([numbers, categories], axis=-1)
        x = self.enter(ops.cast(x, self.compute_dtype))
        x = x + self.conditioning(time, labels)
        for layer in self.layers_inside:
            x = self.drop(layer(x), training=training)
        return ops.cast(self.head(x), "float32")


@register
class TabularAutoencoder(TableNetwork):
    """An encoder of rows and its decoder, of dense layers.

    Args:
        numbers, categories, num_classes: see `TableNetwork`.
        latent_size: int, D.
        hidden: tuple of int. Widths of the encoder's layers; the decoder's are the
            same in reverse.

    Reference: Xu et al. 2019, section 4.4 (TVAE), https://arxiv.org/abs/1907.00503
    """

    latent_size: Size = 128
    hidden: Sizes = (128, 128)

    def make(self):
        policy, extra = self.dtype_policy, self.num_classes or 0
        size, last = self.latent_size, self.hidden[-1]
        self.encoder = _stack(self.width + extra, self.hidden, "encoder", policy)
        self.mean = _dense(last, size, "mean", policy)
        self.log_variance = _dense(last, size, "log_variance", policy)
        self.decoder = _stack(size + extra, self.hidden[::-1], "decoder", policy)
        self.output_layer = _dense(self.hidden[0], self.width, "output", policy)
        self.log_scale = self.add_weight(
            (self.numbers,), initializer="zeros", dtype="float32", name="log_scale"
        )

    def encode(self, numbers, categories, labels=None):
        """The posterior of rows.

        Args:
            numbers: float32 `(B, N)`.
            categories: float32 `(B, K)`, one-hot.
            labels: int `(B,)`, or `None` without classes.

        Returns:
            `(mean, log_variance)`, float `(B, D)` each.
        """
        x = self._joined([numbers, categories], labels)
        for layer in self.encoder:
            x = layer(x)
        return self.mean(x), self.log_variance(x)

    def decode(self, latents, labels=None):
        """What rows of latents are.

        Args:
            latents: float `(B, D)`.
            labels: int `(B,)`, or `None` without classes.

        Returns:
            `(mean, log_scale, logits)`, float32: `(B, N)` and `(N,)` of numbers, each
            normal, and `(B, K)` of categories.
        """
        x = self._joined([latents], labels)
        for layer in self.decoder:
            x = layer(x)
        x = ops.cast(self.output_layer(x), "float32")
        scale = ops.convert_to_tensor(self.log_scale)
        return x[:, : self.numbers], scale, x[:, self.numbers :]

    def _joined(self, parts, labels):
        parts = [ops.cast(part, self.compute_dtype) for part in parts]
        if self.num_classes:
            dtype = self.compute_dtype
            parts.append(ops.one_hot(labels, self.num_classes, dtype=dtype))
        return ops.concatenate(parts, axis=-1)


def _stack(inputs, widths, name, policy):
    layers = []
    for index, units in enumerate(widths):
        layers.append(_dense(inputs, units, f"{name}_{index}", policy, "relu"))
        inputs = units
    return layers


def _dense(inputs, units, name, policy, activation=None):
    layer = keras.layers.Dense(
        units,
        activation,
        kernel_initializer="he_normal" if activation else "glorot_uniform",
        dtype=policy,
        name=name,
    )
    layer.build((None, inputs))
    return layer
