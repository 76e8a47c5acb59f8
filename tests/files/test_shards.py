"""Weights in one file, and in several with an index."""

import json

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file

from keras_genai.files.shards import INDEX, WEIGHTS, Stored, is_file_of, read, write

ARRAYS = {
    "table": np.arange(12, dtype="float32").reshape(3, 4),  # 48 bytes
    "half": np.arange(3).astype(ml_dtypes.bfloat16),  # 6
    "count": np.array(7, "int64"),  # 8
    "mask": np.array([True, False, True]),  # 3
    "none": np.zeros((0, 4), "float32"),
    "ü": np.arange(16, dtype="int8").reshape(4, 4).T,  # 16, not contiguous
}


def stored(arrays=ARRAYS):
    return {name: Stored.of(array) for name, array in arrays.items()}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def assert_same(found, expected=ARRAYS):
    assert found.keys() == expected.keys()
    for name, array in expected.items():
        assert found[name].dtype == array.dtype
        np.testing.assert_array_equal(found[name], array)


def test_one_file_is_what_the_safetensors_package_reads(tmp_path):
    write(tmp_path, stored(), metadata={"format": "pt"})
    assert names(tmp_path) == [WEIGHTS]
    assert_same(load_file(tmp_path / WEIGHTS))
    assert_same({name: tensor.read() for name, tensor in read(tmp_path).items()})
    content = (tmp_path / WEIGHTS).read_bytes()
    length = int.from_bytes(content[:8], "little")
    assert length % 8 == 0
    assert json.loads(content[8 : 8 + length])["__metadata__"] == {"format": "pt"}


def test_no_tensors_are_a_file(tmp_path):
    write(tmp_path, {})
    assert read(tmp_path) == {}


def test_a_limit_shares_tensors_out_in_their_order(tmp_path):
    write(tmp_path, stored(), 20)
    shards = [f"model-{number:05d}-of-00003.safetensors" for number in (1, 2, 3)]
    assert names(tmp_path) == [*shards, INDEX]
    assert all(map(is_file_of, names(tmp_path)))
    index = json.loads((tmp_path / INDEX).read_bytes())
    assert index["metadata"]["total_size"] == 81
    found = {}
    for shard in shards:
        part = load_file(tmp_path / shard)
        assert set(part) == {
            name for name, place in index["weight_map"].items() if place == shard
        }
        found |= part
    assert_same(found)
    assert [index["weight_map"][name] for name in ("table", "half", "count", "ü")] == [
        shards[0],  # alone above the limit
        shards[1],
        shards[1],
        shards[2],
    ]
    assert_same({name: tensor.read() for name, tensor in read(tmp_path).items()})


@pytest.mark.parametrize(
    ("limit", "files"), [("1KB", 3), ("1KiB", 2), ("1 MB", 1), (2048, 1), (1024, 2)]
)
def test_a_limit_may_be_written_with_a_unit(limit, files, tmp_path):
    arrays = {name: np.zeros(128, "float32") for name in "abcd"}
    if files == 3:
        arrays = {name: np.zeros(124, "float32") for name in "abcdef"}
    write(tmp_path, stored(arrays), limit)
    assert len(list(tmp_path.glob("*.safetensors"))) == files


@pytest.mark.parametrize("limit", [0, -1, True, 1.5, "5", "GB", "5TB", "5gb", None])
def test_what_is_no_size_is_refused(limit, tmp_path):
    with pytest.raises(ValueError, match=r"`max_shard_size` must be .* Received: "):
        write(tmp_path, stored(), limit)
    assert not names(tmp_path)


def test_one_tensor_is_held_at_a_time(tmp_path):
    held = []

    class Counted(np.ndarray):
        def __del__(self):
            held.remove(id(self))

    def made(number):
        array = np.full(100, number, "float32").view(Counted)
        held.append(id(array))
        assert len(held) <= 2  # the one before goes when this one is there
        return array

    tensors = {
        str(number): Stored(
            (100,), np.dtype("float32"), lambda number=number: made(number)
        )
        for number in range(8)
    }
    write(tmp_path, tensors, 1000)
    assert not held
    found = read(tmp_path)
    assert [found[str(number)].read()[0] for number in range(8)] == list(range(8))


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda folder: next(folder.glob("*-00002-*")).unlink(), "00002.* is missing"),
        (lambda folder: (folder / INDEX).write_text("{}"), "has no `weight_map`"),
        (lambda folder: rename(folder, "table", "cable"), "differ in cable, table"),
        (lambda folder: rename(folder, "ü", "ü", "../up.safetensors"), "beside it"),
    ],
)
def test_what_does_not_fit_together_is_told(damage, said, tmp_path):
    write(tmp_path, stored(), 20)
    damage(tmp_path)
    with pytest.raises(ValueError, match=said):
        read(tmp_path)


def rename(folder, old, new, place=None):
    index = json.loads((folder / INDEX).read_bytes())
    before = index["weight_map"].pop(old)
    index["weight_map"][new] = place or before
    (folder / INDEX).write_text(json.dumps(index))
