"""Cells of matrices in a MATLAB file of version 5, read with suspicion.

Reference: MATLAB MAT-File Format, The MathWorks, version 5
"""

import itertools
import math
import struct
import zlib
from collections.abc import Iterator

import numpy as np

from keras_genai.files.paths import AnyPath
from keras_genai.files.text import read_bytes

LARGEST_FILE = 2**26  # bytes; what is compressed in it may unpack to as many
_HEAD, _VERSION = 128, b"\x00\x01IM"  # bytes; version 5, low bytes first
_MATRIX, _COMPRESSED = 14, 15
_CELL, _NUMBERS, _COMPLEX = 1, range(6, 16), 0x0800
_STORED = {
    **{1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4"},
    **{7: "<f4", 9: "<f8", 12: "<i8", 13: "<u8"},
}


def read_cells(path: AnyPath) -> dict[str, list[np.ndarray]]:
    """The cell arrays of a file; variables of other kinds are passed over.

    Args:
        path: path of a `.mat` file as MATLAB 5 to 7.2 and SciPy write it.

    Returns:
        dict of lists of arrays `(rows, columns)`, by the names of the variables.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no such file, larger than 64 MiB, damaged, or if a cell
            holds what is no matrix of real numbers.
    """
    content = read_bytes(path, LARGEST_FILE)
    try:
        if content[_HEAD - 4 : _HEAD] != _VERSION:
            raise ValueError(f"{content[:20]!r}")
        return dict(_cells(content[_HEAD:]))
    except (ValueError, struct.error, zlib.error) as error:
        raise ValueError(
            f"{path} must be a MATLAB file of version 5, with cells of matrices. "
            f"Received: {error}"
        ) from None


def _cells(content: bytes) -> Iterator[tuple[str, list[np.ndarray]]]:
    left = LARGEST_FILE
    for kind, body in _elements(content):
        if kind == _COMPRESSED:
            unpacker = zlib.decompressobj()
            body = unpacker.decompress(body, left)
            left -= len(body)
            if not unpacker.eof or not left:
                raise ValueError("a variable that unpacks to too much, or is cut off")
            kind, body = next(_elements(body), (0, b""))
        if kind != _MATRIX:
            continue
        flags, shape, name, rest = _head(body)
        if flags & 0xFF == _CELL:
            found = [_numbers(inner) for kind, inner in rest if kind == _MATRIX]
            if len(found) != math.prod(shape):
                raise ValueError(f"{len(found)} matrices of {math.prod(shape)}")
            yield name, found


def _elements(content: bytes) -> Iterator[tuple[int, bytes]]:
    """Yields the kind and the bytes of every element."""
    place = 0
    while place + 8 <= len(content):
        kind, size = struct.unpack_from("<II", content, place)
        small = kind >> 16  # its bytes lie where the size of others does
        if small:
            kind, size, begin, end = kind & 0xFFFF, small, place + 4, place + 8
        else:
            begin, end = place + 8, len(content)
        if size > end - begin:
            raise ValueError(f"an element of {size:,} bytes that is cut off")
        padding = 0 if kind == _COMPRESSED else -size % 8
        place = end if small else begin + size + padding
        yield kind, content[begin : begin + size]


def _head(body: bytes) -> tuple[int, list[int], str, Iterator[tuple[int, bytes]]]:
    """Flags, shape and name of a matrix, and the elements behind them."""
    elements = _elements(body)
    head = [part for _, part in itertools.islice(elements, 3)]
    if len(head) < 3:
        raise ValueError("a matrix without flags, shape and name")
    shape = np.frombuffer(head[1], "<i4").tolist()
    if len(shape) != 2 or min(shape) < 0:
        raise ValueError(f"a matrix of shape {tuple(shape)}")
    flags = struct.unpack_from("<I", head[0])[0]
    return flags, shape, head[2].decode("latin1"), elements


def _numbers(body: bytes) -> np.ndarray:
    if not body:  # as MATLAB writes what is empty
        return np.zeros((0, 0))
    flags, shape, _, elements = _head(body)
    kind, numbers = next(elements, (0, b""))
    if flags & 0xFF not in _NUMBERS or flags & _COMPLEX or kind not in _STORED:
        raise ValueError("a cell with what is no matrix of real numbers")
    return np.frombuffer(numbers, _STORED[kind]).reshape(shape, order="F")
