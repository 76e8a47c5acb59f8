"""Points and meshes in PLY and OBJ files, read with suspicion and written plainly.

Reference: Turk 1994, The PLY Polygon File Format; Wavefront Advanced Visualizer Manual,
appendix B1 (OBJ)
"""

import array
import io
import itertools
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from keras_genai.files.paths import AnyPath
from keras_genai.files.text import read_bytes

__all__ = ["Mesh", "encode_obj", "encode_ply", "parse_mesh", "read_mesh", "surface"]

LARGEST_FILE = 2**26  # bytes
MOST = 2**20  # points, and as many faces
FURTHEST = 1e9  # of a coordinate, either way
_LONGEST_LINE = 2**16  # bytes
_LONGEST_HEAD = 2**16
_TYPES = {
    **{"char": "i1", "uchar": "u1", "short": "i2", "ushort": "u2", "int": "i4"},
    **{"uint": "u4", "float": "f4", "double": "f8", "int8": "i1", "uint8": "u1"},
    **{"int16": "i2", "uint16": "u2", "int32": "i4", "uint32": "u4"},
    **{"float32": "f4", "float64": "f8"},
}
_ORDERS = {"ascii": "", "binary_little_endian": "<", "binary_big_endian": ">"}
_CORNERS = ("vertex_indices", "vertex_index")


class Mesh(NamedTuple):
    """Points in space, and triangles between them.

    Attributes:
        points: float64 `(V, 3)`, V at least 1, finite.
        faces: int64 `(F, 3)`, places in `points`; F is 0 where a file has none.
    """

    points: np.ndarray
    faces: np.ndarray


def read_mesh(path: AnyPath) -> Mesh:
    """The points and faces of a file, see `parse_mesh`.

    Args:
        path: path of a file.

    Raises:
        OSError: if it cannot be read.
        ValueError: if it is larger than 64 MiB, or as `parse_mesh` says.
    """
    return parse_mesh(read_bytes(path, LARGEST_FILE), str(path))


def parse_mesh(content: bytes, name: str = "content") -> Mesh:
    """The points and faces of a PLY or an OBJ file, whatever it is called.

    Faces of more than three corners are cut into triangles, fan by fan. Normals,
    colours, textures, lines and names are passed over.

    Args:
        content: bytes of a file: PLY as text or binary, or OBJ.
        name: str, what errors call it.

    Returns:
        `Mesh`.

    Raises:
        ValueError: if it is no such file, is cut off, has no points, or more than a
            million of them or of faces; or if a number is not finite, or a face has a
            corner that does not exist.
    """
    try:
        known = content.startswith((b"ply\n", b"ply\r"))
        points, faces = _parse_ply(content) if known else _parse_obj(content)
        return _checked(points, faces)
    except (ValueError, OverflowError) as error:
        raise ValueError(
            f"{name} must be a PLY or OBJ file of points or triangles. "
            f"Received: {error}"
        ) from None


def encode_ply(points: np.ndarray, faces: np.ndarray | None = None) -> bytes:
    """A binary PLY file.

    Args:
        points: float `(V, 3)`.
        faces: int `(F, 3)`, places in `points`, or `None`.

    Returns:
        bytes.
    """
    points = np.asarray(points, "<f4")
    head = ["ply", "format binary_little_endian 1.0", f"element vertex {len(points)}"]
    head += [f"property float {axis}" for axis in "xyz"]
    rows = b""
    if faces is not None:
        head += [f"element face {len(faces)}", f"property list uchar int {_CORNERS[0]}"]
        table = np.zeros(len(faces), [("count", "u1"), ("corners", "<i4", (3,))])
        table["count"], table["corners"] = 3, faces
        rows = table.tobytes()
    return "\n".join([*head, "end_header\n"]).encode() + points.tobytes() + rows


def encode_obj(points: np.ndarray, faces: np.ndarray | None = None) -> bytes:
    """An OBJ file. See `encode_ply`."""
    lines = [f"v {x:.9g} {y:.9g} {z:.9g}" for x, y, z in np.asarray(points, "f4")]
    corners = [] if faces is None else (np.asarray(faces) + 1).tolist()
    lines += [f"f {a} {b} {c}" for a, b, c in corners]
    return "\n".join([*lines, ""]).encode()


def surface(mesh: Mesh, count: int, seed: int = 0) -> np.ndarray:
    """Points on the faces of a mesh, everywhere as dense.

    Args:
        mesh: `Mesh` with faces.
        count: int, P.
        seed: int.

    Returns:
        float64 `(P, 3)`, the same ones for the same seed.

    Raises:
        ValueError: if the faces have no area.
    """
    corners = mesh.points[mesh.faces]  # (F, 3, 3)
    first, second = corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]
    areas = np.linalg.norm(np.cross(first, second), axis=1).cumsum()
    if not len(areas) or not areas[-1] > 0:
        raise ValueError(
            f"`mesh` must have faces with an area. Received: {len(areas)} faces without"
        )
    draws = np.random.default_rng(seed).random((3, count))
    face = np.searchsorted(areas, draws[0] * areas[-1], side="right")
    face = np.minimum(face, len(areas) - 1)
    along, across = np.sqrt(draws[1]), draws[2]  # evenly over a triangle
    weights = np.stack([1 - along, along * (1 - across), along * across], axis=1)
    return np.einsum("pc,pcd->pd", weights, corners[face])


def _checked(points: np.ndarray, faces: np.ndarray) -> Mesh:
    if not len(points):
        raise ValueError("a file without points")
    if not (np.abs(points) <= FURTHEST).all():  # NaN is no less
        raise ValueError(f"a coordinate that is no number from {-FURTHEST:g} on")
    wrong = faces[(faces < 0) | (faces >= len(points))]
    if wrong.size:
        raise ValueError(f"a face with corner {wrong[0]} of {len(points)} points")
    return Mesh(points, faces)


def _lines(content: bytes) -> Iterator[list[bytes]]:
    """Yields the words of every line that has some."""
    for line in io.BytesIO(content):
        if len(line) > _LONGEST_LINE:
            raise ValueError(f"a line of {len(line):,} bytes")
        words = line.split()
        if words:
            yield words


def _parse_obj(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    points, faces = array.array("d"), array.array("q")
    for word, *rest in _lines(content):
        if word == b"v":
            if len(rest) < 3:
                raise ValueError(f"a point of {len(rest)} numbers")
            points.extend(map(float, rest[:3]))
            _check_count(len(points) // 3, "points")
        elif word == b"f":
            count = len(points) // 3
            corners = [int(each.split(b"/")[0]) for each in rest]
            if 0 in corners:
                raise ValueError("a face with corner 0 of points that begin with 1")
            _fan(faces, [c - 1 if c > 0 else c + count for c in corners])
    return _table(points, "f8"), _table(faces, "i8")


def _fan(faces: array.array, corners: list[int]) -> None:
    """Adds the triangles of a polygon."""
    if len(corners) < 3:
        raise ValueError(f"a face of {len(corners)} corners")
    for second, third in itertools.pairwise(corners[1:]):
        faces.extend((corners[0], second, third))
    _check_count(len(faces) // 3, "faces")


def _check_count(count: int, noun: str) -> None:
    if count > MOST:
        raise ValueError(f"more than {MOST:,} {noun}")


def _table(numbers: array.array, dtype: str) -> np.ndarray:
    return np.array(numbers, dtype).reshape(-1, 3)


class _Property(NamedTuple):
    """A property of an element in PLY; `length` is the type of a list's length."""

    name: str
    dtype: str
    length: str = ""


class _Element(NamedTuple):
    """What there are several of in PLY."""

    name: str
    rows: int
    properties: list[_Property]

    @property
    def has_lists(self) -> bool:
        return any(each.length for each in self.properties)


def _parse_ply(content: bytes) -> tuple[np.ndarray, np.ndarray]:
    elements, order, begin = _head(content)
    points, faces = np.zeros((0, 3)), np.zeros((0, 3), "i8")
    # Text needs no order of bytes.
    body = _Text(content, begin) if order == "" else _Binary(content, begin, order)
    for element in elements:
        if element.name == "face" and element.has_lists:
            faces = _triangles(body.lists(element))
        elif element.has_lists:
            for _ in body.lists(element):
                pass
        else:
            columns = body.columns(element)
            if element.name == "vertex":
                missing = [axis for axis in "xyz" if axis not in columns]
                if missing:
                    raise ValueError(f"points without {', '.join(missing)}")
                points = np.stack([columns[axis] for axis in "xyz"], 1).astype("f8")
    return points, faces


def _head(content: bytes) -> tuple[list[_Element], str, int]:
    """Elements, order of bytes ("" for text), and where the numbers begin."""
    mark = content.find(b"end_header", 0, _LONGEST_HEAD)
    if mark < 0:
        raise ValueError("a head without end_header")
    begin = content.find(b"\n", mark) + 1
    if not begin:
        raise ValueError("nothing after end_header")
    elements: list[_Element] = []
    order = None
    for line in content[:mark].decode("latin1").splitlines()[1:]:
        words = line.split()
        if not words or words[0] in ("comment", "obj_info"):
            continue
        if words[0] == "format" and len(words) == 3 and words[1] in _ORDERS:
            order = _ORDERS[words[1]]
        elif words[0] == "element" and len(words) == 3:
            elements.append(_Element(words[1], _natural(words[2]), []))
        elif words[0] == "property" and elements:
            elements[-1].properties.append(_property(words))
        else:
            raise ValueError(f"a head with {line[:40]!r}")
    if order is None:
        raise ValueError("a head without format")
    return elements, order, begin


def _natural(word: str) -> int:
    count = int(word)
    if count < 0:
        raise ValueError(f"an element of which there are {count}")
    _check_count(count, "elements")
    return count


def _property(words: list[str]) -> _Property:
    *types, name = words[1:]
    if len(types) == 3 and types[0] == "list" and {*types[1:]} <= _TYPES.keys():
        length, dtype = (_TYPES[each] for each in types[1:])
        if length[0] != "f":
            return _Property(name, dtype, length)
    if len(types) == 1 and types[0] in _TYPES:
        return _Property(name, _TYPES[types[0]])
    raise ValueError(f"a property {' '.join(words)[:40]!r}")


def _triangles(rows: Iterator[dict]) -> np.ndarray:
    faces = array.array("q")
    for row in rows:
        corners = next((row[name] for name in _CORNERS if name in row), None)
        if corners is None:
            raise ValueError(f"faces without {_CORNERS[0]}")
        _fan(faces, [int(corner) for corner in corners])
    return _table(faces, "i8")


class _Text:
    """The numbers of a PLY file in text, element by element."""

    def __init__(self, content: bytes, begin: int):
        self.rows = _lines(content[begin:])

    def columns(self, element: _Element) -> dict[str, np.ndarray]:
        names = [each.name for each in element.properties]
        numbers = array.array("d")
        for words in self._some(element):
            if len(words) != len(names):
                raise ValueError(f"a row of {len(words)} numbers for {len(names)}")
            numbers.extend(map(float, words))
        table = np.array(numbers).reshape(-1, len(names)) if names else np.zeros((0, 0))
        return dict(zip(names, table.T, strict=True))

    def lists(self, element: _Element) -> Iterator[dict]:
        for words in self._some(element):
            row, place = {}, 0
            for each in element.properties:
                count = int(words[place]) if each.length and place < len(words) else 1
                place += bool(each.length)
                part = words[place : place + count]
                place += count
                if count < 0 or len(part) < count:
                    raise ValueError(f"a {element.name} that is cut off")
                row[each.name] = part
            yield row

    def _some(self, element: _Element) -> Iterator[list[bytes]]:
        for number in range(element.rows if element.properties else 0):
            words = next(self.rows, None)
            if words is None:
                raise ValueError(f"{number:,} of {element.rows:,} {element.name} rows")
            yield words


class _Binary:
    """The numbers of a binary PLY file, element by element."""

    def __init__(self, content: bytes, begin: int, order: str):
        self.content, self.place, self.order = content, begin, order

    def columns(self, element: _Element) -> dict[str, np.ndarray]:
        names = [each.name for each in element.properties]
        if len({*names}) < len(names):
            raise ValueError(f"a property of {element.name} twice")
        if not names:
            return {}
        kinds = [(each.name, self.order + each.dtype) for each in element.properties]
        table = self._take(np.dtype(kinds), element.rows)
        return {name: table[name] for name in names}

    def lists(self, element: _Element) -> Iterator[dict]:
        for _ in range(element.rows):
            row = {}
            for each in element.properties:
                count = 1
                if each.length:
                    count = int(self._take(np.dtype(self.order + each.length), 1)[0])
                row[each.name] = self._take(np.dtype(self.order + each.dtype), count)
            yield row

    def _take(self, dtype: np.dtype, count: int) -> np.ndarray:
        end = self.place + dtype.itemsize * count
        if count < 0 or end > len(self.content):
            left = len(self.content) - self.place
            raise ValueError(f"{left:,} bytes where {count:,} numbers or rows follow")
        found = np.frombuffer(self.content, dtype, count, self.place)
        self.place = end
        return found
