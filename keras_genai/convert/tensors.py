"""Tensors of model.safetensors, or of its shards, one at a time and with suspicion.

The format is eight bytes of header length, a JSON header, and the raw numbers. Every
byte of a file must be accounted for before the first number is read.

Reference: https://huggingface.co/docs/safetensors, section "Format"
"""

import dataclasses
import json
import math
import pathlib

import numpy as np

from keras_genai.tasks.filling import aligned_empty
from keras_genai.tasks.presets import PresetError, read_json

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5")
LARGEST_HEADER = 64 * 2**20  # bytes
_SIZES = {
    **dict.fromkeys(("F64", "I64", "U64"), 8),
    **dict.fromkeys(("F32", "I32", "U32"), 4),
    **dict.fromkeys(("F16", "BF16", "I16", "U16"), 2),
    **dict.fromkeys(("I8", "U8", "BOOL", "F8_E4M3", "F8_E5M2"), 1),
}
_FLOATS = {"F32": "<f4", "F16": "<f2", "BF16": "<u2"}


@dataclasses.dataclass(frozen=True)
class Tensor:
    """Where one tensor lies: file, dtype as in the header, shape, first byte."""

    path: pathlib.Path
    dtype: str
    shape: tuple
    start: int


class Tensors:
    """All tensors of a checkpoint folder, by name; numbers are read when asked for.

    Args:
        folder: path with model.safetensors, or with model.safetensors.index.json and
            the shards that it names.

    Raises:
        PresetError: if a file is missing, truncated, longer than its header says, or
            not safetensors; if tensors overlap or leave holes; or if the index and
            the shards do not agree.
    """

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        if (folder / WEIGHTS).is_file():
            self._tensors = _read_header(folder / WEIGHTS)
        elif (folder / INDEX).is_file():
            self._tensors = _read_shards(folder)
        else:
            pickles = [name for name in PICKLES if (folder / name).exists()]
            hint = f"; {pickles[0]} is not read, it may run code" if pickles else ""
            raise PresetError(f"{folder} has no {WEIGHTS}{hint}")

    @property
    def shapes(self):
        """Dict of every tensor's name to its shape."""
        return {name: tensor.shape for name, tensor in self._tensors.items()}

    def read(self, name):
        """The numbers of one tensor.

        Args:
            name: str.

        Returns:
            float32 array.

        Raises:
            PresetError: if it does not hold floats of 16 or 32 bits, or if one of them
                is not finite.
        """
        tensor = self._tensors[name]
        if tensor.dtype not in _FLOATS:
            raise PresetError(
                f"{tensor.path}: {name} must be one of {', '.join(_FLOATS)}. "
                f"Received: {tensor.dtype}"
            )
        array = aligned_empty((math.prod(tensor.shape),), _FLOATS[tensor.dtype])
        with tensor.path.open("rb", buffering=0) as file:
            file.seek(tensor.start)
            _fill(array, file)
        if tensor.dtype == "BF16":  # the upper half of a float32
            array = (array.astype("<u4") << 16).view("<f4")
        with np.errstate(invalid="ignore"):
            total = np.sum(array, dtype="float64")  # cannot overflow, takes no memory
        if not np.isfinite(total):
            raise PresetError(f"{tensor.path} is damaged: {name} is not finite")
        return array.astype("float32", copy=False).reshape(tensor.shape)


def _fill(array, file):
    left = memoryview(array).cast("B") if array.size else b""
    while left:
        count = file.readinto(left)
        if not count:
            raise PresetError(f"{file.name} has shrunk while it was read")
        left = left[count:]


def _read_shards(folder):
    index = read_json(folder / INDEX)
    places = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(places, dict) or not places:
        raise PresetError(f"{folder / INDEX} has no `weight_map`")
    tensors = {}
    for shard in sorted({str(name) for name in places.values()}):
        if pathlib.PurePath(shard).name != shard or not shard.endswith(".safetensors"):
            raise PresetError(
                f"{folder / INDEX}: a shard must be a .safetensors file beside it. "
                f"Received: {shard!r}"
            )
        found = _read_header(folder / shard)
        expected = {name for name, place in places.items() if place == shard}
        if found.keys() != expected:
            raise PresetError(
                f"{folder / shard} and {INDEX} differ in "
                f"{', '.join(sorted(found.keys() ^ expected)[:4])}"
            )
        tensors.update(found)
    return tensors


def _read_header(path):
    if not path.is_file():
        raise PresetError(f"{path} is missing")
    size = path.stat().st_size
    with path.open("rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if not 2 <= length <= min(LARGEST_HEADER, size - 8):
            raise PresetError(
                f"{path} is not safetensors: a header of {length} bytes, in a file of "
                f"{size}"
            )
        text = file.read(length)
    try:
        header = json.loads(text.decode("utf-8"), object_pairs_hook=_unique)
        header.pop("__metadata__", None)
        tensors = {
            name: _read_entry(path, name, entry) for name, entry in header.items()
        }
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        reason = str(error).splitlines()[0][:200]
        raise PresetError(f"{path} has a damaged header: {reason}") from None
    _check_cover(path, tensors, size - 8 - length)
    return {
        name: dataclasses.replace(tensor, start=tensor.start + 8 + length)
        for name, tensor in tensors.items()
    }


def _read_entry(path, name, entry):
    if entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"{name} has {sorted(entry)}")
    start, end = entry["data_offsets"]
    shape = tuple(entry["shape"])
    if any(type(size) is not int or size < 0 for size in (start, end, *shape)):
        raise ValueError(f"{name} has a size that is no count")
    if end - start != math.prod(shape) * _SIZES[entry["dtype"]]:
        raise ValueError(f"{name} has {end - start} bytes for {shape}")
    return Tensor(path, entry["dtype"], shape, start)


def _check_cover(path, tensors, size):
    """The tensors, laid end to end, must be exactly the rest of the file."""
    place = 0
    for name, tensor in sorted(tensors.items(), key=lambda item: item[1].start):
        if math.prod(tensor.shape) and tensor.start != place:
            raise PresetError(f"{path} is damaged: {name} does not begin at {place}")
        place += math.prod(tensor.shape) * _SIZES[tensor.dtype]
    if place != size:
        raise PresetError(f"{path} must have {place} bytes of numbers. Received {size}")


def _unique(pairs):
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name comes twice")
    return found
