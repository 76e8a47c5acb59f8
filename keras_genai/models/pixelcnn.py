"""PixelCNN: a grid of pixels or codes, each predicted from those before it."""

import functools

import keras
import tensorflow as tf
from keras import ops

from keras_genai.checks import check_number, check_size
from keras_genai.layers.masked import MaskedConvolution
from keras_genai.registry import register
from keras_genai.samplers.session import compiled
from keras_genai.tasks import pictures
from keras_genai.tasks.codes import CodeModel


@register
class PixelCNN(CodeModel):
    """Masked convolutions in residual blocks over the pixels of a picture.

    It models grey pictures in a few levels by itself, or, inside a `GridPrior`, the
    codes of another model.

    Args:
        image_shape: `(H, W, 1)`.
        levels: int >= 2. Grey levels, or codes.
        width: int. Channels between the blocks.
        depth: int. Residual blocks.
        threshold: float. With two levels, pixels above it are white; more levels are
            evenly spaced.
        dropout: float. Rate inside the blocks.
        num_classes: int or `None`. If given, everything is conditioned on labels.

    Call arguments, returns: see `CodeModel`.

    Raises:
        ValueError: if an argument is out of range, or a batch is of another shape.

    Reference: van den Oord et al. 2016, sections 3.3-3.4,
        https://arxiv.org/abs/1601.06759; sizes as in
        https://keras.io/examples/generative/pixelcnn
    """

    jit_generate = False  # XLA's convolutions are slow on CPUs

    channels = 1  # the only ones that it models

    def __init__(
        self,
        image_shape,
        levels=2,
        width=128,
        depth=5,
        threshold=0.33,
        dropout=0.0,
        num_classes=None,
        **kwargs,
    ):
        pictures.check_image_shape(image_shape)
        if image_shape[-1] != 1:
            raise ValueError(
                "`image_shape` must be (height, width, 1): PixelCNN models grey "
                f"pictures and codes. Received: {image_shape=}"
            )
        check_size("levels", levels, 2)
        check_size("width", width)
        check_size("depth", depth)
        check_number("threshold", threshold, "in [0, 1]", lambda x: 0 <= x <= 1)
        pictures.check_rate("dropout", dropout)
        super().__init__(image_shape, image_shape[:-1], levels, num_classes, **kwargs)
        self.levels = levels
        self.width = width
        self.depth = depth
        self.threshold = threshold
        self.dropout_rate = dropout
        self._make_layers()
        self.built = True

    def _make_layers(self):
        policy = self.dtype_policy
        self.first = MaskedConvolution(
            self.width, 7, see_centre=False, dtype=policy, name="first"
        )
        self.first.build((None, None, None, self.levels))
        self.blocks = [
            MaskedBlock(
                self.width,
                self.dropout_rate,
                self.num_classes,
                dtype=policy,
                name=f"block_{index}",
            )
            for index in range(self.depth)
        ]
        shape = (None, None, None, self.width)
        for block in self.blocks:
            block.build(shape)
        self.hidden = keras.layers.Dense(
            self.width, "relu", dtype=policy, name="hidden"
        )
        self.head = keras.layers.Dense(self.levels, dtype=policy, name="head")
        self.hidden.build(shape)
        self.head.build(shape)

    def tokens_of(self, images):
        images = ops.cast(images[..., 0], "float32")
        if self.levels == 2:
            return ops.cast(images > self.threshold, "int32")
        return ops.cast(ops.round(images * (self.levels - 1)), "int32")

    def logits_of(self, codes, labels=None, training=False):
        x = ops.one_hot(codes, self.levels, dtype=self.compute_dtype)
        x = self.first(x)
        for block in self.blocks:
            x = block(x, labels, training=training)
        return ops.cast(self.head(self.hidden(ops.relu(x))), "float32")

    def draw_codes(self, count, labels=None, seed=0, temperature=1.0):
        size = pictures.few_sizes(count)
        if labels is not None:
            labels = tf.constant(pictures.padded_rows(labels, size))
        draw = compiled(
            self, ("draw", size), lambda: functools.partial(self._draw, size)
        )
        numbers = tf.constant(seed, tf.int64), tf.constant(temperature, tf.float32)
        return draw(labels, *numbers).numpy()[:count]

    def _draw(self, count, labels, seed, temperature):
        height, width = self.grid_shape

        def step(place, codes):
            logits = self.logits_of(tf.reshape(codes, (count, height, width)), labels)
            logits = tf.reshape(logits, (count, height * width, self.levels))
            drawn = tf.random.stateless_categorical(
                logits[:, place] / temperature,
                1,
                seed=pictures.key(seed, place),
                dtype=tf.int32,
            )
            here = tf.range(height * width)[None] == place
            return place + 1, tf.where(here, drawn, codes)

        start = tf.constant(0), tf.zeros((count, height * width), tf.int32)
        _, codes = tf.while_loop(lambda place, _: place < height * width, step, start)
        return tf.reshape(codes, (count, height, width))

    def decode_tokens(self, codes):
        codes = pictures.to_codes(codes, self.grid_shape, self.num_codes)
        return (codes[..., None] / (self.levels - 1)).astype("float32")

    def get_config(self):
        return {
            **super().get_config(),
            "image_shape": list(self.image_shape),
            "levels": self.levels,
            "width": self.width,
            "depth": self.depth,
            "threshold": self.threshold,
            "dropout": self.dropout_rate,
            "num_classes": self.num_classes,
        }


@register
class MaskedBlock(keras.layers.Layer):
    """Residual block: narrow, look at the past, widen.

    Args:
        width: int. Channels of inputs and outputs; inside are half as many.
        dropout: float.
        num_classes: int or `None`.

    Call arguments:
        inputs: float `(B, H, W, width)`.
        labels: int `(B,)`, or `None` without classes.
        training: bool.

    Returns:
        float `(B, H, W, width)`.

    Reference: van den Oord et al. 2016, figure 5, https://arxiv.org/abs/1601.06759
    """

    def __init__(self, width, dropout=0.0, num_classes=None, **kwargs):
        super().__init__(**kwargs)
        self.width = width
        self.dropout_rate = dropout
        self.num_classes = num_classes
        policy, half = self.dtype_policy, max(1, width // 2)
        self.narrow = keras.layers.Dense(half, "relu", dtype=policy, name="narrow")
        self.look = MaskedConvolution(half, 3, dtype=policy, name="look")
        self.dropout = keras.layers.Dropout(dropout, dtype=policy, name="dropout")
        self.widen = keras.layers.Dense(width, dtype=policy, name="widen")
        if num_classes:
            self.classes = keras.layers.Embedding(
                num_classes, half, dtype=policy, name="classes"
            )

    def build(self, inputs_shape, labels_shape=None):
        half = max(1, self.width // 2)
        self.narrow.build(inputs_shape)
        self.look.build((*inputs_shape[:-1], half))
        self.dropout.build((*inputs_shape[:-1], half))
        self.widen.build((*inputs_shape[:-1], half))
        if self.num_classes:
            self.classes.build((None,))

    def call(self, inputs, labels=None, training=False):
        x = self.look(self.narrow(ops.relu(inputs)))
        if self.num_classes:
            x = x + self.classes(labels)[:, None, None]
        x = self.dropout(ops.relu(x), training=training)
        return inputs + self.widen(x)

    def get_config(self):
        return {
            **super().get_config(),
            "width": self.width,
            "dropout": self.dropout_rate,
            "num_classes": self.num_classes,
        }
