"""Many rows, read a batch of one shape at a time."""

import numpy as np
import pytest

from keras_genai.tasks.rows import over_rows


@pytest.mark.parametrize(
    ("count", "size", "shapes"), [(7, 3, {3}), (6, 3, {3}), (2, 64, {2}), (1, 1, {1})]
)
def test_all_rows_are_found_by_batches_of_one_shape(count, size, shapes):
    seen = []

    def double(rows):
        assert rows.dtype == "int32"
        assert rows.max() < count
        seen.append(len(rows))
        return {"twice": np.stack([2 * rows, rows], axis=1), "same": rows}

    found = over_rows(double, count, size)
    assert set(seen) == shapes
    rows = np.arange(count)
    np.testing.assert_array_equal(found["same"], rows)
    np.testing.assert_array_equal(found["twice"], np.stack([2 * rows, rows], axis=1))
