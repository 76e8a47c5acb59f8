"""PixelModel: grey pictures, pixel by pixel."""

from typing import ClassVar

from keras import ops

from keras_genai.declared import Levels, Share
from keras_genai.modalities.base import Modality
from keras_genai.modalities.image import Image
from keras_genai.networks.base import Network
from keras_genai.registry import register
from keras_genai.tasks import grid_draws, pictures
from keras_genai.tasks.codes import CodeModel


@register
class PixelModel(CodeModel):
    """Grey pictures in a few levels, each pixel given those before it.

    Args:
        network: of codes, such as `PixelCNN`.
        target: `Image` of `(H, W, 1)`.
        given: `Label` or nothing. With it, everything is conditioned on labels.
        levels: int >= 2. Grey levels.
        threshold: float. With two levels, pixels above it are white; more levels are
            evenly spaced.

    Call arguments, returns: see `CodeModel`.

    Raises:
        ValueError: if an argument is out of range, or a batch is of another shape.

    Reference: van den Oord et al. 2016, https://arxiv.org/abs/1601.06759
    """

    network: Network
    target: Image
    given: tuple[Modality, ...] = ()
    levels: Levels = 2
    threshold: Share = 0.33

    jit_generate: ClassVar = False  # XLA's convolutions are slow on CPUs

    def check(self):
        super().check()
        if self.image_shape[-1] != 1:
            raise ValueError(
                "`target` must be (height, width, 1): a PixelModel draws greys. "
                f"Received: {self.image_shape}"
            )

    @property
    def grid_shape(self):
        return self.image_shape[:-1]

    @property
    def num_codes(self):
        return self.levels

    def tokens_of(self, images):
        images = ops.cast(images[..., 0], "float32")
        if self.levels == 2:
            return ops.cast(images > self.threshold, "int32")
        return ops.cast(ops.round(images * (self.levels - 1)), "int32")

    def logits_of(self, codes, labels=None, training=False):
        return self.network(codes, labels, training=training)

    def draw_codes(self, count, labels=None, seed=0, temperature=1.0):
        return grid_draws.draw(self, count, labels, seed, temperature)

    def decode_tokens(self, codes):
        codes = pictures.to_codes(codes, self.grid_shape, self.num_codes)
        return (codes[..., None] / (self.levels - 1)).astype("float32")
