"""Error rates are edits over what was said, of all texts together."""

import functools

import numpy as np
import pytest

from keras_genai.evaluation.edits import edit_distance
from keras_genai.evaluation.transcription import (
    character_error_rate,
    error_rate,
    phone_error_rate,
    word_error_rate,
)


def by_definition(found, truth):
    """The fewest edits, straight from the recursion."""

    @functools.cache
    def edits(i, j):
        if not i or not j:
            return i + j
        change = edits(i - 1, j - 1) + (found[i - 1] != truth[j - 1])
        return min(change, edits(i - 1, j) + 1, edits(i, j - 1) + 1)

    return edits(len(found), len(truth))


@pytest.mark.parametrize(
    ("found", "truth", "edits"),
    [
        ("kitten", "sitting", 3),
        ("intention", "execution", 5),
        ("", "abc", 3),
        ("abc", "", 3),
        ("", "", 0),
        ("abc", "abc", 0),
        ("ab", "ba", 2),
    ],
)
def test_known_distances(found, truth, edits):
    assert edit_distance(found, truth) == edits


def test_distances_are_those_of_the_definition():
    draws = np.random.default_rng(0)
    for _ in range(60):
        found, truth = (
            tuple(draws.integers(0, 3, draws.integers(0, 9)).tolist()) for _ in range(2)
        )
        assert edit_distance(found, truth) == by_definition(found, truth)


def test_rates_sum_edits_and_lengths_of_all_texts():
    found = ["one two three", "four five", ""]
    truth = ["one too three", "four", "six"]
    # One changed, one too many, one missing, of five words.
    assert word_error_rate(found, truth) == pytest.approx(3 / 5)
    assert character_error_rate(["abc  d "], ["abd d"]) == pytest.approx(1 / 5)
    assert phone_error_rate(["K AE T"], [["K", "AH", "T"]]) == pytest.approx(1 / 3)


def test_empty_references_are_defined():
    assert word_error_rate(["", "a"], ["", "a"]) == 0
    assert word_error_rate([""], [""]) == 0
    assert word_error_rate(["b", "a"], ["", "a"]) == 1
    assert word_error_rate(["b"], [""]) == float("inf")


def test_as_many_references_as_texts_are_needed():
    with pytest.raises(ValueError, match="`truth` must be a reference for each"):
        error_rate(["a"], ["a", "b"])
    with pytest.raises(ValueError, match="at least one"):
        word_error_rate([], [])
