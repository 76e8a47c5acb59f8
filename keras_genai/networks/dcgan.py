"""DCGAN: strided convolutions from noise to a picture or video, and back to a score."""

import functools
import math
from typing import Literal

import keras
from keras import ops

from keras_genai.checks import check_sides
from keras_genai.declared import LATER, ImageOrVideoShape, Levels, Size
from keras_genai.layers.conditional_normalization import ConditionalBatchNormalization
from keras_genai.layers.normalization import BatchNormalization
from keras_genai.layers.spectral import SpectralNormalization
from keras_genai.networks.base import Network
from keras_genai.registry import register

KERNEL = 4  # a multiple of the stride: no chequerboard
SLOPE = 0.2
MOST_STAGES = 5

normal = functools.partial(keras.initializers.RandomNormal, stddev=0.02)


def num_stages(height, width):
    """How often a picture is halved: at least twice, then down to 4 or an odd side.

    Args:
        height, width: int, multiples of 4.
    """
    stages, side = 0, math.gcd(height, width)
    while side % 2 == 0 and side > 4 and stages < MOST_STAGES:
        stages, side = stages + 1, side // 2
    return max(stages, 2)


def strides(image_shape):
    """Strides of each stage, the largest pictures first: time is halved while even.

    Args:
        image_shape: `(H, W, C)` or `(F, H, W, C)`.

    Returns:
        list of tuples, one int for each axis but the last.
    """
    *frames, height, width, _ = image_shape
    steps = []
    for _ in range(num_stages(height, width)):
        halves = [2 if count % 2 == 0 and count > 2 else 1 for count in frames]
        frames = [count // by for count, by in zip(frames, halves, strict=True)]
        steps.append((*halves, 2, 2))
    return steps


@register
class DCGANGenerator(Network):
    """Dense layer, then transposed convolutions, each twice as large and half as wide.

    Args:
        image_shape: `(H, W, C)`, or `(F, H, W, C)` of videos. H and W are divisible
            by 4.
        num_classes: int >= 2 or `None`. With it, the dense layer reads the class beside
            the latents, and the batch normalisations are conditional.
        latent: int, D. Length of the noise.
        width: int. Channels before the last convolution; they double with every
            halving.

    Call arguments:
        latents: float `(B, D)`.
        condition: dict of `labels`, int `(B,)`; `None` without classes.
        training: bool.

    Returns:
        float32 `(B, *image_shape)` in (-1, 1).

    Raises:
        ValueError: if an argument is out of range.

    Reference: Radford et al. 2016, section 3, https://arxiv.org/abs/1511.06434; videos:
        Vondrick et al. 2016, section 3 (one-stream model),
        https://arxiv.org/abs/1609.02612
    """

    image_shape: ImageOrVideoShape = LATER
    num_classes: Levels | None = None
    latent: Size = 100
    width: Size = 64

    def check(self):
        check_sides(self.image_shape, 4)

    def make(self):
        steps = strides(self.image_shape)
        widths = [self.width * 2**index for index in range(len(steps))]
        self.start = (*_smallest(self.image_shape, steps), widths[-1])
        self.dense = keras.layers.Dense(
            math.prod(self.start),
            use_bias=False,
            kernel_initializer=normal(),
            dtype=self.dtype_policy,
            name="dense",
        )
        self.dense.build((None, self.latent + (self.num_classes or 0)))
        self.convolutions, self.norms = [], []
        outputs, shape = [self.image_shape[-1], *widths[:-1]], (None, *self.start)
        for index in reversed(range(len(steps))):
            shape = self._add_stage(index, outputs[index], steps[index], shape)

    def _add_stage(self, index, filters, step, shape):
        """Appends a norm and a convolution; returns the shape behind them."""
        norm = self._norm(f"norm_{index}")
        convolution = _of_rank(
            self.image_shape, keras.layers.Conv2DTranspose, keras.layers.Conv3DTranspose
        )(
            filters,
            KERNEL,
            strides=step,
            padding="same",
            use_bias=index == 0,  # the others are followed by a norm
            kernel_initializer=normal(),
            dtype=self.dtype_policy,
            name=f"convolution_{index}",
        )
        for layer, layers in ((norm, self.norms), (convolution, self.convolutions)):
            layer.build(shape)
            layers.append(layer)
        return convolution.compute_output_shape(shape)

    def _norm(self, name):
        if self.num_classes is None:
            return BatchNormalization(dtype=self.dtype_policy, name=name)
        return ConditionalBatchNormalization(
            self.num_classes, dtype="float32", name=name
        )

    def call(self, latents, condition=None, training=False):
        labels = {}
        if self.num_classes is not None:
            labels = {"labels": condition["labels"]}
            rows = ops.one_hot(
                condition["labels"], self.num_classes, dtype=latents.dtype
            )
            latents = ops.concatenate([latents, rows], axis=-1)
        x = ops.reshape(self.dense(latents), (-1, *self.start))
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            x = ops.relu(norm(x, training=training, **labels))
            x = convolution(x)
        return ops.tanh(ops.cast(x, "float32"))


@register
class DCGANDiscriminator(Network):
    """Strided convolutions, each half as large and twice as wide, then one number.

    With classes, the score is the projection discriminator's: the dense layer's plus
    the inner product of the features with a vector of the class. These features come
    from a hidden dense layer that sees the whole picture: a few strided convolutions
    see too little of a large one to tell a digit.

    | | norm | loss | penalty |
    |---|---|---|---|
    | DCGAN | `"batch"` | `NonSaturating()` | |
    | LSGAN | `"batch"` | `LeastSquares()` | |
    | SNGAN | `"spectral"` | `Hinge()` | |
    | WGAN-GP | `None` or `"layer"` | `Wasserstein()` | `GradientPenalty()` |

    Args:
        image_shape: `(H, W, C)`, or `(F, H, W, C)` of videos. H and W are divisible
            by 4.
        num_classes: int >= 2 or `None`.
        width: int. Channels after the first convolution; they double with every
            halving.
        norm: `"batch"` or `"layer"`, after every convolution but the first;
            `"spectral"`, of all weights; or `None`. The batch's mixes pictures: no
            penalty on the slope at each goes with it.

    Call arguments:
        images: float `(B, *image_shape)` in [-1, 1].
        condition: dict of `labels`, int `(B,)`; `None` without classes.
        training: bool.

    Returns:
        float32 `(B,)`, higher for real.

    Raises:
        ValueError: if an argument is out of range.
        TypeError: if `norm` is another.

    Reference: Radford et al. 2016, section 3, https://arxiv.org/abs/1511.06434;
        Miyato et al. 2018, https://arxiv.org/abs/1802.05957; Miyato & Koyama 2018,
        eq. 3, https://arxiv.org/abs/1802.05637
    """

    image_shape: ImageOrVideoShape = LATER
    num_classes: Levels | None = None
    width: Size = 64
    norm: Literal["batch", "layer", "spectral"] | None = "batch"

    def check(self):
        check_sides(self.image_shape, 4)

    @property
    def normalizes_batches(self):
        """bool: whether, in training, a score depends on the rest of its batch."""
        return self.norm == "batch"

    def make(self):
        self.convolutions, self.norms = [], []
        shape = (None, *self.image_shape)
        for index, step in enumerate(strides(self.image_shape)):
            shape = self._add_stage(index, step, shape)
        self.dense = self._linear(keras.layers.Dense, "dense", units=1)
        size = math.prod(shape[1:])
        if self.num_classes is not None:
            size = self._make_projection(size, 2 * shape[-1])
        self.dense.build((None, size))

    def _add_stage(self, index, step, shape):
        """Appends a convolution and its norm; returns the shape behind them."""
        convolution = self._linear(
            _of_rank(self.image_shape, keras.layers.Conv2D, keras.layers.Conv3D),
            f"convolution_{index}",
            has_bias=index == 0 or self.norm not in ("batch", "layer"),
            filters=self.width * 2**index,
            kernel_size=KERNEL,
            strides=step,
            padding="same",
        )
        convolution.build(shape)
        self.convolutions.append(convolution)
        shape = convolution.compute_output_shape(shape)
        if index:
            norm = self._norm(f"norm_{index}")
            norm.build(shape)
            self.norms.append(norm)
        return shape

    def _make_projection(self, size, units):
        """Makes what judges a picture by its class; returns the number of features."""
        self.hidden = self._linear(keras.layers.Dense, "hidden", units=units)
        self.classes = self._linear(
            keras.layers.Dense, "classes", has_bias=False, units=units
        )
        self.hidden.build((None, size))
        self.classes.build((None, self.num_classes))
        return units

    def _linear(self, kind, name, has_bias=True, **config):
        policy = self.dtype_policy
        config["kernel_initializer"] = normal()
        if self.norm != "spectral":
            return kind(use_bias=has_bias, dtype=policy, name=name, **config)
        inner = kind(use_bias=False, dtype=policy, name="linear", **config)
        return SpectralNormalization(inner, has_bias, dtype=policy, name=name)

    def _norm(self, name):
        if self.norm == "batch":
            return BatchNormalization(dtype=self.dtype_policy, name=name)
        if self.norm == "layer":
            return keras.layers.GroupNormalization(1, dtype="float32", name=name)
        return keras.layers.Identity(dtype="float32", name=name)

    def call(self, images, condition=None, training=False):
        x = self.convolutions[0](images, training=training)
        x = ops.leaky_relu(x, SLOPE)
        for convolution, norm in zip(self.convolutions[1:], self.norms, strict=True):
            x = convolution(x, training=training)
            x = ops.leaky_relu(norm(x, training=training), SLOPE)
        x = ops.cast(x, self.compute_dtype)
        x = ops.reshape(x, (-1, math.prod(x.shape[1:])))
        if self.num_classes is None:
            return ops.cast(self.dense(x, training=training)[:, 0], "float32")
        x = ops.leaky_relu(self.hidden(x, training=training), SLOPE)
        rows = ops.one_hot(
            condition["labels"], self.num_classes, dtype=self.compute_dtype
        )
        vector = self.classes(rows, training=training)
        agreement = ops.cast(vector, "float32") * ops.cast(x, "float32")
        score = self.dense(x, training=training)[:, 0]
        return ops.cast(score, "float32") + ops.sum(agreement, axis=-1)


def _smallest(image_shape, steps):
    """Sizes behind all strides, of each axis but the last."""
    sizes = image_shape[:-1]
    for step in steps:
        sizes = [size // by for size, by in zip(sizes, step, strict=True)]
    return sizes


def _of_rank(image_shape, of_pictures, of_videos):
    """Whichever of two classes of layers reads such samples."""
    return {3: of_pictures, 4: of_videos}[len(image_shape)]
