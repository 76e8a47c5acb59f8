import numpy as np
import pytest
import tensorflow as tf

from keras_genai import draws


def words(*values):
    return tuple(tf.constant(value, tf.uint32) for value in values)


@pytest.mark.parametrize(
    ("key", "counter", "expected"),
    [  # from the Random123 distribution, kat_vectors
        ((0, 0), (0, 0), (0x6B200159, 0x99BA4EFE)),
        ((0xFFFFFFFF,) * 2, (0xFFFFFFFF,) * 2, (0x1CB996FC, 0xBB002BE7)),
        (
            (0x13198A2E, 0x03707344),
            (0x243F6A88, 0x85A308D3),
            (0xC4923A9C, 0x483DF7A0),
        ),
    ],
)
def test_threefry_gives_its_published_vectors(key, counter, expected):
    found = draws.threefry(words(*key), words(*counter))
    assert tuple(int(word) for word in found) == expected


def test_a_draw_depends_on_seed_row_and_step_alone():
    seed = tf.constant([7, 1], tf.uint32)
    few = draws.uniform(seed, tf.constant([4, 4, 9]))
    many = draws.uniform(seed, tf.constant([4, 4, 9, 4]))
    np.testing.assert_array_equal(few, many[:3])
    assert len(set(np.array(many))) == 4
    other = draws.uniform(tf.constant([7, 2], tf.uint32), tf.constant([4, 4, 9]))
    assert not set(np.array(other)) & set(np.array(few))


@pytest.mark.parametrize("seed", [0, 1, -1, 2**63 - 1, -(2**63)])
def test_a_key_is_the_two_halves_of_a_seed(seed):
    assert draws.key(seed).view("int64").tolist() == [seed]


def test_draws_spread_evenly_over_the_unit_interval():
    chances = draws.uniform(tf.constant([0, 0], tf.uint32), tf.range(20_000))
    counts, _ = np.histogram(chances, bins=20, range=(0, 1))
    assert ((counts - 1000) ** 2 / 1000).sum() < 43.8  # chi-square, p = 0.001


def test_categorical_draws_follow_the_softmax():
    logits = np.random.default_rng(0).normal(size=17).astype("float32")
    logits[[0, 5, 16]] = -np.inf
    chances = draws.uniform(tf.constant([3, 0], tf.uint32), tf.range(40_000))
    tokens = draws.categorical(tf.tile(logits[None], (40_000, 1)), chances)
    expected = 40_000 * np.array(tf.nn.softmax(logits))
    counts = np.bincount(tokens, minlength=17)
    assert (counts[[0, 5, 16]] == 0).all()
    possible = expected > 0
    squares = (counts - expected)[possible] ** 2 / expected[possible]
    assert squares.sum() < 34.5  # 13 degrees of freedom, p = 0.001


def test_no_token_of_probability_zero_is_drawn_at_the_ends_of_the_interval():
    logits = np.full((3, 50), -np.inf, "float32")
    logits[:, [11, 30]] = 0.0
    nearly_one = 1 - 2.0**-24
    tokens = draws.categorical(tf.constant(logits), tf.constant([0.0, 0.5, nearly_one]))
    np.testing.assert_array_equal(tokens, [11, 30, 30])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_drawn_is_a_token_even_if_the_logits_are_no_numbers(bad):
    for size in (6, 50, 256):  # of which some are no squares
        tokens = draws.categorical(tf.fill((3, size), bad), tf.constant([0, 0.5, 0.9]))
        assert np.all(tokens >= 0)
        assert np.all(tokens < size)


def sorted_set(scores, weights, target):
    """The same set by sorting, one row."""
    kept, mass = np.zeros(len(scores), bool), 0
    for index in np.argsort(-scores, kind="stable"):
        if mass >= target:
            break
        kept[index] = True
        mass += int(weights[index])
    return kept


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("target", [1, 2, 7, 20, 49, 50])
def test_heaviest_keeps_what_a_stable_sort_would(target, ties):
    rng = np.random.default_rng(target)
    scores = rng.normal(size=(6, 50)).astype("float32") * 5
    scores = np.round(scores / 5) if ties else scores
    scores[0, :20] = -np.inf
    weights = rng.integers(1, 4, size=(6, 50)).astype("int32")
    for each in (np.ones_like(weights), weights):
        kept = draws.heaviest(tf.constant(scores), tf.constant(each), target)
        expected = [sorted_set(*row, target) for row in zip(scores, each, strict=True)]
        np.testing.assert_array_equal(kept, expected)


def test_heaviest_keeps_everything_if_the_target_cannot_be_reached():
    scores = tf.constant([[1.0, 2.0, 3.0, 1.0]])
    assert np.all(draws.heaviest(scores, tf.ones_like(scores, tf.int32), 9))
