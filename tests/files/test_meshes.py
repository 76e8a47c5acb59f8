"""Points and meshes come back from their files, and what is hostile is refused."""

import numpy as np
import pytest

from keras_genai.files import meshes
from keras_genai.files.meshes import (
    Mesh,
    encode_obj,
    encode_ply,
    parse_mesh,
    read_mesh,
    surface,
)

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [1, 2, 0], [0, 2, 0.1]], "float32")
FACES = np.array([[0, 1, 2], [0, 2, 3]])
# The same square in other words: indices from the end, normals, a polygon, comments.
OBJ = b"""# a square
o square
v 0 0 0 1.0
v 1 0 0
vn 0 0 1
v 1 2 0
v 0 2 0.1

f -4//1 2/1 3/1/1 4
"""
ASCII = b"""ply
format ascii 1.0
comment of two elements more than are needed
element camera 1
property list uchar float view
element vertex 4
property uchar red
property double x
property double y
property double z
element face 1
property list uchar uint vertex_index
property uchar flags
end_header
2 0.5 0.5
255 0 0 0
255 1 0 0
255 1 2 0
255 0 2 0.1
4 0 1 2 3 7
"""


def assert_same(mesh, points=CORNERS, faces=FACES):
    np.testing.assert_allclose(mesh.points, points, rtol=1e-7)
    np.testing.assert_array_equal(mesh.faces, faces)


@pytest.mark.parametrize("encode", [encode_obj, encode_ply])
def test_what_is_written_is_read(encode, tmp_path):
    path = tmp_path / "square"
    path.write_bytes(encode(CORNERS, FACES))
    found = read_mesh(path)
    np.testing.assert_array_equal(found.points.astype("float32"), CORNERS)
    np.testing.assert_array_equal(found.faces, FACES)
    assert_same(parse_mesh(encode(CORNERS)), faces=np.zeros((0, 3)))


@pytest.mark.parametrize("content", [OBJ, ASCII, ASCII.replace(b"\n", b"\r\n")])
def test_what_others_write_is_read(content):
    assert_same(parse_mesh(content))


@pytest.mark.parametrize("order", ["<", ">"])
def test_binary_files_of_both_orders_and_of_more_properties(order):
    name = {"<": "little", ">": "big"}[order]
    head = f"""ply
format binary_{name}_endian 1.0
element vertex 4
property float x
property float y
property float z
property uchar alpha
element edge 1
property int vertex1
property int vertex2
element face 1
property uchar flags
property list int short vertex_indices
end_header
"""
    kinds = [("place", f"{order}f4", 3), ("alpha", "u1")]
    rows = np.zeros(4, kinds)
    rows["place"] = CORNERS
    edge = np.array([0, 1], f"{order}i4").tobytes()
    corners = np.array([4], f"{order}i4").tobytes()
    corners += np.arange(4).astype(f"{order}i2").tobytes()
    content = head.encode() + rows.tobytes() + edge + b"\0" + corners
    assert_same(parse_mesh(content))
    with pytest.raises(ValueError, match="bytes where"):
        parse_mesh(content[:-1])


def ply(*lines, body=b""):
    return "\n".join(["ply", *lines, "end_header\n"]).encode() + body


TEXT, BINARY = "format ascii 1.0", "format binary_little_endian 1.0"
VERTEX = ("property float x", "property float y", "property float z")
HOSTILE = {
    "nothing": (b"", "without points"),
    "noise": (bytes(range(256)) * 8, "without points"),
    "a word": (b"v 0 0 zero\n", "zero"),
    "two numbers": (b"v 0 0\n", "a point of 2 numbers"),
    "not a number": (b"v 0 0 nan\n", "a coordinate"),
    "endless": (b"v 0 0 1e400\n", "a coordinate"),
    "too far": (b"v 0 0 1e10\n", "a coordinate"),
    "no such corner": (b"v 0 0 0\nf 1 1 2\n", "a face with corner 1 of 1 points"),
    "before the first": (b"v 0 0 0\nf -2 1 1\n", "a face with corner -1"),
    "corner 0": (b"v 0 0 0\nf 0 1 1\n", "corner 0"),
    "a huge corner": (b"v 0 0 0\nf 1 1 " + b"9" * 30 + b"\n", "int"),
    "two corners": (b"v 0 0 0\nf 1 1\n", "a face of 2 corners"),
    "a long line": (b"v 0 0 0" + b" 0" * 40_000 + b"\n", "a line of"),
    "head only": (b"ply\nformat ascii 1.0\n", "without end_header"),
    "no line after": (b"ply\nformat ascii 1.0\nend_header", "nothing after"),
    "no format": (ply("element vertex 1", *VERTEX), "without format"),
    "an unknown format": (ply("format text 2.0"), "a head with"),
    "minus one": (ply(TEXT, "element vertex -1", *VERTEX), "of which there are -1"),
    "billions": (ply(BINARY, "element vertex 4000000000", *VERTEX), "more than"),
    "a million that are not there": (
        ply(BINARY, "element vertex 1000000", *VERTEX),
        "0 bytes where 1,000,000",
    ),
    "rows that are not there": (
        ply(TEXT, "element vertex 2", *VERTEX, body=b"0 0 0\n"),
        "1 of 2 vertex rows",
    ),
    "no height": (ply(TEXT, "element vertex 1", *VERTEX[:2], body=b"0 0\n"), "without"),
    "twice": (
        ply(BINARY, "element vertex 1", VERTEX[0], *VERTEX, body=bytes(16)),
        "twice",
    ),
    "of no type": (ply(TEXT, "element vertex 1", "property text x"), "a property"),
    "half a corner": (
        ply(TEXT, "element face 1", "property list float int vertex_index"),
        "a property",
    ),
    "fewer than none": (
        ply(
            BINARY,
            "element face 1",
            "property list char int vertex_index",
            body=b"\xff\0\0\0",
        ),
        "bytes where -1",
    ),
    "faces of no corners": (
        ply(TEXT, "element face 1", "property list uchar int colour", body=b"1 1\n"),
        "faces without",
    ),
    "a short row": (
        ply(TEXT, "element vertex 1", *VERTEX, body=b"0 0\n"),
        "a row of 2 numbers for 3",
    ),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_what_is_hostile_is_refused_in_one_line(name):
    content, said = HOSTILE[name]
    with pytest.raises(ValueError, match=r"piece must be a PLY or OBJ file") as error:
        parse_mesh(content, "piece")
    assert said in str(error.value)
    assert "\n" not in str(error.value)


def test_no_file_has_more_than_a_million_points_or_faces(monkeypatch, tmp_path):
    monkeypatch.setattr(meshes, "MOST", 3)
    with pytest.raises(ValueError, match="more than 3 points"):
        parse_mesh(encode_obj(CORNERS))
    with pytest.raises(ValueError, match="more than 3 elements"):
        parse_mesh(encode_ply(CORNERS))
    with pytest.raises(ValueError, match="more than 3 faces"):
        parse_mesh(encode_obj(CORNERS[:3], np.zeros((4, 3), int)))
    with pytest.raises(ValueError, match="more than 3 faces"):
        parse_mesh(b"v 0 0 0\nf 1 1 1 1 1 1\n")
    monkeypatch.setattr(meshes, "LARGEST_FILE", 10)
    path = tmp_path / "square.ply"
    path.write_bytes(encode_ply(CORNERS))
    with pytest.raises(ValueError, match="at most 10 bytes"):
        read_mesh(path)


def test_a_surface_has_points_everywhere_as_dense():
    wide = Mesh(np.array([[0, 0, 5], [3, 0, 5], [3, 1, 5], [0, 1, 5.0]]), FACES)
    points = surface(wide, 4_000, seed=1)
    np.testing.assert_allclose(points[:, 2], 5)
    counts, *_ = np.histogram2d(*points[:, :2].T, bins=(6, 2), range=[(0, 3), (0, 1)])
    assert counts.sum() == 4_000
    assert counts.min() > 260  # of 333
    np.testing.assert_array_equal(points, surface(wide, 4_000, seed=1))
    assert np.abs(points - surface(wide, 4_000, seed=2)).max() > 0.1


def test_a_surface_needs_an_area():
    flat = Mesh(np.zeros((4, 3)), FACES)
    for mesh in (flat, flat._replace(faces=np.zeros((0, 3), int))):
        with pytest.raises(ValueError, match="`mesh` must have faces with an area"):
            surface(mesh, 8)
