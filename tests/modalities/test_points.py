"""Objects of points: from files and arrays and back, to be seen, and as grids."""

import io

import numpy as np
import pytest
from PIL import Image

from keras_genai import registry
from keras_genai.files.meshes import encode_obj, encode_ply, read_mesh
from keras_genai.modalities.points import Points

DRAWS = np.random.default_rng(0)
OBJECTS = DRAWS.random((5, 20, 3)).astype("float32")
KIND = Points(20)


@pytest.mark.parametrize("suffix", [".ply", ".obj"])
def test_an_object_comes_back_from_its_file(suffix, tmp_path):
    path = KIND.write(tmp_path / f"object{suffix}", OBJECTS[:1])
    assert path == tmp_path / f"object{suffix}"
    found = KIND.read(path)
    assert found.dtype == "float32"
    np.testing.assert_array_equal(found, OBJECTS[:1])
    assert {each.name for each in tmp_path.iterdir()} == {path.name, "object.png"}
    np.testing.assert_array_equal(KIND.read([path, OBJECTS[1]]), OBJECTS[:2])


def test_a_file_of_no_such_name_is_ply(tmp_path):
    assert KIND.write(tmp_path / "sample", OBJECTS).name == "sample.ply"


def test_several_objects_lie_side_by_side(tmp_path):
    points = read_mesh(KIND.write(tmp_path / "objects.ply", OBJECTS)).points
    parts = points.reshape(OBJECTS.shape)
    corners = np.floor(parts.mean(axis=1) / 1.25)
    assert len(np.unique(corners, axis=0)) == len(OBJECTS)
    moved = parts - parts.min(axis=1, keepdims=True)
    here = OBJECTS - OBJECTS.min(axis=1, keepdims=True)
    np.testing.assert_allclose(moved, here, atol=1e-6)


def test_a_mesh_is_read_as_points_on_its_faces(tmp_path):
    path = tmp_path / "square.obj"
    corners = np.array([[-4, 0, 7], [4, 0, 7], [4, 0, 9], [-4, 0, 9.0]])
    path.write_bytes(encode_obj(corners, np.array([[0, 1, 2], [0, 2, 3]])))
    (found,) = Points(300).read(path)
    assert found.shape == (300, 3)
    np.testing.assert_allclose(found[:, 1], 0.5)  # in the middle of the cube
    low, high = found.min(axis=0), found.max(axis=0)
    assert 0 <= low[0] < 0.05
    assert 0.95 < high[0] <= 1
    assert 0 <= low[2] < 0.02  # on the floor, a quarter as high as wide
    assert 0.23 < high[2] <= 0.25
    np.testing.assert_array_equal(found, Points(300).read(path)[0])


def test_of_many_points_some_are_chosen_and_few_are_refused(tmp_path):
    path = tmp_path / "cloud.ply"
    path.write_bytes(encode_ply(OBJECTS[0]))
    (some,) = Points(8).read(path)
    assert len(np.unique(some, axis=0)) == 8
    assert {*map(tuple, some)} <= {*map(tuple, OBJECTS[0])}
    with pytest.raises(ValueError, match=r"at least 21 points.*with 20 points"):
        Points(21).read(path)
    path.write_bytes(b"no object")
    with pytest.raises(ValueError, match=r"cloud\.ply must be a PLY or OBJ file"):
        KIND.read(path)
    with pytest.raises(OSError, match="missing"):
        KIND.read(tmp_path / "missing.ply")


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (OBJECTS + 1, "move and shrink each object"),
        (OBJECTS - 1, r"values from -.* to "),
        (OBJECTS * np.nan, "NaN"),
        (OBJECTS[:, 1:], r"shape \(5, 19, 3\)"),
        (OBJECTS[..., :2], r"shape \(5, 20, 2\)"),
        ((255 * OBJECTS).astype("uint8"), "uint8"),
        (OBJECTS[:0], "none"),
        ([], "at least one object"),
        (3.0, "shape"),
    ],
)
def test_what_is_no_object_is_refused(value, said):
    with pytest.raises(ValueError, match="`chairs` must be ") as error:
        KIND.read(value, "chairs")
    assert error.match(said)


@pytest.mark.parametrize("count", [0, -1, 2.5, "x", True, None])
def test_a_kind_that_cannot_be_is_refused(count):
    with pytest.raises((TypeError, ValueError), match="`count` must be"):
        Points(count)


def test_a_config_makes_the_same_kind():
    assert registry.from_plain(registry.to_plain(KIND)) == KIND


def test_a_grid_is_a_picture_one_pixel_wide():
    grid = np.asarray(KIND.to_grid(OBJECTS))
    assert grid.shape == (5, *KIND.grid_shape) == (5, 20, 1, 3)
    np.testing.assert_array_equal(KIND.from_grid(grid), OBJECTS)
    np.testing.assert_allclose(KIND.told(OBJECTS), 2 * grid - 1)


def test_a_picture_shows_three_sides():
    # A flat object on the floor: a line from the front and from the right.
    flat = np.array([[[x, y, 0] for x in np.linspace(0, 1, 9) for y in (0, 0.5, 1)]])
    pixels = np.asarray(Image.open(io.BytesIO(Points(27).picture(flat))).convert("L"))
    inked = pixels < 200
    thirds = np.array_split(inked, 3, axis=1)
    heights = [np.flatnonzero(third.any(axis=1)) for third in thirds]
    spans = [np.ptp(rows) for rows in heights]
    assert spans[0] < 10
    assert spans[1] < 10
    assert spans[2] > 90
    assert Points(20).picture(OBJECTS) == Points(20).picture(OBJECTS)
