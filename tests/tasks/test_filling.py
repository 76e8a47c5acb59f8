"""Weights that are read instead of drawn: their values, and whose memory they are."""

import functools

import keras
import numpy as np
import pytest

from keras_genai.files.tensors import aligned_empty
from keras_genai.layers.recurrent import CELLS
from keras_genai.networks.gpt import GPT
from keras_genai.networks.rnn import RNN
from keras_genai.tasks.filling import build_filled
from keras_genai.tasks.language import CausalLM

SIZES = dict(vocabulary_size=5, context=4, depth=1, width=8, num_heads=2)
TABLE = "gpt/embedding/embeddings"
VALUES = np.arange(5 * 8, dtype="float32").reshape(5, 8)


def gpt():
    return CausalLM(GPT(**SIZES))


def filled(array):
    model = build_filled(gpt, lambda model: {TABLE: lambda: array})
    return model, model.preset_weights()[TABLE]


@pytest.mark.parametrize(
    "lie",
    [
        np.array,
        lambda array: np.asfortranarray(array),
        lambda array: np.frombuffer(b"odd!" + array.tobytes(), "<f4", offset=4),
        lambda array: array.astype("float64"),
        lambda array: array.astype("int8"),
    ],
    ids=["plain", "transposed", "misaligned", "float64", "int8"],
)
def test_values_arrive_however_they_lie(lie):
    _, weight = filled(lie(VALUES).reshape(5, 8))
    np.testing.assert_array_equal(weight, VALUES)


def rnn(cell):
    sizes = dict(embedding_dim=4, units=4, num_layers=2)
    return CausalLM(RNN(vocabulary_size=5, cell=cell, **sizes))


@pytest.mark.parametrize(
    "build",
    [gpt, *(functools.partial(rnn, cell) for cell in CELLS)],
    ids=["GPT", *CELLS],
)
def test_weights_that_nobody_stored_begin_as_in_any_other_model(build):
    made = []
    for make in (build, lambda: build_filled(build, lambda model: {})):
        keras.utils.set_random_seed(3)
        made.append(make().weights)
    for plain, later in zip(*made, strict=True):
        np.testing.assert_array_equal(later, plain)


def test_training_one_model_leaves_another_from_the_same_numbers_alone():
    array = aligned_empty(VALUES.shape, "float32")
    array[...] = VALUES
    (_, one), (_, other) = filled(array), filled(array)
    one.assign(one + 1)
    one.value.assign_add(np.ones_like(VALUES))
    np.testing.assert_array_equal(one, VALUES + 2)
    np.testing.assert_array_equal(other, VALUES)


def test_memory_begins_at_a_multiple_of_64_bytes():
    for count in range(1, 40):
        array = aligned_empty((count, 3), "<u2")
        assert array.shape == (count, 3)
        assert array.ctypes.data % 64 == 0
