"""Lists of arrays in .npz files are read; what else a pickle asks for is not done."""

import numpy as np
import pytest

from keras_genai.files.pickled_arrays import read_array_lists


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
