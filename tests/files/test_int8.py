"""8-bit weights in a file: near the floats, and refused where the two do not fit."""

import numpy as np
import pytest
from safetensors.numpy import save_file

from keras_genai.files.int8 import SCALE, Int8Tensor, is_worth_it, joined, split
from keras_genai.files.tensors import ALIGNMENT, read_header


def in_file(tmp_path, arrays):
    save_file(arrays, tmp_path / "model.safetensors")
    return joined(read_header(tmp_path / "model.safetensors"))


def pair(values=(4, 6), scale=(1, 6), dtypes=("int8", "float32")):
    """Integers and a scale of ones, in the shapes and dtypes that are given."""
    arrays = zip((values, scale), dtypes, strict=True)
    return dict(
        zip(("w", "w" + SCALE), (np.ones(*each) for each in arrays), strict=True)
    )


@pytest.mark.parametrize(
    ("shape", "axis"), [((64, 96), 0), ((64, 96), 1), ((3, 3, 64, 16), 2)]
)
def test_a_weight_is_read_to_half_a_step_along_its_best_axis(shape, axis, tmp_path):
    random = np.random.default_rng(0)
    others = [1 if other != axis else length for other, length in enumerate(shape)]
    array = random.normal(size=shape) * np.exp(random.normal(size=others))
    array = array.astype("float32")
    stored = split("w", array)
    assert stored["w"].dtype == np.int8
    assert stored["w" + SCALE].shape == tuple(others)
    found = in_file(tmp_path, stored)
    assert list(found) == ["w"]
    assert found["w"].shape == shape
    read = found["w"].read()
    assert read.dtype == np.float32
    assert read.ctypes.data % ALIGNMENT == 0
    assert (np.abs(read - array) <= 0.501 * stored["w" + SCALE]).all()


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (np.zeros((64, 64), "float32"), 0.0),
        (np.full((64, 64), 2.6e-43, "float32"), 2.6e-43),  # of 8 bits themselves
        (np.full((64, 64), 3e38, "float32"), 3e38),
    ],
)
def test_the_largest_and_smallest_floats_come_back(array, expected, tmp_path):
    read = in_file(tmp_path, split("w", array))["w"].read()
    np.testing.assert_allclose(read, np.float32(expected), rtol=1e-6, atol=1e-43)


def test_vectors_small_tables_and_columns_are_not_worth_it():
    assert is_worth_it((64, 64))
    assert is_worth_it((9, 512, 1))
    for shape in ((100_000,), (63, 64), (100_000, 1), ()):
        assert not is_worth_it(shape)


@pytest.mark.parametrize(
    "changes",
    [
        dict(scale=(6,)),
        dict(scale=(4, 6)),
        dict(scale=(1, 5)),
        dict(scale=(1, 1, 6)),
        dict(scale=(0, 1)),
        dict(scale=()),
        dict(dtypes=("int8", "float64")),
        dict(dtypes=("int8", "int8")),
        dict(dtypes=("uint8", "float32")),
        dict(dtypes=("float32", "float32")),
    ],
)
def test_a_scale_that_does_not_fit_is_refused_before_a_number_is_read(
    changes, tmp_path, monkeypatch
):
    monkeypatch.setattr("keras_genai.files.tensors.Tensor.read", None)
    with pytest.raises(ValueError, match="w/int8_scale must be F32") as error:
        in_file(tmp_path, pair(**changes))
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("value", [0.0, -1.0, np.nan, np.inf, 3e38])
def test_a_scale_that_is_no_step_is_refused(value, tmp_path):
    arrays = pair()
    arrays["w"][:] = 127
    arrays["w" + SCALE][0, 3] = value
    with pytest.raises(ValueError, match=r"w/int8_scale (is not finite|must be above)"):
        in_file(tmp_path, arrays)["w"].read()


def test_a_scale_of_nothing_and_of_a_scale_stay_to_be_refused(tmp_path):
    arrays = pair()
    arrays["w" + SCALE + SCALE] = arrays["other" + SCALE] = np.ones(1, "float32")
    found = in_file(tmp_path, arrays)
    assert isinstance(found.pop("w"), Int8Tensor)
    assert sorted(found) == ["other" + SCALE, "w" + SCALE + SCALE]
