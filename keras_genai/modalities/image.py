"""Image and Video: float pictures in [0, 1], however they are handed in."""

import dataclasses
import math
import os

import numpy as np
from keras import ops

from keras_genai.checks import check_flag, check_image_shape
from keras_genai.files.pictures import read_picture
from keras_genai.modalities.base import Modality
from keras_genai.modalities.fields import Pictures
from keras_genai.modalities.grids import png
from keras_genai.registry import register


@register
@dataclasses.dataclass(frozen=True)
class Image(Modality):
    """Pictures of one shape, float in [0, 1].

    Args:
        shape: `(H, W, C)`.
        key: str. What they are called in a batch.
        bounded: bool. If `False`, floats may leave [0, 1], as those of pictures under
            noise do that nobody clipped.

    Raises:
        ValueError: if it is no such shape.
    """

    shape: tuple[int, ...]
    key: str = "images"
    bounded: bool = True

    suffix = ".png"
    noun = "pictures"
    conditions = ("data", "data_dir")
    ranks = (3,)  # of its shapes

    def __post_init__(self):
        shape = check_image_shape("shape", tuple(self.shape), self.ranks)
        object.__setattr__(self, "shape", shape)
        check_flag("bounded", self.bounded)

    @property
    def fields(self):
        return {self.key: Pictures(self.shape, self.bounded)}

    def read(self, value, name=None):
        """Pictures that a person has, as float32 in [0, 1].

        Args:
            value: array `(N, H, W, C)`, or one picture `(H, W, C)`: uint8, or float
                in [0, 1]; or a path, a picture of PIL, or a list of those.
            name: see `Modality`.

        Returns:
            float32 `(N, H, W, C)`.

        Raises:
            ValueError: for another shape, or values out of range.
            OSError: if a file cannot be read.
        """
        name = name or self.key
        value = self._opened(value, name)
        if value.ndim == len(self.shape):
            value = value[None]
        if value.shape[1:] != self.shape or not len(value):
            raise ValueError(
                f"`{name}` must be (batch, {', '.join(map(str, self.shape))}). "
                f"Received: {value.dtype} of shape {value.shape}"
            )
        return _to_float(value, name, self.fields[self.key])

    def _opened(self, value, name):
        """The array of a value; files are opened, in the channels that are asked."""
        values = value if isinstance(value, list) else [value]
        if values and all(
            _is_file(each) or hasattr(each, "getexif") for each in values
        ):
            return np.stack([self._pixels(each, name) for each in values])
        return np.asarray(value)

    def _pixels(self, value, name):
        import PIL.Image

        if _is_file(value):
            try:
                value = PIL.Image.fromarray(_flat(read_picture(value)))
            except OSError as error:
                raise OSError(f"`{name}` cannot be read: {value}: {error}") from None
        pixels = np.asarray(value.convert("L" if self.shape[-1] == 1 else "RGB"))
        return pixels.reshape(*pixels.shape[:2], -1)

    @property
    def grid_shape(self):
        """`(H, W, C)` of what `to_grid` returns."""
        return self.shape

    def to_grid(self, tensor):
        """A batch as pictures with channels, float `(B, *grid_shape)`."""
        return tensor

    def from_grid(self, tensor):
        """The inverse of `to_grid`."""
        return tensor

    def told(self, tensor):
        """float `(B, *grid_shape)` in [-1, 1]."""
        return 2 * self.to_grid(tensor) - 1

    def encode(self, value):
        return png(value)

    def picture(self, value):
        return png(value)

    @property
    def numbers(self):
        return math.prod(self.shape)

    @property
    def sizes(self):
        if self.key == "images":
            return {"image_shape": self.shape}
        return {f"{self.key}_shape": self.grid_shape}  # which networks are told


@register
@dataclasses.dataclass(frozen=True)
class Video(Image):
    """Videos of one shape, float in [0, 1]; seen as a row of frames.

    As a grid, the frames of a video are channels of one picture.

    Args:
        shape: `(F, H, W, C)`.
        key, bounded: see `Image`.
    """

    noun = "videos"
    ranks = (4,)

    @property
    def grid_shape(self):
        frames, *sides, channels = self.shape
        return (*sides, frames * channels)

    def to_grid(self, tensor):
        frames, *sides, _ = self.shape
        tensor = ops.moveaxis(tensor, 1, -2)  # (B, H, W, F, C)
        return ops.reshape(tensor, (-1, *sides, frames * tensor.shape[-1]))

    def from_grid(self, tensor):
        frames, *sides, channels = self.shape
        tensor = ops.reshape(tensor, (-1, *sides, frames, channels))
        return ops.moveaxis(tensor, -2, 1)


def pictures(shape, key="images"):
    """`Image` or `Video`, whichever has such a shape."""
    return (Image, Video)[len(shape) - 3](shape, key)


def _flat(pixels):
    """Pixels as PIL takes them: grey ones without an axis of channels."""
    return pixels[:, :, 0] if pixels.shape[-1] == 1 else pixels


def _is_file(value):
    return isinstance(value, str | os.PathLike)


def _to_float(images, name, field):
    if images.dtype == np.uint8:
        return images.astype("float32") / 255.0
    allowed = "float in [0, 1]" if field.bounded else "finite float"
    if images.dtype.kind not in "fiub":
        raise ValueError(
            f"`{name}` must be uint8, or {allowed}. Received: {images.dtype}"
        )
    images = images.astype("float32")
    low, high = images.min(), images.max()
    lowest, highest = field.span()
    if not (low >= lowest and high <= highest):  # NaN is neither
        raise ValueError(
            f"`{name}` must be uint8, or {allowed}. "
            f"Received: values from {low} to {high}{field.hint(low, high)}"
        )
    return images
