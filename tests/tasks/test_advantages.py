"""Advantages, in closed form."""

import itertools

import numpy as np
import pytest
from toy_strings import (
    BETA,
    LENGTHS,
    MASK,
    OPTIMUM,
    OTHER,
    REFERENCE,
    REWARDS,
    SOFT_VALUES,
    STEPS,
    N,
    nats,
    score,
    token_nats,
)

from keras_genai.tasks.advantages import GAE, GroupMean, LeaveOneOut, whitened

TOTALS = REWARDS - BETA * (nats(OTHER) - nats(REFERENCE))
CHANCES = np.exp(nats(OTHER))
SLOPE = score(OTHER, (CHANCES * TOTALS)[:, None])  # of the objective
PLAIN = GAE(gamma=0.99, lam=0.95, whiten=False)


def last_token(totals, lengths):
    """Rewards (N, L) that come with the last token."""
    rewards = np.zeros((len(totals), 3))
    rewards[np.arange(len(totals)), lengths - 1] = totals
    return rewards


def expected_slope(estimator, size):
    """What an estimator makes of all groups, each as likely as it is."""
    groups = np.array(list(itertools.product(range(N), repeat=size)))
    chances = CHANCES[groups].prod(axis=1)
    rows = groups.ravel()
    rewards = last_token(TOTALS[rows], LENGTHS[rows])
    found = estimator(rewards, None, MASK[rows]).advantages[:, 0]
    found = found.reshape(groups.shape)
    weights = np.zeros(N)
    for place in range(size):
        np.add.at(weights, groups[:, place], chances * found[:, place] / size)
    return score(OTHER, weights[:, None])


def test_leaving_one_out_is_unbiased_over_all_pairs():
    np.testing.assert_allclose(expected_slope(LeaveOneOut(2), 2), SLOPE, atol=1e-12)


def test_the_mean_of_a_group_is_biased_by_one_in_its_size():
    found = expected_slope(GroupMean("none", group=2), 2)
    np.testing.assert_allclose(found, SLOPE / 2, atol=1e-12)


def test_completions_share_their_advantage_and_padding_has_none():
    rewards = np.array([[0, 1.0, 0], [0, 0, 3.0], [2.0, 0, 0], [2.0, 0, 0]])
    mask = np.array([[1, 1, 0], [1, 1, 1], [1, 0, 0], [1, 0, 0]], bool)
    found = GroupMean("none", group=2)(rewards, None, mask).advantages
    assert found.tolist() == [[-1, -1, 0], [1, 1, 1], [0, 0, 0], [0, 0, 0]]


def test_a_group_is_scaled_by_its_deviation_and_a_batch_by_that_of_all():
    rewards, mask = np.array([[0.0], [2], [0], [4]]), np.ones((4, 1), bool)
    group = GroupMean("group", group=2)(rewards, None, mask).advantages[:, 0]
    of_group = np.array([1, 1, 2, 2]) * np.sqrt(2) + 1e-4
    np.testing.assert_allclose(group, np.array([-1, 1, -2, 2]) / of_group, rtol=1e-12)
    batch = GroupMean("batch", group=2)(rewards, None, mask).advantages[:, 0]
    of_batch = rewards.std(ddof=1) + 1e-4
    np.testing.assert_allclose(batch, np.array([-1, 1, -2, 2]) / of_batch, rtol=1e-12)


def test_rounding_errors_of_equal_rewards_are_no_advantages():
    rewards = np.array([[1.0], [1 + 1e-12]])
    found = GroupMean("group", group=2)(rewards, None, np.ones((2, 1), bool))
    assert np.abs(found.advantages).max() < 1e-8


def test_gae_is_the_sum_that_was_computed_by_hand():
    rewards = np.array([[0.1, -0.2, 1.0, 0.0]])
    values = np.array([[0.5, 0.4, 0.3, 9.0]])
    mask = np.array([[1, 1, 1, 0]], bool)
    found = PLAIN(rewards, values, mask)
    golden = [[0.330206675, 0.35535, 0.7, 0]]
    np.testing.assert_allclose(found.advantages, golden, atol=1e-9)
    returns = np.where(mask, found.advantages + values, 0)
    np.testing.assert_array_equal(found.returns, returns)


def test_padding_changes_no_bit_of_gae():
    rng = np.random.default_rng(1)
    rewards, values = rng.normal(size=(2, 4, 5))
    mask = np.arange(5)[None] < np.array([[5], [3], [1], [4]])
    rewards *= mask

    def wider(array, value):
        return np.pad(array, ((0, 0), (0, 3)), constant_values=value)

    found = PLAIN(rewards, values, mask).advantages
    wide = PLAIN(wider(rewards, 5.0), wider(values, -7.0), wider(mask, False))
    np.testing.assert_array_equal(wide.advantages[:, :5], found)


def test_gae_to_the_end_is_returns_less_values():
    rewards, values = np.array([[0.1, -0.2, 1.0]]), np.array([[0.5, 0.4, 0.3]])
    found = GAE(1.0, 1.0, whiten=False)(rewards, values, np.ones((1, 3), bool))
    np.testing.assert_allclose(found.advantages, [[0.9, 0.8, 1.0]] - values, atol=1e-12)


def test_at_the_optimum_there_is_no_advantage_in_any_token():
    change = token_nats(OPTIMUM) - token_nats(REFERENCE)
    rewards = last_token(REWARDS, LENGTHS) - BETA * change
    values = SOFT_VALUES[STEPS] * MASK
    for lam in (0.0, 0.95):
        found = GAE(lam=lam, whiten=False)(rewards, values, MASK).advantages
        assert np.abs(found).max() < 1e-12
    assert np.abs(LeaveOneOut(8)(rewards, None, MASK).advantages).max() < 1e-12


def test_whitened_values_have_mean_0_and_variance_1_where_they_count():
    values = np.random.default_rng(2).normal(3, 2, size=(5, 7))
    mask = np.random.default_rng(3).random((5, 7)) < 0.6
    found = whitened(values, mask)
    assert abs(found[mask].mean()) < 1e-12
    assert abs(found[mask].var() - 1) < 1e-6
    assert not found[~mask].any()


def test_rows_that_are_no_whole_groups_are_refused():
    with pytest.raises(ValueError, match=r"3 completions each\. Received: 4"):
        LeaveOneOut(3)(np.zeros((4, 2)), None, np.ones((4, 2), bool))


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: LeaveOneOut(1), "`group` must be an int >= 2"),
        (lambda: GroupMean("std"), "`scale` must be one of"),
        (lambda: GAE(gamma=1.1), r"`gamma` must be in \[0, 1\]"),
        (lambda: GAE(value_clip=0), "`value_clip` must be a number above 0, or None"),
    ],
)
def test_numbers_out_of_range_are_refused(make, said):
    with pytest.raises(ValueError, match=said):
        make()
