"""StyleGAN2: styles from noise, pictures from styles, and a residual discriminator."""

import functools
import math
from typing import Annotated

import keras
import numpy as np
from keras import ops

from keras_genai.checks import check_sides, check_size
from keras_genai.declared import LATER, ImageShape, Levels, Size
from keras_genai.layers.equalized import Equalized
from keras_genai.layers.modulated import ModulatedConvolution
from keras_genai.networks.base import Network
from keras_genai.registry import register

SLOPE = 0.2
LOUDER = 2**0.5  # makes up for what a leaky ReLU takes away
WIDEST = 8  # times `width`

Depth = Annotated[int, functools.partial(check_size, least=0, most=64)]


def _sizes(image_shape):
    """Heights and widths, from the smallest: halved down to 4, or to an odd side."""
    sizes = [tuple(image_shape[:2])]
    while all(side % 2 == 0 and side > 4 for side in sizes[0]):
        sizes.insert(0, tuple(side // 2 for side in sizes[0]))
    return sizes


def _widths(sizes, width):
    """Channels at each size."""
    halvings = reversed(range(len(sizes)))
    return [width * min(2**number, WIDEST) for number in halvings]


def _linear(kind, name, policy, speed=1.0, bias=0.0, use_bias=True, **config):
    inner = kind(
        use_bias=False,
        kernel_initializer=keras.initializers.RandomNormal(stddev=1.0 / speed),
        dtype=policy,
        name="linear",
        **config,
    )
    return Equalized(
        inner, use_bias=use_bias, bias=bias, speed=speed, dtype=policy, name=name
    )


class _StyledConvolution(keras.layers.Layer):
    """Modulated convolution, noise, bias and activation; doubles the size if asked."""

    def __init__(self, channels, filters, is_up=False, is_rgb=False, **kwargs):
        super().__init__(**kwargs)
        self.channels = channels
        self.filters = filters
        self.is_up = is_up
        self.is_rgb = is_rgb
        self.style = _linear(
            keras.layers.Dense, "style", "float32", bias=1.0, units=channels
        )
        self.convolution = ModulatedConvolution(
            filters,
            1 if is_rgb else 3,
            demodulate=not is_rgb,
            dtype=self.dtype_policy,
            name="convolution",
        )

    def build(self, style_size):
        self.style.build((None, style_size))
        self.convolution.build((None, None, None, self.channels))
        self.bias = self.add_weight((self.filters,), "zeros", name="bias")
        if not self.is_rgb:
            self.loudness = self.add_weight((1,), "zeros", name="loudness")
        self.built = True

    def call(self, x, style, noise=None):
        if self.is_up:
            x = _doubled(x)
        x = self.convolution(x, self.style(style))
        if noise is not None:
            x = x + ops.cast(self.loudness, x.dtype) * ops.cast(noise, x.dtype)
        x = x + ops.cast(self.bias, x.dtype)
        return x if self.is_rgb else _active(x)


@register
class StyleGAN2Generator(Network):
    """A mapping network, and synthesis by modulated convolutions from a learned start.

    Each size adds to the picture. `keras_genai.tasks.stylegan.StyleGAN` mixes the
    styles of several pictures in training and gives every layer noise of its own.

    Args:
        image_shape: `(H, W, C)`, H and W divisible by 4.
        num_classes: int >= 2 or `None`.
        latent: int, D. Length of noise and styles.
        width: int. Channels at full size; they double with every halving, up to 8
            times as many.
        mapping_depth: int. Layers of the mapping network.

    Attributes:
        num_styles: int, L. Styles that a picture is made of.
        noise_sizes: list of `(height, width)`, of each noise input.

    Call arguments:
        latents: float `(B, D)`.
        condition: dict of `labels`, int `(B,)`; `None` without classes.
        training: bool.

    Returns:
        float32 `(B, *image_shape)`, about from -1 to 1: the pictures of one style each,
        without noise.

    Raises:
        ValueError: if an argument is out of range.

    Reference: Karras et al. 2020, sections 2 and 4, https://arxiv.org/abs/1912.04958
    """

    casts_inputs = False  # styles stay float32

    image_shape: ImageShape = LATER
    num_classes: Levels | None = None
    latent: Size = 128
    width: Size = 32
    mapping_depth: Depth = 4

    def check(self):
        check_sides(self.image_shape, 4)

    def make(self):
        self._make_mapping()
        self.sizes = _sizes(self.image_shape)
        widths = _widths(self.sizes, self.width)
        self.convolutions, self.pictures = [], []
        self.noise_sizes = []
        before = widths[0]
        for index, (size, filters) in enumerate(zip(self.sizes, widths, strict=True)):
            for half in range(2 if index else 1):
                name = f"size_{index}_convolution_{half}"
                is_up = index > 0 and half == 0
                self._add(self.convolutions, name, before, filters, is_up=is_up)
                self.noise_sizes.append(size)
                before = filters
            name, channels = f"size_{index}_picture", self.image_shape[-1]
            self._add(self.pictures, name, filters, channels, is_rgb=True)
        self.start = self.add_weight(
            (*self.sizes[0], widths[0]),
            keras.initializers.RandomNormal(stddev=1.0),
            name="start",
        )

    def _make_mapping(self):
        # Slower than the rest, or styles run away.
        dense = functools.partial(_linear, keras.layers.Dense, policy="float32")
        self.mapping = [
            dense(name=f"mapping_{index}", speed=0.01, units=self.latent)
            for index in range(self.mapping_depth)
        ]
        size = self.latent
        if self.num_classes is not None:
            self.classes = dense(name="classes", units=size, use_bias=False)
            self.classes.build((None, self.num_classes))
            size = 2 * size
        for layer in self.mapping:
            layer.build((None, size))
            size = self.latent

    def _add(self, layers, name, channels, filters, **options):
        layer = _StyledConvolution(
            channels, filters, dtype=self.dtype_policy, name=name, **options
        )
        layer.build(self.latent)
        layers.append(layer)

    @property
    def num_styles(self):
        # The picture's layer shares the style of the convolution that comes next.
        return len(self.convolutions) + 1

    def map(self, latents, condition=None):
        """The styles of noise.

        Args:
            latents: float `(B, D)`.
            condition: see the call.

        Returns:
            float32 `(B, D)`.
        """
        x = _normalized(ops.cast(latents, "float32"))
        if self.num_classes is not None:
            rows = ops.one_hot(condition["labels"], self.num_classes)
            x = ops.concatenate([x, _normalized(self.classes(rows))], axis=-1)
        for layer in self.mapping:
            x = _active(layer(x))
        return x

    def synthesize(self, styles, noise=None):
        """The pictures of styles.

        Args:
            styles: float32 `(B, L, D)`.
            noise: list of float `(B, h, w, 1)`, one for each of `noise_sizes`, or
                `None`.

        Returns:
            float32 `(B, *image_shape)`.
        """
        noise = noise or [None] * len(self.convolutions)
        start = ops.cast(self.start, self.compute_dtype)
        x = ops.broadcast_to(start, (ops.shape(styles)[0], *start.shape))
        picture, number = 0.0, 0
        for index, to_picture in enumerate(self.pictures):
            for _ in range(2 if index else 1):
                x = self.convolutions[number](x, styles[:, number], noise[number])
                number += 1
            if index:
                picture = _doubled(picture)
            picture += ops.cast(to_picture(x, styles[:, number]), "float32")
        return picture

    def call(self, latents, condition=None, training=False):
        styles = self.map(latents, condition)[:, None]  # (B, 1, D)
        return self.synthesize(ops.repeat(styles, self.num_styles, axis=1))


@register
class StyleGAN2Discriminator(Network):
    """Residual blocks, the deviation within the batch, and a score.

    Args:
        image_shape: `(H, W, C)`, H and W divisible by 4.
        num_classes: int >= 2 or `None`.
        width: int. Channels at full size; they double with every halving, up to 8
            times as many.

    Call arguments:
        images: float `(B, *image_shape)` in [-1, 1].
        condition: dict of `labels`, int `(B,)`; `None` without classes.
        training: bool.

    Returns:
        float32 `(B,)`, higher for real.

    Raises:
        ValueError: if an argument is out of range.

    Reference: Karras et al. 2020, section 4.1, https://arxiv.org/abs/1912.04958
    """

    image_shape: ImageShape = LATER
    num_classes: Levels | None = None
    width: Size = 32

    def check(self):
        check_sides(self.image_shape, 4)

    def make(self):
        sizes = _sizes(self.image_shape)
        widths = _widths(sizes, self.width)[::-1]  # from the largest picture
        self.first = self._convolution("first", widths[0], 1)
        self.first.build((None, None, None, self.image_shape[-1]))
        self.ones, self.twos, self.skips = [], [], []
        for index in range(len(widths) - 1):
            self._add_block(f"block_{index}", *widths[index : index + 2])
        last = widths[-1]
        self.last = self._convolution("last", last, 3)
        self.last.build((None, None, None, last + 1))
        dense = functools.partial(_linear, keras.layers.Dense, policy=self.dtype_policy)
        self.dense = dense(name="dense", units=last)
        self.dense.build((None, math.prod(sizes[0]) * last))
        self.head = dense(name="head", units=1)
        self.head.build((None, last))
        if self.num_classes is not None:
            self.classes = dense(name="classes", units=last, use_bias=False)
            self.classes.build((None, self.num_classes))

    def _convolution(self, name, filters, size, **options):
        return _linear(
            keras.layers.Conv2D,
            name,
            self.dtype_policy,
            filters=filters,
            kernel_size=size,
            padding="same",
            **options,
        )

    def _add_block(self, name, one, two):
        """Appends what makes two numbers of channels of one, at half the size."""
        for layers, layer in (
            (self.ones, self._convolution(f"{name}_one", one, 3)),
            (self.twos, self._convolution(f"{name}_two", two, 3)),
            (self.skips, self._convolution(f"{name}_skip", two, 1, use_bias=False)),
        ):
            layer.build((None, None, None, one))
            layers.append(layer)

    def call(self, images, condition=None, training=False):
        x = _active(self.first(images))
        for one, two, skip in zip(self.ones, self.twos, self.skips, strict=True):
            beside = skip(_halved(x))
            x = _active(two(_halved(_active(one(x)))))
            x = (x + beside) * 0.5**0.5
        classes = None
        if self.num_classes is not None:
            classes = ops.one_hot(condition["labels"], self.num_classes)
        x = _active(self.last(_with_deviation(x, classes)))
        x = ops.reshape(x, (ops.shape(x)[0], -1))
        features = _active(self.dense(x))
        score = ops.cast(self.head(features)[:, 0], "float32")
        if classes is not None:
            vector = self.classes(classes)
            product = ops.cast(vector, "float32") * ops.cast(features, "float32")
            score += ops.mean(product, axis=-1) * self.num_classes**0.5
        return score


def _active(x):
    return ops.leaky_relu(x, SLOPE) * LOUDER


def _normalized(x):
    return x * ops.rsqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + 1e-8)


def _with_deviation(x, classes=None):
    """Appends a channel: how much the pictures of the batch differ from each other.

    With classes, float `(B, K)`, how much those of one class do: otherwise pictures
    that are all alike within their classes would differ enough.
    """
    wide = ops.cast(x, "float32")
    variance = ops.mean(ops.square(wide - _means(wide, classes)), axis=0)
    deviation = ops.mean(ops.sqrt(variance + 1e-8))
    channel = ops.ones_like(x[..., :1]) * ops.cast(deviation, x.dtype)
    return ops.concatenate([x, channel], axis=-1)


def _means(x, classes):
    """The mean over the batch, or of each row's class, float32 `(B or 1, H, W, C)`."""
    if classes is None:
        return ops.mean(x, axis=0, keepdims=True)
    alike = ops.matmul(classes, ops.transpose(classes))  # (B, B), 1 for one class
    share = alike / ops.sum(alike, axis=1, keepdims=True)
    return ops.einsum("ij,jhwc->ihwc", share, x)


def _halved(x):
    return ops.average_pool(x, 2, padding="valid")


def _doubled(x):
    """Twice as large, by linear interpolation between pixels."""
    for axis, terms in ((1, "ik,bkwc->biwc"), (2, "jk,bikc->bijc")):
        matrix = ops.convert_to_tensor(_doubling(x.shape[axis]), dtype=x.dtype)
        x = ops.einsum(terms, matrix, x)
    return x


@functools.cache
def _doubling(size):
    """float32 `(2 * size, size)`: what of each pixel goes into each new one."""
    source = np.clip((np.arange(2 * size) - 0.5) / 2, 0, size - 1)
    distance = np.abs(source[:, None] - np.arange(size)[None])
    return np.maximum(1 - distance, 0).astype("float32")
