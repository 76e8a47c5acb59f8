"""Lists of arrays in .npz files are read; what else a pickle asks for is not done."""

import zipfile

import numpy as np
import pytest

from keras_genai.files.pickled_arrays import LARGEST_FILE, read_array_lists


def objects(*values):
    found = np.empty(len(values), object)
    found[:] = values
    return found


def test_arrays_of_several_lengths_come_back(tmp_path):
    rows = [np.arange(6.0).reshape(3, 2), np.ones((1, 2), "float16")]
    np.savez(tmp_path / "a.npz", train=objects(*rows), test=objects(rows[0]))
    found = read_array_lists(tmp_path / "a.npz")
    assert {*found} == {"train", "test"}
    for one, other in zip(found["train"], rows, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


class Harm:
    def __reduce__(self):
        return print, ("harm was done",)


def test_nothing_of_a_pickle_is_run(tmp_path, capsys):
    np.savez(tmp_path / "a.npz", train=objects(Harm()))
    with pytest.raises(ValueError, match=r"a pickle that asks for builtins\.print"):
        read_array_lists(tmp_path / "a.npz")
    assert "harm" not in capsys.readouterr().out


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no such file"])
def test_what_is_no_such_file_is_refused(content, tmp_path):
    path = tmp_path / "a.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"must be a \.npz file of lists of arrays"):
        read_array_lists(path)


def test_what_is_no_array_is_refused(tmp_path):
    np.savez(tmp_path / "a.npz", train=objects("text", 3))
    with pytest.raises(ValueError, match="has what is no array"):
        read_array_lists(tmp_path / "a.npz")


class Pointer:
    """An array whose bytes NumPy would take for an address."""

    def __init__(self, type_):
        self.type = type_

    def __reduce__(self):
        return np.ndarray, ((1, 1), self.type, b"\1" * 8)


class Hidden:
    """A type of eight bytes that says of itself that it holds no object."""

    def __reduce__(self):
        fields = {"a": (np.dtype("O"), 0)}
        return np.dtype, ("V8", False, True), (3, "|", None, ("a",), fields, 8, 1, 0)


@pytest.mark.parametrize("type_", [np.dtype("O"), Hidden()])
def test_bytes_of_a_pickle_are_no_addresses(type_, tmp_path):
    np.savez(tmp_path / "a.npz", train=objects(Pointer(type_)))
    with pytest.raises(ValueError, match=r"must be a \.npz file of lists of arrays"):
        read_array_lists(tmp_path / "a.npz")


@pytest.mark.parametrize("dtype", [object, "U3", "M8[s]", "c8", [("a", "f4")]])
def test_arrays_of_anything_but_numbers_are_refused(dtype, tmp_path):
    np.savez(tmp_path / "a.npz", train=objects(np.zeros((1, 2), dtype)))
    with pytest.raises(ValueError, match=r"must be a \.npz file of lists of arrays"):
        read_array_lists(tmp_path / "a.npz")


@pytest.mark.parametrize("dtype", ["?", "u1", ">f8", "<i2"])
def test_numbers_of_every_order_come_back(dtype, tmp_path):
    row = np.asfortranarray(np.arange(6).reshape(3, 2).astype(dtype))
    np.savez(tmp_path / "a.npz", train=objects(row, row[:1]))
    np.testing.assert_array_equal(read_array_lists(tmp_path / "a.npz")["train"][0], row)


def test_members_that_unpack_to_too_much_together_are_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for name in ("a", "b"):
            archive.writestr(f"{name}.npy", bytes(LARGEST_FILE // 2 + 1))
    with pytest.raises(ValueError, match="members of 67,108,866 bytes"):
        read_array_lists(tmp_path / "a.npz")
