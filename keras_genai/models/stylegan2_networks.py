"""The two networks of StyleGAN2."""

import functools

import keras
import numpy as np
from keras import ops

from keras_genai.layers.equalized import Equalized
from keras_genai.layers.modulated import ModulatedConvolution

SLOPE = 0.2
LOUDER = 2**0.5  # makes up for what a leaky ReLU takes away
WIDEST = 8  # times `width`


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
        if not self.is_rgb:
            x = x + ops.cast(self.loudness, x.dtype) * ops.cast(noise, x.dtype)
        x = x + ops.cast(self.bias, x.dtype)
        return x if self.is_rgb else _active(x)


class Generator(keras.layers.Layer):
    """Mapping network, and synthesis from a learned start; args as `StyleGAN2`.

    Attributes:
        num_styles: int, L. Styles that a picture is made of.
        noise_sizes: list of `(height, width)`, of each noise input.
    """

    def __init__(
        self, image_shape, latent, width, mapping_depth, num_classes, **kwargs
    ):
        super().__init__(**kwargs)
        self.latent = latent
        self.num_classes = num_classes
        self.sizes = _sizes(image_shape)
        widths = _widths(self.sizes, width)
        policy = self.dtype_policy
        dense = functools.partial(_linear, keras.layers.Dense, policy="float32")
        # Slower than the rest, or styles run away.
        self.mapping = [
            dense(name=f"mapping_{index}", speed=0.01, units=latent)
            for index in range(mapping_depth)
        ]
        if num_classes is not None:
            self.classes = dense(name="classes", units=latent, use_bias=False)
        self.convolutions, self.pictures = [], []
        self.noise_sizes = []
        before = widths[0]
        for index, (size, filters) in enumerate(zip(self.sizes, widths, strict=True)):
            for half in range(2 if index else 1):
                self.convolutions.append(
                    _StyledConvolution(
                        before,
                        filters,
                        is_up=index > 0 and half == 0,
                        dtype=policy,
                        name=f"size_{index}_convolution_{half}",
                    )
                )
                self.noise_sizes.append(size)
                before = filters
            self.pictures.append(
                _StyledConvolution(
                    filters,
                    image_shape[-1],
                    is_rgb=True,
                    dtype=policy,
                    name=f"size_{index}_picture",
                )
            )
        # The picture's layer shares the style of the convolution that comes next.
        self.num_styles = len(self.convolutions) + 1
        self.first_width = widths[0]

    def build(self, input_shape=None):
        width = self.latent
        if self.num_classes is not None:
            self.classes.build((None, self.num_classes))
            width = 2 * self.latent
        for layer in self.mapping:
            layer.build((None, width))
            width = self.latent
        for layer in (*self.convolutions, *self.pictures):
            layer.build(self.latent)
        self.start = self.add_weight(
            (*self.sizes[0], self.first_width),
            keras.initializers.RandomNormal(stddev=1.0),
            name="start",
        )
        self.built = True

    def map(self, latents, labels=None):
        """Styles, float32 `(B, latent)`, from noise of that shape."""
        x = _normalized(ops.cast(latents, "float32"))
        if self.num_classes is not None:
            rows = ops.one_hot(labels, self.num_classes)
            x = ops.concatenate([x, _normalized(self.classes(rows))], axis=-1)
        for layer in self.mapping:
            x = _active(layer(x))
        return x

    def synthesize(self, styles, noise):
        """Pictures, float32 `(B, H, W, C)`, from styles `(B, L, latent)` and noise."""
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


class Discriminator(keras.layers.Layer):
    """Residual blocks, the deviation within the batch, and a score, float32 `(B,)`."""

    def __init__(self, image_shape, width, num_classes, **kwargs):
        super().__init__(**kwargs)
        self.image_shape = image_shape
        self.num_classes = num_classes
        self.sizes = _sizes(image_shape)[::-1]  # from the largest
        widths = _widths(self.sizes, width)[::-1]
        policy = self.dtype_policy
        convolution = functools.partial(
            _linear, keras.layers.Conv2D, policy=policy, padding="same"
        )
        self.first = convolution(name="first", filters=widths[0], kernel_size=1)
        self.ones, self.twos, self.skips = [], [], []
        for index in range(len(widths) - 1):
            one, two = widths[index : index + 2]
            name = f"block_{index}"
            self.ones.append(
                convolution(name=f"{name}_one", filters=one, kernel_size=3)
            )
            self.twos.append(
                convolution(name=f"{name}_two", filters=two, kernel_size=3)
            )
            self.skips.append(
                convolution(
                    name=f"{name}_skip", filters=two, kernel_size=1, use_bias=False
                )
            )
        self.widths = widths
        dense = functools.partial(_linear, keras.layers.Dense, policy=policy)
        self.last = convolution(name="last", filters=widths[-1], kernel_size=3)
        self.dense = dense(name="dense", units=widths[-1])
        self.head = dense(name="head", units=1)
        if num_classes is not None:
            self.classes = dense(name="classes", units=widths[-1], use_bias=False)

    def build(self, images_shape=None):
        self.first.build((None, None, None, self.image_shape[-1]))
        for index, width in enumerate(self.widths[:-1]):
            for layer in (self.ones[index], self.twos[index], self.skips[index]):
                layer.build((None, None, None, width))
        width = self.widths[-1]
        height, length = self.sizes[-1]
        self.last.build((None, None, None, width + 1))
        self.dense.build((None, height * length * width))
        self.head.build((None, width))
        if self.num_classes is not None:
            self.classes.build((None, self.num_classes))
        self.built = True

    def call(self, images, labels=None, training=False):
        x = _active(self.first(images))
        for one, two, skip in zip(self.ones, self.twos, self.skips, strict=True):
            beside = skip(_halved(x))
            x = _active(two(_halved(_active(one(x)))))
            x = (x + beside) * 0.5**0.5
        x = _active(self.last(_with_deviation(x)))
        x = ops.reshape(x, (ops.shape(x)[0], -1))
        features = _active(self.dense(x))
        score = ops.cast(self.head(features)[:, 0], "float32")
        if self.num_classes is not None:
            vector = self.classes(ops.one_hot(labels, self.num_classes))
            product = ops.cast(vector, "float32") * ops.cast(features, "float32")
            score += ops.mean(product, axis=-1) * self.num_classes**0.5
        return score


def _active(x):
    return ops.leaky_relu(x, SLOPE) * LOUDER


def _normalized(x):
    return x * ops.rsqrt(ops.mean(ops.square(x), axis=-1, keepdims=True) + 1e-8)


def _with_deviation(x):
    """Appends a channel: how much the pictures of the batch differ from each other."""
    wide = ops.cast(x, "float32")
    variance = ops.mean(ops.square(wide - ops.mean(wide, axis=0)), axis=0)
    deviation = ops.mean(ops.sqrt(variance + 1e-8))
    channel = ops.ones_like(x[..., :1]) * ops.cast(deviation, x.dtype)
    return ops.concatenate([x, channel], axis=-1)


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
