"""Losses of preferences against numbers that were computed apart, by other programs."""

import math

import numpy as np
import pytest
import tensorflow as tf

from keras_genai import registry
from keras_genai.preferences import IPO, KTO, ORPO, Scored, Sigmoid, SimPO, SLiC

LENGTHS = tf.constant([[4.0, 8.0]])
POLICY = Scored(tf.constant([[-4.0, -6.0]]), LENGTHS)
REFERENCE = Scored(tf.constant([[-5.0, -5.5]]), LENGTHS)
# Of one pair, in float64.
GOLDEN = [
    (Sigmoid(0.1), 0.620957048),
    (Sigmoid(0.1, smoothing=0.1), 0.635957048),
    (SLiC(0.1), 0.85),
    (IPO(0.1, average=False), 12.25),
    (IPO(0.1), 21.97265625),
    (SimPO(beta=2.0, gamma=0.5), 1.313261688),
    (ORPO(0.1, nll_weight=0.0), 0.093149481),
    (ORPO(0.1), 1.093149481),
    (Sigmoid(0.1, nll_weight=1.0), 1.620957048),
]
PAIRED = [Sigmoid(0.2), Sigmoid(0.2, 0.1, True), SLiC(0.2), IPO(0.3), ORPO(), SimPO()]


def name_of(value):
    return repr(value) if hasattr(value, "get_config") else None


@pytest.mark.parametrize(("loss", "expected"), GOLDEN, ids=name_of)
def test_a_pair_costs_what_it_must(loss, expected):
    np.testing.assert_allclose(loss(POLICY, REFERENCE), [expected], rtol=1e-6)


def test_a_good_and_a_bad_completion_cost_what_they_must_together():
    ratios = POLICY.sums - REFERENCE.sums  # of the good one, of the bad one
    values = KTO(0.1).value(ratios[0], tf.constant([1, 0]), 0.2)
    np.testing.assert_allclose(sum(values), 0.962517802, rtol=1e-6)
    heavier = KTO(0.1, desirable_weight=2.0, undesirable_weight=3.0)
    weighed = heavier.value(ratios[0], tf.constant([1, 0]), 0.2)
    np.testing.assert_allclose(weighed, [2 * values[0], 3 * values[1]])


def test_the_distance_from_the_reference_is_that_of_the_other_column_and_not_pulled():
    sums = tf.Variable([[-4.0, -5.0], [-6.0, -4.0]])
    reference = Scored(tf.constant([[-5.0, -5.5], [-5.5, -5.0]]), LENGTHS)
    labels = tf.constant([1, 0])
    with tf.GradientTape() as tape:
        loss = KTO(0.1)(Scored(sums, LENGTHS), reference, labels)
    kl = max(0.0, (0.5 + 1.0) / 2)
    ratios = tf.constant([1.0, -0.5])
    np.testing.assert_allclose(loss, KTO(0.1).value(ratios, labels, kl), rtol=1e-6)
    assert not np.any(tape.gradient(loss, sums)[:, 1])
    figures = KTO(0.1).measure(Scored(sums, LENGTHS), reference, labels)
    assert tuple(figures) == KTO.names
    np.testing.assert_allclose(figures["kl"][0], [kl, kl])
    far_below = Scored(sums - 100.0, LENGTHS)
    np.testing.assert_array_equal(
        KTO(0.1).measure(far_below, reference, labels)["kl"][0], [0.0, 0.0]
    )


@pytest.mark.parametrize(
    ("loss", "start"),
    [
        (Sigmoid(), math.log(2)),
        (Sigmoid(0.3, 0.2), math.log(2)),
        (Sigmoid(0.3, 0.2, robust=True), math.log(2)),
        (SLiC(), 1.0),
        (IPO(0.3), 1 / (4 * 0.3**2)),
        (IPO(0.3, average=False), 1 / (4 * 0.3**2)),
    ],
    ids=name_of,
)
def test_where_the_policy_is_the_reference_a_loss_is_known(loss, start):
    np.testing.assert_allclose(loss(POLICY, POLICY), [start], rtol=1e-6)


def test_robust_labels_are_unbiased():
    clean, flip = Sigmoid(0.7), 0.2
    robust = Sigmoid(0.7, smoothing=flip, robust=True)

    def swapped(scored):
        return Scored(scored.sums[:, ::-1], scored.lengths[:, ::-1])

    right = robust(POLICY, REFERENCE)
    wrong = robust(swapped(POLICY), swapped(REFERENCE))
    np.testing.assert_allclose(
        (1 - flip) * right + flip * wrong, clean(POLICY, REFERENCE), rtol=1e-6
    )


def test_ipo_in_tokens_does_not_see_how_long_completions_are():
    twice = [Scored(2 * each.sums, 2 * each.lengths) for each in (POLICY, REFERENCE)]
    np.testing.assert_allclose(IPO()(*twice), IPO()(POLICY, REFERENCE), rtol=1e-6)


@pytest.mark.parametrize("loss", [ORPO(), SimPO()], ids=name_of)
def test_certain_and_empty_completions_are_finite(loss):
    certain = Scored(tf.zeros((1, 2)), tf.constant([[3.0, 0.0]]))
    with tf.GradientTape() as tape:
        tape.watch(certain.sums)
        value = loss(certain)
    assert np.isfinite(value).all()
    assert np.isfinite(tape.gradient(value, certain.sums)).all()


@pytest.mark.parametrize("loss", PAIRED, ids=name_of)
def test_figures_are_of_every_row_and_have_their_names(loss):
    figures = loss.measure(POLICY, REFERENCE)
    assert tuple(figures) == loss.names
    assert all(values.shape == (1,) for values, _ in figures.values())
    rewards = [figures[f"rewards/{side}"][0] for side in ("chosen", "rejected")]
    np.testing.assert_allclose(figures["rewards/margins"][0], rewards[0] - rewards[1])
    np.testing.assert_array_equal(
        figures["rewards/accuracies"][0], [float(rewards[0][0] > rewards[1][0])]
    )
    assert float(figures["logps/chosen"][0][0]) == -4.0


@pytest.mark.parametrize("loss", [*PAIRED, KTO(0.2, 1.5)], ids=name_of)
def test_a_loss_comes_back_from_its_config(loss):
    assert registry.from_plain(registry.to_plain(loss)) == loss


@pytest.mark.parametrize(
    ("make", "name", "value"),
    [
        (Sigmoid, "beta", 0.0),
        (Sigmoid, "smoothing", 0.5),
        (Sigmoid, "robust", 1),
        (Sigmoid, "nll_weight", -1.0),
        (SLiC, "beta", math.inf),
        (IPO, "tau", "x"),
        (IPO, "average", None),
        (ORPO, "beta", -0.1),
        (SimPO, "gamma", -0.1),
        (KTO, "beta", 0),
        (KTO, "undesirable_weight", -1),
    ],
)
def test_an_argument_that_cannot_be_is_named(make, name, value):
    with pytest.raises((TypeError, ValueError), match=f"`{name}` must be"):
        make(**{name: value})
