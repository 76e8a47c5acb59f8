"""Weights in 8 bits in a file, and in float32 once they are read.

A float weight `NAME` may lie in a safetensors file as two tensors: `NAME`, I8, of the
weight's shape, and `NAME/int8_scale`, F32, which has as many axes, each of length 1 but
for one at most, which is as long as the weight's. The weight is their product. So the
model that is opened is an ordinary one; `keras_genai.layers.quantized` also computes
with such integers.
"""

import dataclasses
import math

import numpy as np

from keras_genai.files.tensors import Tensor, aligned_empty, brief, is_finite

SCALE = "/int8_scale"  # behind the name of the integers
LARGEST = 127
FEWEST = 4096  # numbers of a weight that is worth it
FEWEST_A_SCALE = 32  # numbers, of a byte each, that share a scale of four


@dataclasses.dataclass(frozen=True)
class Int8Tensor:
    """Integers and their scale, read as the floats that they stand for.

    Args:
        values: `Tensor` of I8.
        scale: `Tensor` of F32.

    Raises:
        ValueError: if the two do not fit, before a number is read.
    """

    values: Tensor
    scale: Tensor
    dtype = "I8 times F32"
    numpy_dtype = np.dtype("<f4")

    def __post_init__(self) -> None:
        values, scale = self.values, self.scale
        lengths = list(zip(scale.shape, values.shape, strict=False))
        fits = (
            (values.dtype, scale.dtype) == ("I8", "F32")
            and len(scale.shape) == len(values.shape)
            and all(length in (1, whole) for length, whole in lengths)
            and sum(length != 1 for length in scale.shape) <= 1
        )
        if not fits:
            raise ValueError(
                f"{scale.path}: {brief(scale.name)} must be F32 and, but for one axis, "
                f"of length 1, for I8. Received: {scale.dtype} {brief(scale.shape)} "
                f"for {values.dtype} {brief(values.shape)}"
            )

    @property
    def shape(self) -> tuple:
        """That of the weight."""
        return self.values.shape

    def read(self) -> np.ndarray:
        """The weight, in memory that TensorFlow can take over.

        Returns:
            float32 array of `shape`, finite.

        Raises:
            ValueError: as `Tensor.read`, and if a scale is not above 0 or too large.
        """
        scale = self.scale.read()
        array = aligned_empty(self.shape, "float32")
        with np.errstate(over="ignore"):
            np.multiply(self.values.read(), scale, out=array)
        if not (scale > 0).all() or not is_finite(array):
            raise ValueError(
                f"{self.scale.path} is damaged: {brief(self.scale.name)} must be above "
                "0, and its products finite"
            )
        return array


def joined(tensors: dict[str, Tensor]) -> dict[str, Tensor | Int8Tensor]:
    """The weights of a file: integers that have a scale beside them become one.

    Args:
        tensors: dict from str to `Tensor`, of `read_header`.

    Returns:
        dict from str to `Tensor` or `Int8Tensor`. A scale of nothing stays in it, as
        the tensor that it is.

    Raises:
        ValueError: if integers and scale do not fit.
    """
    scales = {
        name: tensors[name + SCALE]
        for name in tensors
        if name + SCALE in tensors and not name.endswith(SCALE)
    }
    taken = {scale.name for scale in scales.values()}
    return {
        name: Int8Tensor(tensor, scales[name]) if name in scales else tensor
        for name, tensor in tensors.items()
        if name not in taken
    }


def is_worth_it(shape: tuple[int, ...]) -> bool:
    """Whether a weight is large, no vector, and has an axis to scale along."""
    large = len(shape) > 1 and math.prod(shape) >= FEWEST
    return large and bool(_axes(shape))


def split(name: str, array: np.ndarray) -> dict[str, np.ndarray]:
    """The two tensors that stand for a weight.

    There is a scale for each index of that axis by which least is lost: it may be the
    output channels, the input channels, or the rows of a table.

    Args:
        name: str.
        array: float array whose shape `is_worth_it`.

    Returns:
        dict of `name`: int8 from -127 to 127, and of its scale, float32.
    """
    array = array.astype("float32")
    pairs = [_scaled(array, axis) for axis in _axes(array.shape)]
    values, scale = min(pairs, key=lambda pair: _lost(array, *pair))
    return {name: values, name + SCALE: scale}


def to_int8(matrix: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest 8-bit matrix, each row with a scale of its own.

    Args:
        matrix: float `(outputs, inputs)`.

    Returns:
        `(values, scale)`: int8 `(outputs, inputs)` from -127 to 127, and float32
        `(outputs,)`; their product is at most half a scale from `matrix`. At 8 bits,
        scales by least squares would leave hardly less (weights of the zoo: 0.5 %).
    """
    matrix = matrix.astype("float32")
    scale = np.abs(matrix).max(axis=1) / LARGEST
    scale = np.where(scale > 0, scale, 1.0).astype("float32")
    values = np.rint(matrix / scale[:, None])
    return np.clip(values, -LARGEST, LARGEST).astype("int8"), scale


def _axes(shape):
    """The axes that leave a scale enough numbers."""
    size = math.prod(shape)
    return [
        axis
        for axis, length in enumerate(shape)
        if length > 1 and size >= FEWEST_A_SCALE * length
    ]


def _scaled(array, axis):
    """Integers in the shape of an array, and a scale for each index of an axis."""
    rows = np.moveaxis(array, axis, 0)
    values, scale = to_int8(rows.reshape(len(rows), -1))
    values = np.moveaxis(values.reshape(rows.shape), 0, axis)
    others = tuple(other for other in range(array.ndim) if other != axis)
    return np.ascontiguousarray(values), np.expand_dims(scale, others)


def _lost(array, values, scale):
    """float64: the squared error of what is stored."""
    return np.square(values * scale - array, dtype="float64").sum()
