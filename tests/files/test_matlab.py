"""Cells of a MATLAB file are read as SciPy reads them; damage is one line."""

import numpy as np
import pytest
import scipy.io

from keras_genai.files import matlab
from keras_genai.files.matlab import read_cells


def cells(*values):
    found = np.empty((1, len(values)), object)
    found[0, :] = values
    return found


ROWS = np.arange(12.0).reshape(4, 3), np.ones((2, 2), "uint8"), np.zeros((0, 3), "i2")


@pytest.mark.parametrize("compressed", [False, True])
def test_cells_come_back_whatever_lies_beside_them(compressed, tmp_path):
    path = tmp_path / "a.mat"
    more = {"x": "text", "n": 3, "s": {"a": 1}}
    scipy.io.savemat(path, {**more, "rows": cells(*ROWS)}, do_compression=compressed)
    found = read_cells(path)
    assert {*found} == {"rows"}
    for one, other in zip(found["rows"], ROWS, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("value", ["text", 1j, {"a": 1}, cells(np.ones(2))])
def test_cells_of_something_else_are_refused(value, tmp_path):
    scipy.io.savemat(tmp_path / "a.mat", {"rows": cells(value)})
    with pytest.raises(ValueError, match=r"a\.mat must be a MATLAB file of version 5"):
        read_cells(tmp_path / "a.mat")


@pytest.mark.parametrize(
    "content", [b"", b"text", bytes(128), b"MATLAB 7.3 MAT-file".ljust(124) + b"\0\2IM"]
)
def test_what_is_no_such_file_is_refused(content, tmp_path):
    (tmp_path / "a.mat").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.mat must be a MATLAB file of version 5"):
        read_cells(tmp_path / "a.mat")


def test_what_unpacks_to_too_much_is_refused(tmp_path, monkeypatch):
    rows = {"rows": cells(np.zeros((1000, 10)))}
    scipy.io.savemat(tmp_path / "a.mat", rows, do_compression=True)
    monkeypatch.setattr(matlab, "LARGEST_FILE", 60_000)
    with pytest.raises(ValueError, match="unpacks to too much"):
        read_cells(tmp_path / "a.mat")


def test_whatever_is_damaged_is_read_or_refused_in_one_line(tmp_path):
    path, draws = tmp_path / "a.mat", np.random.default_rng(0)
    scipy.io.savemat(path, {"rows": cells(*ROWS)})
    whole, refused = path.read_bytes(), 0
    for _ in range(200):
        content = bytearray(whole)
        for place in draws.integers(0, len(whole), 3):
            content[place] = draws.integers(256)
        path.write_bytes(content[: draws.integers(1, 2 * len(whole))])
        try:
            read_cells(path)
        except ValueError:
            refused += 1
    assert 100 < refused < 200
