"""Stacks of strided convolutions: from a vector to a picture or video, and back."""

import functools
import math

import keras
from keras import ops

from keras_genai.checks import check_size
from keras_genai.layers.conditional_normalization import ConditionalBatchNormalization
from keras_genai.layers.normalization import BatchNormalization
from keras_genai.layers.spectral import SpectralNormalization
from keras_genai.registry import register

KERNEL = 4  # a multiple of the stride: no chequerboard
SLOPE = 0.2
MOST_STAGES = 5

normal = functools.partial(keras.initializers.RandomNormal, stddev=0.02)


def num_stages(height, width):
    """How often a picture is halved: at least twice, then down to 4 or an odd side.

    Args:
        height, width: int, multiples of 4.

    Raises:
        ValueError: if they are not.
    """
    if height % 4 or width % 4 or min(height, width) < 4:
        raise ValueError(
            "`image_shape` must have a height and width divisible by 4. "
            f"Received: {height=}, {width=}"
        )
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
class VectorToPicture(keras.layers.Layer):
    """Dense layer, then transposed convolutions, each twice as large and half as wide.

    Args:
        image_shape: `(H, W, C)`, or `(F, H, W, C)` for videos. H and W are divisible
            by 4.
        width: int. Channels before the last convolution.
        num_classes: int or `None`. With it, the dense layer reads the class beside the
            latents, and the batch normalisations are conditional.

    Call arguments:
        latents: float `(B, D)`.
        labels: int `(B,)` or `None`.
        training: bool.

    Returns:
        float32 `(B, *image_shape)` in (-1, 1).

    Reference: Radford et al. 2016, section 3, https://arxiv.org/abs/1511.06434
    """

    def __init__(self, image_shape, width, num_classes=None, **kwargs):
        super().__init__(**kwargs)
        check_size("width", width)
        self.image_shape = tuple(image_shape)
        self.width = width
        self.num_classes = num_classes
        policy = self.dtype_policy
        steps = strides(self.image_shape)
        widths = [width * 2**index for index in range(len(steps))]
        start = list(self.image_shape[:-1])
        for step in steps:
            start = [size // by for size, by in zip(start, step, strict=True)]
        self.start = (*start, widths[-1])
        self.dense = keras.layers.Dense(
            math.prod(self.start),
            use_bias=False,
            kernel_initializer=normal(),
            dtype=policy,
            name="dense",
        )
        transposed = {3: keras.layers.Conv2DTranspose, 4: keras.layers.Conv3DTranspose}
        outputs = [self.image_shape[-1], *widths[:-1]]
        self.convolutions = [
            transposed[len(self.image_shape)](
                outputs[index],
                KERNEL,
                strides=steps[index],
                padding="same",
                use_bias=index == 0,  # the others are followed by a norm
                kernel_initializer=normal(),
                dtype=policy,
                name=f"convolution_{index}",
            )
            for index in reversed(range(len(steps)))
        ]
        self.norms = [
            self._make_norm(f"norm_{index}") for index in reversed(range(len(steps)))
        ]

    def _make_norm(self, name):
        if self.num_classes is None:
            return BatchNormalization(dtype=self.dtype_policy, name=name)
        return ConditionalBatchNormalization(
            self.num_classes, dtype="float32", name=name
        )

    def build(self, latents_shape, labels_shape=None):
        self.dense.build((None, latents_shape[-1] + (self.num_classes or 0)))
        shape = (None, *self.start)
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            norm.build(shape)
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)

    def call(self, latents, labels=None, training=False):
        if self.num_classes is not None:
            rows = ops.one_hot(labels, self.num_classes, dtype=latents.dtype)
            latents = ops.concatenate([latents, rows], axis=-1)
        x = ops.reshape(self.dense(latents), (-1, *self.start))
        for norm, convolution in zip(self.norms, self.convolutions, strict=True):
            condition = {} if self.num_classes is None else {"labels": labels}
            x = ops.relu(norm(x, training=training, **condition))
            x = convolution(x)
        return ops.tanh(ops.cast(x, "float32"))

    def compute_output_shape(self, latents_shape, labels_shape=None):
        return (latents_shape[0], *self.image_shape)

    def get_config(self):
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "width": self.width,
            "num_classes": self.num_classes,
        }


@register
class PictureToScore(keras.layers.Layer):
    """Strided convolutions, each half as large and twice as wide, then one number.

    With classes, the score is the projection discriminator's: the dense layer's plus
    the inner product of the features with a vector of the class. These features come
    from a hidden dense layer that sees the whole picture: a few strided convolutions
    see too little of a large one to tell a digit.

    Args:
        image_shape: `(H, W, C)`, or `(F, H, W, C)` for videos. H and W are divisible
            by 4.
        width: int. Channels after the first convolution.
        num_classes: int or `None`.
        norm: `"batch"`, `"layer"` or `None`. Normalisation after every convolution but
            the first. The batch's mixes pictures: no gradient penalty goes with it.
        spectral: bool. Spectral normalisation of all weights.

    Call arguments:
        images: float `(B, *image_shape)` in [-1, 1].
        labels: int `(B,)` or `None`.
        training: bool.

    Returns:
        float32 `(B,)`, higher for real.

    Raises:
        ValueError: if `norm` is unknown.

    Reference: Radford et al. 2016, section 3, https://arxiv.org/abs/1511.06434;
        Miyato & Koyama 2018, eq. 3, https://arxiv.org/abs/1802.05637
    """

    def __init__(
        self, image_shape, width, num_classes=None, norm=None, spectral=False, **kwargs
    ):
        super().__init__(**kwargs)
        if norm not in ("batch", "layer", None):
            raise ValueError(
                f'`norm` must be "batch", "layer" or `None`. Received: {norm=}'
            )
        check_size("width", width)
        self.image_shape = tuple(image_shape)
        self.width = width
        self.num_classes = num_classes
        self.norm = norm
        self.spectral = spectral
        self.steps = strides(self.image_shape)
        kinds = {3: keras.layers.Conv2D, 4: keras.layers.Conv3D}
        self.convolutions = [
            self._linear(
                kinds[len(self.image_shape)],
                f"convolution_{index}",
                has_bias=norm is None or index == 0,
                filters=width * 2**index,
                kernel_size=KERNEL,
                strides=step,
                padding="same",
                kernel_initializer=normal(),
            )
            for index, step in enumerate(self.steps)
        ]
        self.norms = [
            self._make_norm(f"norm_{index}") for index in range(1, len(self.steps))
        ]
        self.dense = self._linear(
            keras.layers.Dense, "dense", units=1, kernel_initializer=normal()
        )
        if num_classes is not None:
            hidden = width * 2 ** len(self.steps)
            self.hidden = self._linear(
                keras.layers.Dense, "hidden", units=hidden, kernel_initializer=normal()
            )
            self.classes = self._linear(
                keras.layers.Dense,
                "classes",
                has_bias=False,
                units=hidden,
                kernel_initializer=normal(),
            )

    def _linear(self, kind, name, has_bias=True, **config):
        policy = self.dtype_policy
        if not self.spectral:
            return kind(use_bias=has_bias, dtype=policy, name=name, **config)
        inner = kind(use_bias=False, dtype=policy, name="linear", **config)
        return SpectralNormalization(inner, has_bias, dtype=policy, name=name)

    def _make_norm(self, name):
        if self.norm == "batch":
            return BatchNormalization(dtype=self.dtype_policy, name=name)
        if self.norm == "layer":
            return keras.layers.GroupNormalization(1, dtype="float32", name=name)
        return keras.layers.Identity(dtype="float32", name=name)

    def build(self, images_shape, labels_shape=None):
        shape = (None, *self.image_shape)
        for convolution, norm in zip(
            self.convolutions, [None, *self.norms], strict=True
        ):
            convolution.build(shape)
            shape = convolution.compute_output_shape(shape)
            if norm is not None:
                norm.build(shape)
        flat = math.prod(shape[1:])
        if self.num_classes is not None:
            self.hidden.build((None, flat))
            flat = self.hidden.compute_output_shape((None, flat))[-1]
            self.classes.build((None, self.num_classes))
        self.dense.build((None, flat))

    def call(self, images, labels=None, training=False):
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
        rows = ops.one_hot(labels, self.num_classes, dtype=self.compute_dtype)
        vector = self.classes(rows, training=training)
        agreement = ops.cast(vector, "float32") * ops.cast(x, "float32")
        score = self.dense(x, training=training)[:, 0]
        return ops.cast(score, "float32") + ops.sum(agreement, axis=-1)

    def compute_output_shape(self, images_shape, labels_shape=None):
        return (images_shape[0],)

    def get_config(self):
        return {
            **super().get_config(),
            "image_shape": self.image_shape,
            "width": self.width,
            "num_classes": self.num_classes,
            "norm": self.norm,
            "spectral": self.spectral,
        }
