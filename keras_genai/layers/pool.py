"""A memory of earlier fakes, as weights, so that a resumed run remembers them."""

import keras
import tensorflow as tf
from keras import ops

from keras_genai import compat, replicas
from keras_genai.checks import check_size
from keras_genai.registry import register


@register
class ImagePool(keras.layers.Layer):
    """Hands back earlier pictures instead of half of those it is given.

    Under several replicas there is one pool, of the pictures of all.

    Args:
        size: int. Pictures to remember; at least those of a batch.
        image_shape: tuple of int.

    Call arguments:
        images: float32 `(B, *image_shape)`, B at most `size`.

    Returns:
        float32 `(B, *image_shape)`. Until the pool is full, `images` themselves.

    Raises:
        ValueError: if a batch is larger than the pool; an `InvalidArgumentError` in a
            graph that does not know its size.

    Reference: Shrivastava et al. 2017, section 2.3, https://arxiv.org/abs/1612.07828
    """

    def __init__(self, size, image_shape, **kwargs):
        super().__init__(**kwargs)
        check_size("size", size)
        self.size = size
        self.image_shape = tuple(image_shape)
        self.seeds = keras.random.SeedGenerator(name="seeds")
        with compat.name_scope(self):
            self.pictures = self.add_weight(
                (size, *self.image_shape),
                "zeros",
                trainable=False,
                aggregation="only_first_replica",  # all do the same
                name="pictures",
            )
            self.seen = self.add_weight(
                (),
                "zeros",
                dtype="int32",
                trainable=False,
                aggregation="only_first_replica",
                name="seen",
            )
        self.built = True

    def call(self, images):
        return replicas.own_rows(self._swap(replicas.gather(images)), images)

    def _swap(self, images):
        count = images.shape[0]
        if count is None:
            count = ops.shape(images)[0]
            small = tf.debugging.assert_less_equal(
                count, self.size, f"`images` must be a batch of at most {self.size}"
            )
            with tf.control_dependencies([small]):
                count = tf.identity(count)
        elif count > self.size:
            raise ValueError(
                f"`images` must be a batch of at most {self.size}. "
                f"Received: shape {tuple(images.shape)}"
            )
        filling = self.seen < self.size
        order = keras.random.shuffle(ops.arange(self.size), seed=self.seeds)[:count]
        turn = (ops.arange(count) + self.seen) % self.size
        places = ops.where(filling, turn, order)  # all different
        chance = keras.random.uniform((count,), dtype="float32", seed=self.seeds)
        swaps = ops.logical_and(chance < 0.5, ops.logical_not(filling))
        swaps = ops.reshape(swaps, (count, *(1 for _ in self.image_shape)))
        kept = ops.logical_or(swaps, filling)
        old = ops.take(self.pictures, places, axis=0)
        self.pictures.assign(
            ops.scatter_update(
                self.pictures, places[:, None], ops.where(kept, images, old)
            )
        )
        self.seen.assign(ops.minimum(self.seen + count, self.size))
        return ops.where(swaps, old, images)

    def compute_output_shape(self, images_shape):
        return images_shape

    def get_config(self):
        return {
            **super().get_config(),
            "size": self.size,
            "image_shape": self.image_shape,
        }
