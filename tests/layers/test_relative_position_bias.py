import numpy as np
import pytest
from keras import ops

from keras_genai.layers.positions import RelativePositionBias, relative_bucket


def test_one_decoding_step_is_one_row_of_the_full_bias():
    layer = RelativePositionBias(num_heads=2, num_buckets=8, max_distance=16)
    keys = ops.arange(6)
    row = layer(ops.convert_to_tensor([4]), keys)
    np.testing.assert_array_equal(row, layer(keys, keys)[:, :, 4:5])
    rows = layer(ops.convert_to_tensor([[4], [2]]), ops.stack([keys, keys]))
    np.testing.assert_array_equal(rows[1:], layer(keys, keys)[:, :, 2:3])


@pytest.mark.parametrize(
    ("causal", "expected"),
    [  # written by transformers 5.23 for the distances below, 8 buckets up to 20
        (False, [3, 3, 3, 3, 3, 2, 2, 2, 1, 0, 5, 6, 6, 6, 7, 7, 7, 7, 7]),
        (True, [7, 7, 7, 7, 6, 5, 3, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
    ],
)
def test_buckets_are_those_of_transformers(causal, expected):
    far = [2, 3, 6, 10, 15, 19, 20, 300]
    distance = ops.convert_to_tensor([-d for d in far[::-1]] + [-1, 0, 1, *far])
    found = relative_bucket(distance, 8, 20, causal)
    assert ops.convert_to_numpy(found).tolist() == expected


def test_a_causal_bias_does_not_tell_later_keys_apart():
    layer = RelativePositionBias(num_heads=1, num_buckets=8, causal=True)
    bias = ops.convert_to_numpy(layer(ops.convert_to_tensor([2]), ops.arange(9)))
    assert len(set(bias[0, 0, 0, 2:])) == 1
    assert len(set(bias[0, 0, 0, :3])) == 3


@pytest.mark.parametrize(
    "arguments", [dict(num_buckets=5), dict(num_buckets=2), dict(max_distance=16)]
)
def test_impossible_buckets_are_refused(arguments):
    with pytest.raises(ValueError, match="must be"):
        RelativePositionBias(num_heads=2, **arguments)
