"""Augmentation of what a discriminator sees, stronger when it overfits."""

import keras
from keras import ops

from keras_genai import compat, replicas
from keras_genai.registry import register


@register
class AdaptiveAugmentation(keras.layers.Layer):
    """Moves, stretches and recolours pictures, each change with probability p.

    Real and fake pictures go through it alike, so that the generator does not learn
    the changes as long as p is clearly below 1. p follows the share of real pictures
    that the discriminator is sure of: above `target` it rises, below it falls. p is a
    weight; files hold it.

    The changes: a shift of up to an eighth of a side, a common and a separate scaling
    of the sides by about a fifth, brightness, and contrast. They are products with
    small matrices, so that XLA compiles them and gradients of any order pass.

    Args:
        target: float or `None`. `None` leaves p as it is.
        probability: float in [0, 1). Where p begins.
        speed: float. Change of p for each picture.

    Call arguments:
        images: float32 `(B, H, W, C)` in [-1, 1].

    Returns:
        float32 `(B, H, W, C)`.

    Reference: Karras et al. 2020, sections 2 and 3, https://arxiv.org/abs/2006.06676
    """

    largest = 0.8  # beyond it the generator would learn the changes

    def __init__(self, target=0.6, probability=0.0, speed=1e-5, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        if not 0 <= probability < 1:
            raise ValueError(
                f"`probability` must be a float in [0, 1). Received: {probability=}"
            )
        self.target = target
        self.first_probability = probability
        self.speed = speed
        self.seeds = replicas.SeedGenerator(name="seeds")
        with compat.name_scope(self):
            self.probability = self.add_weight(
                (),
                keras.initializers.Constant(probability),
                trainable=False,
                aggregation="only_first_replica",  # all know the same
                name="probability",
            )
        self.built = True

    def adjust(self, real_scores):
        """Moves p after a look at real pictures.

        Args:
            real_scores: float32 `(B,)`, what the discriminator said of them; under
                several replicas those of all are looked at.
        """
        if self.target is None:
            return
        real_scores = replicas.gather(real_scores)
        sure = ops.mean(ops.sign(real_scores))
        count = ops.cast(ops.shape(real_scores)[0], "float32")
        change = ops.sign(sure - self.target) * count * self.speed
        p = ops.clip(self.probability + change, 0.0, self.largest)
        self.probability.assign(p)

    def call(self, images):
        images = ops.cast(images, "float32")
        x = self._move(images)
        brightness = self._chosen(0.2 * self._normal(images))
        contrast = ops.exp(self._chosen(0.3 * self._normal(images)))
        shape = (-1, 1, 1, 1)
        # Around black, so that an empty background stays one picture's constant.
        x = (x + 1.0) * ops.reshape(contrast, shape) - 1.0
        return x + ops.reshape(brightness, shape)

    def _move(self, images):
        common = self._chosen(0.2 * self._normal(images))
        apart = self._chosen(0.2 * self._normal(images))
        down, right = (
            self._chosen(self._uniform(images) / 4 - 1 / 8) for _ in range(2)
        )
        rows = _resampling(images.shape[1], ops.exp(common + apart), down)
        columns = _resampling(images.shape[2], ops.exp(common - apart), right)
        # What comes from outside is black, the -1 of pictures.
        x = ops.einsum("bik,bkwc->biwc", rows, images + 1.0)
        return ops.einsum("bjk,bikc->bijc", columns, x) - 1.0

    def _normal(self, images):
        return keras.random.normal(
            (ops.shape(images)[0],), dtype="float32", seed=self.seeds
        )

    def _uniform(self, images):
        return keras.random.uniform(
            (ops.shape(images)[0],), dtype="float32", seed=self.seeds
        )

    def _chosen(self, change):
        """`change`, with probability p, otherwise 0: nothing."""
        chance = keras.random.uniform(
            (ops.shape(change)[0],), dtype="float32", seed=self.seeds
        )
        return ops.where(chance < self.probability, change, 0.0)

    def compute_output_shape(self, images_shape):
        return images_shape

    def get_config(self):
        return {
            **super().get_config(),
            "target": self.target,
            "probability": self.first_probability,
            "speed": self.speed,
        }


def _resampling(size, scale, shift):
    """Matrices that stretch and shift one axis, by linear interpolation.

    Args:
        size: int, N.
        scale: float32 `(B,)`.
        shift: float32 `(B,)`, as a fraction of the axis.

    Returns:
        float32 `(B, N, N)`: the weight of each old place in each new one.
    """
    places = ops.arange(size, dtype="float32")
    middle = (size - 1) / 2
    source = (places[None] - middle - shift[:, None] * size) / scale[:, None] + middle
    distance = ops.abs(source[:, :, None] - places[None, None])
    return ops.relu(1.0 - distance)
