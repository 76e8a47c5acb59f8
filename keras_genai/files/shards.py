"""The weights of a folder: one safetensors file, or several and an index of them.

Files have the names that transformers gives them: `model.safetensors`, or
`model-00001-of-00003.safetensors` and so on with `model.safetensors.index.json`, which
says where each tensor is. Tensors are written one at a time.
"""

import dataclasses
import json
import pathlib
import re
from collections.abc import Callable, Iterable, Iterator

import numpy as np

from keras_genai.files.plain import read_json
from keras_genai.files.tensors import DTYPES, Tensor, read_header

__all__ = ["INDEX", "LARGEST_SHARD", "WEIGHTS", "Stored", "is_file_of", "read", "write"]

WEIGHTS, INDEX = "model.safetensors", "model.safetensors.index.json"
LARGEST_SHARD = "5GB"
_SHARD = re.compile(r"model-\d{5}-of-\d{5}\.safetensors")
_UNITS = {
    unit: base**power
    for base, units in ((1000, ("KB", "MB", "GB")), (1024, ("KiB", "MiB", "GiB")))
    for power, unit in enumerate(units, 1)
}
_NAMES = {np.dtype(dtype): name for name, dtype in DTYPES.items()}
_HEADER = 8  # bytes: what the length of a header is a multiple of


@dataclasses.dataclass(frozen=True)
class Stored:
    """A tensor that is to be written, read when its turn has come.

    Args:
        shape: tuple of int.
        dtype: `numpy.dtype`, one of `keras_genai.files.tensors.DTYPES`.
        read: function without arguments that returns the array.
    """

    shape: tuple[int, ...]
    dtype: np.dtype
    read: Callable[[], np.ndarray]

    @classmethod
    def of(cls, array: np.ndarray) -> "Stored":
        """One of an array that is there already."""
        return cls(array.shape, array.dtype, lambda: array)

    @property
    def size(self) -> int:
        """Bytes."""
        return int(np.prod(self.shape, dtype="int64")) * self.dtype.itemsize


def is_file_of(name: str) -> bool:
    """Whether a file of this name holds weights, or says where they are."""
    return name in (WEIGHTS, INDEX) or _SHARD.fullmatch(name) is not None


def write(
    folder: pathlib.Path,
    tensors: dict[str, Stored],
    limit: int | str = LARGEST_SHARD,
    metadata: dict[str, str] | None = None,
) -> None:
    """Writes tensors into an empty folder.

    Args:
        folder: `pathlib.Path`.
        tensors: dict of `Stored` by name.
        limit: int, bytes of tensors in a file at most; or str such as `"5GB"`, with
            KB, MB, GB, KiB, MiB or GiB. A tensor above it has a file of its own.
        metadata: dict of str to str, for the header of each file, or `None`.

    Raises:
        ValueError: if `limit` is none.
    """
    parts = _parts(tensors, _bytes(limit))
    if len(parts) == 1:
        _write_file(folder / WEIGHTS, parts[0], metadata)
        return
    places: dict[str, str] = {}
    for number, part in enumerate(parts, 1):
        name = f"model-{number:05d}-of-{len(parts):05d}.safetensors"
        _write_file(folder / name, part, metadata)
        places |= dict.fromkeys(part, name)
    total = sum(tensor.size for tensor in tensors.values())
    index = {"metadata": {"total_size": total}, "weight_map": places}
    text = json.dumps(index, indent=2, ensure_ascii=False)
    (folder / INDEX).write_bytes(text.encode("utf-8"))


def read(folder: pathlib.Path) -> dict[str, Tensor]:
    """All tensors of a folder by name, without reading a number.

    Args:
        folder: `pathlib.Path`.

    Returns:
        dict from str to `Tensor`.

    Raises:
        ValueError: if a file is missing, truncated, longer than its header says, or not
            safetensors; if tensors overlap or leave holes; or if the index and the
            shards do not agree.
    """
    if (folder / WEIGHTS).is_file() or not (folder / INDEX).is_file():
        return read_header(folder / WEIGHTS)
    index = read_json(folder / INDEX)
    places = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(places, dict) or not places:
        raise ValueError(f"{folder / INDEX} has no `weight_map`")
    tensors = {}
    for shard in sorted({str(name) for name in places.values()}):
        expected = {name for name, place in places.items() if place == shard}
        tensors.update(_read_shard(folder, shard, expected))
    return tensors


def _read_shard(folder: pathlib.Path, shard: str, expected: set) -> dict[str, Tensor]:
    if pathlib.PurePath(shard).name != shard or not shard.endswith(".safetensors"):
        raise ValueError(
            f"{folder / INDEX}: a shard must be a .safetensors file beside it. "
            f"Received: {shard!r}"
        )
    found = read_header(folder / shard)
    if found.keys() != expected:
        names = ", ".join(sorted(found.keys() ^ expected)[:4])
        raise ValueError(f"{folder / shard} and {INDEX} differ in {names}")
    return found


def _bytes(limit: int | str) -> int:
    """The number of bytes that a limit is."""
    found = re.fullmatch(r"(\d{1,9}) ?([KMG]i?B)", str(limit))
    if found is not None:
        limit = int(found[1]) * _UNITS[found[2]]
    if not isinstance(limit, int) or isinstance(limit, bool) or limit < 1:
        raise ValueError(
            "`max_shard_size` must be an int of bytes >= 1, or a str such as '5GB', "
            f"with {', '.join(_UNITS)}. Received: {limit!r}"
        )
    return limit


def _parts(tensors: dict[str, Stored], limit: int) -> list[dict[str, Stored]]:
    """Tensors, in their order, for one file each; there is always one file."""
    parts: list[dict[str, Stored]] = [{}]
    taken = 0
    for name, tensor in tensors.items():
        if parts[-1] and taken + tensor.size > limit:
            parts.append({})
            taken = 0
        parts[-1][name] = tensor
        taken += tensor.size
    return parts


def _write_file(
    path: pathlib.Path, tensors: dict[str, Stored], metadata: dict[str, str] | None
) -> None:
    """One file: numbers of many bytes come first, so that all lie even."""
    order = sorted(tensors, key=lambda name: -tensors[name].dtype.itemsize)
    header: dict[str, object] = {} if metadata is None else {"__metadata__": metadata}
    place = 0
    for name in order:
        tensor = tensors[name]
        header[name] = {
            "dtype": _NAMES[tensor.dtype],
            "shape": list(tensor.shape),
            "data_offsets": [place, place := place + tensor.size],
        }
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % _HEADER)
    with path.open("xb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        file.writelines(_pieces(tensors[name] for name in order))


def _pieces(tensors: Iterable[Stored]) -> Iterator[memoryview]:
    """The bytes of tensors, one after the other."""
    for tensor in tensors:
        array = np.ascontiguousarray(tensor.read(), tensor.dtype)
        if array.size != np.prod(tensor.shape, dtype="int64"):
            raise ValueError(f"{array.shape} was read for {tensor.shape}")
        yield array.reshape(-1).view("uint8").data
