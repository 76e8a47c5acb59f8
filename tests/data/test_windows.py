import numpy as np
import pytest
import tensorflow as tf

from keras_genai.data.windows import Stream, Windows

TEXT = np.arange(1000)


def take(dataset, count):
    return [tokens.numpy() for tokens, _ in dataset.take(count)]


@pytest.mark.parametrize("kind", [Windows, Stream])
def test_targets_are_the_next_tokens(kind):
    loader = kind(TEXT, length=7, batch_size=3)
    for tokens, targets in loader.dataset().take(80):
        assert tokens.dtype == targets.dtype == tf.int32
        assert tokens.shape == targets.shape == (3, 7)
        np.testing.assert_array_equal(targets, (tokens + 1) % 1000)


@pytest.mark.parametrize("kind", [Windows, Stream])
def test_the_batch_of_a_step_does_not_depend_on_where_one_starts(kind):
    loader = kind(TEXT, length=7, batch_size=3)
    whole = take(loader.dataset(), 6)
    for mine, same in zip(take(loader.dataset(start=4), 2), whole[4:], strict=True):
        np.testing.assert_array_equal(mine, same)
    assert len(take(loader.dataset(start=100_000), 1)) == 1


def test_windows_differ_by_seed_and_step_and_reach_both_ends():
    loader = Windows(np.arange(10), length=7, batch_size=4, seed=1)
    steps = take(loader.dataset(), 40)
    assert not np.array_equal(steps[0], steps[1])
    other = Windows(np.arange(10), length=7, batch_size=4, seed=2)
    assert not np.array_equal(steps, take(other.dataset(), 40))
    # The last window is the one whose last target is the last token.
    assert set(np.ravel([step[:, 0] for step in steps])) == {0, 1, 2}


def test_a_stream_goes_on_where_it_stopped_and_wraps_around():
    steps = take(Stream(TEXT, length=7, batch_size=3).dataset(), 200)
    lanes = np.concatenate(steps, axis=1)  # (B, 1400)
    np.testing.assert_array_equal(lanes[:, 0], [0, 333, 666])
    assert (np.diff(lanes, axis=1) % 1000 == 1).all()


@pytest.mark.parametrize("kind", [Windows, Stream])
def test_an_epoch_reads_everything_once_without_overlap(kind):
    loader = kind(np.arange(1006), length=5, batch_size=4)
    steps = take(loader.epoch(), -1)
    assert len(steps) == loader.steps_per_epoch == loader.epoch().cardinality() == 50
    seen = np.ravel(steps)
    assert len(np.unique(seen)) == len(seen) == 1000
    lanes = np.concatenate(steps, axis=1)
    assert (np.diff(lanes, axis=1) == 1).all()


def test_a_short_text_still_gives_one_batch_of_the_usual_shape():
    loader = Windows(np.arange(9), length=8, batch_size=4)
    (tokens,) = take(loader.epoch(), -1)
    assert tokens.shape == (4, 8)
    assert tokens.max() < 8


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.arange(8), 8, 2), "`tokens` must be longer than `length`.*8 tokens"),
        ((np.zeros((2, 8), int), 2, 2), "`tokens` must be ints"),
        ((np.zeros(8), 2, 2), "`tokens` must be ints"),
        ((TEXT, 0, 2), "`length` must be at least 1"),
        ((TEXT, 2, 0), "`batch_size` must be at least 1"),
    ],
)
def test_errors_name_the_argument(arguments, message):
    with pytest.raises(ValueError, match=message):
        Windows(*arguments)


@pytest.mark.parametrize("kind", [Windows, Stream])
def test_a_batch_of_more_tokens_than_any_memory_is_refused(kind):
    with pytest.raises(ValueError, match="`batch_size` times `length` must be at most"):
        kind(np.arange(100), length=8, batch_size=2**31)
