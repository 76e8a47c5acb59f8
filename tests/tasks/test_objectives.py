"""The surrogate, its means and what keeps a policy near, against closed forms."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from toy_strings import (
    LENGTHS,
    MASK,
    OTHER,
    REFERENCE,
    STEPS,
    TOKENS,
    log_softmax,
    nats,
    score,
    token_nats,
)

from keras_genai.tasks.objectives import (
    KL,
    AdaptiveKL,
    Clipped,
    mean_over,
    value_error,
)

# 4 tokens at a loss of 2, 16 at 1.
SHORT = np.arange(16)[None] < np.array([[4], [16]])
LOSSES = SHORT * np.array([[2.0], [1.0]])


def float32(array):
    return tf.constant(np.asarray(array, "float32"))


def slope_of(loss, logits=OTHER):
    """The slope of a function of token log-probabilities (N, L), at a policy."""
    table = tf.Variable(float32(logits))
    with tf.GradientTape() as tape:
        whole = tf.nn.log_softmax(table)
        rows = tf.stack([STEPS, TOKENS], axis=-1)
        found = tf.gather_nd(whole, rows) * float32(MASK)
        value = loss(found)
    return tape.gradient(value, table).numpy()


def assert_near(found, expected):
    """Within 1e-5 of the largest number."""
    np.testing.assert_allclose(found, expected, atol=1e-5 * np.abs(expected).max())


@pytest.mark.parametrize(
    ("mean", "golden"), [("token", 1.2), ("sequence", 1.5), ("constant", 0.75)]
)
def test_means_are_the_golden_ones(mean, golden):
    found = mean_over(float32(LOSSES), float32(SHORT), mean)
    np.testing.assert_allclose(found, golden, rtol=1e-6)


def test_means_of_tokens_add_up_to_that_of_the_rollout():
    rows = [
        mean_over(float32(LOSSES[[row]]), float32(SHORT[[row]]), "token", 10.0)
        for row in (0, 1)
    ]
    np.testing.assert_allclose(np.mean(rows), 1.2, rtol=1e-6)


def test_a_batch_of_which_nothing_counts_has_no_loss():
    for mean in ("token", "sequence", "constant"):
        found = mean_over(float32(LOSSES), float32(0 * SHORT), mean)
        assert found == 0


ADVANTAGES = np.random.default_rng(5).normal(size=(len(MASK), 1)) * MASK
CHANCES = np.exp(nats(OTHER))


@pytest.mark.parametrize(
    ("ratio", "weights"),
    [("token", 1.0), ("sequence", 1.0), ("geometric", 1 / LENGTHS[:, None])],
)
def test_the_slope_at_a_ratio_of_1_is_that_of_reinforce(ratio, weights):
    objective = Clipped(ratio=ratio)

    def loss(found):
        surrogate = objective(
            found, float32(token_nats(OTHER)), float32(ADVANTAGES), float32(MASK)
        )
        np.testing.assert_allclose(surrogate.ratio, 1, atol=1e-6)
        of_rows = tf.reduce_sum(surrogate.loss * float32(MASK), axis=1)
        if ratio != "token":  # every token of a row has the row's
            of_rows /= float32(LENGTHS)
        return tf.reduce_sum(float32(CHANCES) * of_rows)

    expected = -score(OTHER, CHANCES[:, None] * ADVANTAGES * weights)
    assert_near(slope_of(loss), expected)


@pytest.mark.parametrize("sign", [1, -1])
def test_beyond_the_range_a_good_token_pulls_no_more_but_a_bad_one_is_pushed(sign):
    # An old policy that gave less: a ratio of e ** 0.5, above 1.2.
    before = float32(token_nats(OTHER) - 0.5)
    advantages = float32(sign * (1 + ADVANTAGES**2) * MASK)

    def loss(found):
        surrogate = Clipped(0.2)(found, before, advantages, float32(MASK))
        assert np.array_equal(surrogate.high, MASK * (sign > 0))
        assert not np.any(surrogate.low)
        return tf.reduce_sum(surrogate.loss)

    slope = slope_of(loss)
    assert np.any(slope) == (sign < 0)


def test_a_wider_range_above_lets_rare_tokens_rise():
    before, mask = float32([[-0.25, -0.25]]), float32([[1, 1]])
    surrogate = Clipped(0.2, 0.3)(0 * before, before, float32([[1, 1]]), mask)
    assert not np.any(surrogate.high)  # e ** 0.25 is 1.284
    assert np.all(Clipped(0.2)(0 * before, before, mask, mask).high)


def test_a_token_below_the_range_that_is_bad_does_not_count():
    before, mask = float32([[0.5]]), float32([[1]])
    surrogate = Clipped(0.2)(0 * before, before, float32([[-1]]), mask)
    assert surrogate.low == 1
    np.testing.assert_allclose(surrogate.loss, 0.8, rtol=1e-6)


VISITS = np.zeros(len(OTHER))
np.add.at(VISITS, STEPS, MASK * CHANCES[:, None])


def divergence_at_visits(logits, forward):
    """Of the tokens after each prefix, visited as `OTHER` does; and its slope."""
    ours, theirs = log_softmax(logits), log_softmax(REFERENCE)
    if forward:  # of the reference from the policy
        return VISITS[:, None] * (np.exp(ours) - np.exp(theirs))
    change = ours - theirs
    expected = (np.exp(ours) * change).sum(-1, keepdims=True)
    return VISITS[:, None] * np.exp(ours) * (change - expected)


@pytest.mark.parametrize("corrected", [False, True])
def test_the_cost_in_the_loss_has_the_slope_that_its_docs_say(corrected):
    before = float32(token_nats(OTHER))

    def loss(found):
        ratio = tf.exp(found - before)
        cost = KL(1.0, "loss", corrected).penalty(
            found, float32(token_nats(REFERENCE)), ratio
        )
        return tf.reduce_sum(float32(CHANCES[:, None] * MASK) * cost)

    expected = divergence_at_visits(OTHER, forward=not corrected)
    np.testing.assert_allclose(slope_of(loss), expected, atol=1e-5)


def test_the_cost_in_the_loss_is_the_divergence_on_average():
    cost = KL(1.0, "loss").penalty(
        float32(token_nats(OTHER)), float32(token_nats(REFERENCE)), None
    )
    found = (CHANCES[:, None] * MASK * cost.numpy()).sum()
    expected = (CHANCES * (nats(OTHER) - nats(REFERENCE))).sum()
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_an_adaptive_coefficient_follows_the_published_rule():
    adaptive = AdaptiveKL(0.15, target=6.0, horizon=10_000)
    np.testing.assert_allclose(
        adaptive.following(0.15, seen=12.0, completions=512), 0.151536, atol=1e-12
    )
    assert adaptive.following(0.2, seen=0.0, completions=1000) == 0.2 * 0.98
    assert KL(0.15).following(0.15, 12.0, 512) == 0.15


def test_a_critic_pays_for_the_worse_of_where_it_is_and_where_it_may_be():
    before, returns = float32([0.0, 0.0]), float32([1.0, 1.0])
    found = value_error(float32([0.1, 0.9]), before, returns, clip=0.2)
    np.testing.assert_allclose(found.loss, [0.405, 0.32], rtol=1e-6)
    assert np.array_equal(found.clipped, [0, 1])
    found = value_error(float32([0.1, 0.9]), before, returns)
    np.testing.assert_allclose(found.loss, [0.405, 0.005], rtol=1e-5)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Clipped(0), r"`low` must be in \(0, 1\]"),
        (lambda: Clipped(high=0), "`high` must be above 0, or None"),
        (lambda: Clipped(mean="words"), "`mean` must be one of"),
        (lambda: Clipped(ratio="words"), "`ratio` must be one of"),
        (lambda: KL(-1), "`coefficient` must be a finite number >= 0"),
        (lambda: KL(where="nowhere"), "`where` must be one of"),
        (lambda: KL(corrected=True), "`corrected` must be False with where='reward'"),
        (lambda: AdaptiveKL(target=0), "`target` must be above 0"),
    ],
)
def test_numbers_out_of_range_are_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()


def test_objects_come_back_from_their_configs():
    for value in (Clipped(0.1, 0.28, "constant", "geometric"), AdaptiveKL(0.2)):
        assert type(value)(**value.get_config()) == value
    assert keras.saving.get_registered_object("keras_genai>Clipped") is Clipped
