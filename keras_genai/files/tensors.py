"""The one way to read safetensors: one tensor at a time, and with suspicion.

The format is eight bytes of header length, a JSON header, and the raw numbers. Every
byte of a file must be accounted for before the first number is read.

Reference: https://huggingface.co/docs/safetensors, section "Format"
"""

import dataclasses
import json
import math
import pathlib

import ml_dtypes
import numpy as np
from numpy.typing import DTypeLike

_PIECE = 2**20  # numbers that are looked at together
ALIGNMENT = 64  # bytes, for TensorFlow's kernels
LARGEST_HEADER = 64 * 2**20  # bytes
_LFS = b"version https://git-lfs"
_SIZES = {
    **dict.fromkeys(("F64", "I64", "U64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2"), 1),
}
# NumPy's names of those that are read, least significant byte first.
DTYPES = {
    **{"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": ml_dtypes.bfloat16},
    **{"I64": "<i8", "I32": "<i4", "I16": "<i2", "I8": "i1", "BOOL": "?"},
    **{"U64": "<u8", "U32": "<u4", "U16": "<u2", "U8": "u1"},
}


@dataclasses.dataclass(frozen=True)
class Tensor:
    """Where one tensor lies: file, dtype as in the header, shape, first byte."""

    path: pathlib.Path
    name: str
    dtype: str
    shape: tuple
    start: int

    @property
    def numpy_dtype(self) -> np.dtype | None:
        """The NumPy dtype, or `None` of those that are not read."""
        return np.dtype(DTYPES[self.dtype]) if self.dtype in DTYPES else None

    def read(self) -> np.ndarray:
        """The numbers, in memory that TensorFlow can take over.

        Returns:
            array of `shape` in the dtype of the file; floats are finite.

        Raises:
            ValueError: if the dtype is not one that is read here, if the file has
                shrunk, or if a float is not finite.
        """
        if self.dtype not in DTYPES:
            raise ValueError(
                f"{self.path}: {brief(self.name)} must be one of {', '.join(DTYPES)}. "
                f"Received: {self.dtype}"
            )
        array = aligned_empty((math.prod(self.shape),), DTYPES[self.dtype])
        with self.path.open("rb", buffering=0) as file:
            file.seek(self.start)
            _fill(array, file)
        if not is_finite(array):
            raise ValueError(
                f"{self.path} is damaged: {brief(self.name)} is not finite"
            )
        return array.reshape(self.shape)


def read_header(path: pathlib.Path) -> dict[str, Tensor]:
    """All tensors of a file by name, without reading a number.

    Args:
        path: `pathlib.Path` of a .safetensors file.

    Returns:
        dict from str to `Tensor`, in the order of the header.

    Raises:
        ValueError: if the file is missing, truncated, longer than its header says, or
            not safetensors; or if tensors overlap or leave holes.
    """
    if not path.is_file():
        raise ValueError(f"{path} is missing")
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(8)
        if start == _LFS[:8]:
            raise ValueError(
                f"{path} is a pointer of Git LFS, not the weights: `git lfs pull`"
            )
        length = int.from_bytes(start, "little")
        if not 2 <= length <= min(LARGEST_HEADER, size - 8):
            raise ValueError(
                f"{path} is damaged or is not safetensors: a header of {length} bytes, "
                f"in a file of {size}"
            )
        text = file.read(length)
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_unique)
        header.pop("__metadata__", None)
        tensors = {
            name: _read_entry(path, name, entry, 8 + length)
            for name, entry in header.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise ValueError(f"{path} has a damaged header: {brief(error)}") from None
    _check_cover(path, tensors.values(), 8 + length, size)
    return tensors


def is_finite(array: np.ndarray) -> bool:
    """Whether no number of an array is NaN or infinite."""
    if array.dtype.kind not in "fV":  # V: what NumPy calls bfloat16
        return True
    if array.dtype.kind == "V":
        return _is_finite_half(array)
    with np.errstate(invalid="ignore", over="ignore"):
        total = np.sum(array, dtype="float64")  # takes no memory
    return bool(np.isfinite(total) or np.isfinite(array).all())


def _is_finite_half(array):
    """Of bfloat16, in pieces: only what is not finite has all bits of its power."""
    bits = array.reshape(-1).view("uint16")
    pieces = (bits[start : start + _PIECE] for start in range(0, bits.size, _PIECE))
    return not any(((piece & 0x7F80) == 0x7F80).any() for piece in pieces)


def aligned_empty(shape: tuple[int, ...], dtype: DTypeLike) -> np.ndarray:
    """An array whose memory TensorFlow can take over: its kernels want 64 bytes.

    Args:
        shape: tuple of int.
        dtype: NumPy's.

    Returns:
        array without values.
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + ALIGNMENT, "uint8")
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def brief(text: object, limit: int = 80) -> str:
    """The first line of what an error is to show, and not too much of it."""
    line = str(text).partition("\n")[0]
    return line if len(line) <= limit else f"{line[:limit]}..."


def _fill(array, file):
    left = memoryview(array.view("uint8")) if array.size else b""
    while left:
        count = file.readinto(left)
        if not count:
            raise ValueError(f"{file.name} has shrunk while it was read")
        left = left[count:]


def _read_entry(path, name, entry, offset):
    if entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{brief(name)} has {brief(sorted(entry))}")
    start, end = entry["data_offsets"]
    shape = tuple(entry["shape"])
    if any(type(size) is not int or size < 0 for size in (start, end, *shape)):
        raise ValueError(f"{brief(name)} has a size that is no count")
    if end - start != math.prod(shape) * _SIZES[entry["dtype"]]:
        raise ValueError(f"{brief(name)} has {end - start} bytes for {brief(shape)}")
    return Tensor(path, name, entry["dtype"], shape, start + offset)


def _check_cover(path, tensors, offset, size):
    """The tensors, laid end to end, must be exactly the rest of the file."""
    place = offset
    for tensor in sorted(tensors, key=lambda tensor: tensor.start):
        numbers = math.prod(tensor.shape)
        if numbers and tensor.start != place:
            raise ValueError(
                f"{path} is damaged: {brief(tensor.name)} does not begin at "
                f"{place - offset}"
            )
        place += numbers * _SIZES[tensor.dtype]
    if place != size:
        raise ValueError(
            f"{path} must have {place - offset} bytes of numbers. "
            f"Received: {size - offset}"
        )


def _unique(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found
