"""Points: objects in space as points on their surfaces, from meshes and as files."""

import dataclasses
import math
import os
import pathlib

import numpy as np
from keras import ops

from keras_genai.checks import check_size
from keras_genai.files.meshes import encode_obj, encode_ply, read_mesh, surface
from keras_genai.files.writing import write_bytes
from keras_genai.modalities import point_pictures
from keras_genai.modalities.base import Modality
from keras_genai.modalities.fields import BATCH, LARGEST, SMALLEST, Field
from keras_genai.registry import register

_APART = 1.25  # from one object to the next in a file
_SEED = 20_201_127  # of the points that are drawn on a mesh


@dataclasses.dataclass(frozen=True)
class Coordinates(Field):
    """Objects of one number of points, in the unit cube.

    Args:
        count: int, points.
    """

    count: int
    kinds = "f"

    @property
    def shape(self):
        return (self.count, 3)

    @property
    def allowed(self):
        return f"float in [0, 1] of shape ({BATCH}, {self.count}, 3)"

    def span(self):
        return SMALLEST, LARGEST

    def accepts(self, low, high):
        # NaN shows in the loss, as that of pictures does.
        return ~((low < SMALLEST) | (high > LARGEST))

    def hint(self, low, high):
        if low is None or not np.isfinite([low, high]).all():
            return ""
        return "; move and shrink each object into the unit cube"

    def centred(self, tensor):
        return 2.0 * tensor - 1.0  # from -1 to 1


@register
@dataclasses.dataclass(frozen=True)
class Points(Modality):
    """Objects in space: so many points on the surface of each, in no order.

    A value is a float32 array `(N, P, 3)` of N objects: right, back and up, each from
    0 to 1. As a file it is PLY, or OBJ where its name says so, with several objects
    side by side; beside it lies a picture from three sides, `.png`. As a grid, an
    object is a picture one pixel wide, so that a `Diffusion` takes it.

    Args:
        count: int, P.

    Raises:
        TypeError: if `count` is not an int.
        ValueError: if it is out of range.
    """

    count: int

    key, suffix, noun = "points", ".ply", "objects"
    suffixes = (".ply", ".obj")

    def __post_init__(self):
        check_size("count", self.count)

    @property
    def shape(self):
        """`(P, 3)`."""
        return (self.count, 3)

    @property
    def numbers(self):
        return math.prod(self.shape)

    @property
    def fields(self):
        return {self.key: Coordinates(self.count)}

    @property
    def sizes(self):
        return {"points": self.count}

    def read(self, value, name=None):
        """Objects that a person has.

        Of a file with faces, points are drawn on these, the same in every call; of one
        without, as many are chosen of those it has. What leaves the unit cube is moved
        and shrunk into it, on its floor, in one piece.

        Args:
            value: path of a PLY or OBJ file, float array `(P, 3)` in [0, 1], or a list
                of those; or an array `(N, P, 3)`.
            name: see `Modality`.

        Returns:
            float32 `(N, P, 3)`.

        Raises:
            OSError: if a file cannot be read.
            ValueError: if it is none of points, or of too few; for another shape, or
                for values out of range.
        """
        name = name or self.key
        if isinstance(value, str | os.PathLike) or getattr(value, "ndim", 3) == 2:
            value = [value]
        if isinstance(value, list | tuple):
            if not value:
                raise ValueError(f"`{name}` must be at least one object. Received: []")
            value = np.stack([self._one(each, name) for each in value])
        return self._checked(np.asarray(value), name)

    def _one(self, value, name):
        if isinstance(value, str | os.PathLike):
            return self._of_file(value, name)
        return self._checked(np.asarray(value)[None], name)[0]

    def _of_file(self, path, name):
        mesh = read_mesh(path)
        points = _into_the_cube(mesh.points)
        if len(mesh.faces):
            return surface(mesh._replace(points=points), self.count, _SEED)
        if len(points) < self.count:
            raise ValueError(
                f"`{name}` must have faces, or at least {self.count} points. Received: "
                f"{path} with {len(points)} points"
            )
        order = np.random.default_rng(_SEED).permutation(len(points))
        return points[np.sort(order[: self.count])]

    def _checked(self, array, name):
        field = self.fields[self.key]
        field.check_type(name, array)
        if not len(array):
            raise ValueError(f"`{name}` must be {field.allowed}. Received: none")
        if not np.isfinite(array).all():
            raise ValueError(f"`{name}` must be {field.allowed}. Received: NaN")
        field.check(name, array)
        return array.astype("float32")

    @property
    def grid_shape(self):
        """`(P, 1, 3)`, the shape of what `to_grid` returns."""
        return (self.count, 1, 3)

    def to_grid(self, tensor):
        """A batch as pictures one pixel wide, float `(B, P, 1, 3)`."""
        return ops.reshape(tensor, (-1, *self.grid_shape))

    def from_grid(self, tensor):
        """The inverse of `to_grid`."""
        return ops.reshape(tensor, (-1, *self.shape))

    def told(self, tensor):
        """float `(B, P, 1, 3)` in [-1, 1]."""
        return 2 * self.to_grid(tensor) - 1

    def encode(self, value):
        return encode_ply(_side_by_side(value))

    def picture(self, value):
        """bytes of a PNG: each object from the front, from the right and from above."""
        return point_pictures.draw(np.asarray(value))

    def write(self, path, value):
        """As `Modality.write`, also as OBJ, and beside it the picture."""
        path = pathlib.Path(path)
        if path.suffix == ".obj":
            write_bytes(path, encode_obj(_side_by_side(value)))
        else:
            path = super().write(path, value)
        write_bytes(path.with_suffix(".png"), self.picture(value))
        return path


def _into_the_cube(points):
    """Points moved and shrunk into the unit cube, unless they are in it."""
    low, high = points.min(axis=0), points.max(axis=0)
    if (low >= 0).all() and (high <= 1).all():
        return points
    size = (high - low).max() or 1.0
    moved = (points - (low + high) / 2) / size + 0.5
    moved[:, 2] = (points[:, 2] - low[2]) / size  # on the floor
    return moved.clip(0, 1)


def _side_by_side(value):
    """float `(N * P, 3)`: objects in rows on the floor, the first where it is."""
    value = np.asarray(value, "float32")
    columns = math.ceil(math.sqrt(len(value)))
    row, column = np.divmod(np.arange(len(value)), columns)
    places = _APART * np.stack([column, -row, 0 * row], axis=1)
    return (value + places[:, None].astype("float32")).reshape(-1, 3)
