"""Monotonic alignment against all ways there are, and what is made of it."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

from keras_genai.layers.alignment import durations_of, monotonic_alignment, spread

CASES = [(5, 8), (1, 4), (4, 4), (2, 7)]


def best_of_all(scores):
    """The best way by trying every one: symbols of frames."""
    symbols, frames = scores.shape
    ways = []
    for cuts in itertools.combinations(range(1, frames), symbols - 1):
        edges = [0, *cuts, frames]
        ways.append(np.repeat(np.arange(symbols), np.diff(edges)))
    return max(ways, key=lambda way: scores[way, np.arange(frames)].sum())


@pytest.mark.parametrize(("symbols", "frames"), CASES)
def test_it_finds_the_best_way_there_is(symbols, frames):
    scores = np.random.default_rng(symbols).normal(size=(3, symbols, frames))
    found = monotonic_alignment(scores, [symbols] * 3, [frames] * 3).numpy()
    expected = [best_of_all(each) for each in scores]
    np.testing.assert_array_equal(found, expected)


def test_rows_of_other_lengths_do_not_mind_what_is_behind_them():
    draws = np.random.default_rng(0)
    scores = draws.normal(size=(len(CASES), 6, 9)).astype("float32") + 5
    lengths = np.array(CASES)
    aligned = tf.function(monotonic_alignment)
    found = aligned(scores, lengths[:, 0], lengths[:, 1]).numpy()
    for row, (symbols, frames) in enumerate(CASES):
        expected = best_of_all(scores[row, :symbols, :frames])
        np.testing.assert_array_equal(found[row, :frames], expected)
        assert (found[row, frames:] == symbols - 1).all()
    counted = durations_of(found, lengths[:, 1], 6).numpy()
    np.testing.assert_array_equal(counted.sum(axis=1), lengths[:, 1])
    np.testing.assert_array_equal((counted > 0).sum(axis=1), lengths[:, 0])
    again = spread(counted, 9).numpy()
    for row, (_, frames) in enumerate(CASES):
        np.testing.assert_array_equal(again[row, :frames], found[row, :frames])


def test_scores_have_no_gradient():
    scores = tf.random.stateless_normal((1, 2, 4), (0, 0))
    with tf.GradientTape() as tape:
        tape.watch(scores)
        found = monotonic_alignment(scores, [2], [4])
        picked = tf.gather(tf.transpose(scores[0]), found[0], batch_dims=1)
        total = tf.reduce_sum(picked)
    gradient = tape.gradient(total, scores).numpy()
    assert gradient.sum() == 4  # of what is picked, not of the choice
