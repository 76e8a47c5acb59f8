"""What synthetic samples are worth: who learns from what, and how it is counted."""

import numpy as np
import pytest
import tensorflow as tf

from keras_genai.evaluation.usefulness import (
    SETTINGS,
    Accuracy,
    Labelled,
    learn_pictures,
    score_usefulness,
    training_samples,
)

CENTRES = np.array([[0.0, 0.0], [4.0, 0.0], [0.0, 4.0]])


def around(centres, count, seed):
    """`Labelled` points, some around each centre."""
    draws = np.random.default_rng(seed)
    labels = np.arange(count) % len(centres)
    return Labelled(centres[labels] + draws.normal(size=(count, 2)), labels)


def nearest(train, test, seed):
    """A classifier: the class whose mean is the nearest."""
    means = [train.samples[train.labels == label].mean(0) for label in range(3)]
    distances = [np.linalg.norm(test.samples - mean, axis=1) for mean in means]
    return (np.argmin(distances, axis=0) == test.labels).mean()


def test_good_samples_teach_as_much_as_real_ones_and_shuffled_ones_nothing():
    real, synthetic, test = (around(CENTRES, 300, seed) for seed in range(3))
    found = score_usefulness(real, synthetic, test, nearest, few=6, progress=False)
    assert tuple(found) == SETTINGS
    sizes = {name: each.samples for name, each in found.items()}
    assert sizes == {
        "real": 300,
        "synthetic": 300,
        "both": 600,
        "few": 6,
        "few_and_synthetic": 306,
        "shuffled": 300,
    }
    for name in ("real", "synthetic", "both", "few_and_synthetic"):
        assert found[name].mean > 0.95
    assert found["few"].mean < found["few_and_synthetic"].mean
    assert found["shuffled"].mean < 0.7
    assert found["few"].deviation > 0  # other ones for each seed
    assert found["synthetic"].deviation == 0  # this classifier draws nothing


def test_samples_that_show_something_else_teach_the_wrong_thing():
    real, test = (around(CENTRES, 300, seed) for seed in (0, 2))
    turned = around(np.roll(CENTRES, 1, axis=0), 300, 1)
    found = score_usefulness(real, turned, test, nearest, seeds=1, progress=False)
    assert found["synthetic"].mean < 0.05 < 0.95 < found["real"].mean


def test_some_are_of_all_classes_alike_and_others_for_another_seed():
    labels = np.array([0] * 50 + [1] * 30 + [2] * 2)
    every = Labelled(np.arange(82), labels)
    few = every.some(9, seed=0)
    assert np.bincount(few.labels).tolist() in ([4, 3, 2], [3, 4, 2])
    np.testing.assert_array_equal(few.labels, labels[few.samples])
    assert len(set(few.samples)) == 9
    again, other = every.some(9, seed=0), every.some(9, seed=1)
    np.testing.assert_array_equal(few.samples, again.samples)
    assert set(few.samples) != set(other.samples)
    assert sorted(every.some(100, seed=0).samples) == [*range(82)]


def test_shuffled_labels_are_the_same_ones_on_other_samples():
    every = around(CENTRES, 60, 0)
    found = every.shuffled(0)
    np.testing.assert_array_equal(found.samples, every.samples)
    assert sorted(found.labels) == sorted(every.labels)
    assert (found.labels != every.labels).mean() > 0.5


def test_real_samples_are_as_many_as_synthetic_ones():
    real, synthetic = around(CENTRES, 300, 0), around(CENTRES, 30, 1)
    sizes = [len(training_samples(name, real, synthetic, 5, 0)) for name in SETTINGS]
    assert sizes == [30, 30, 60, 5, 35, 30]


def test_a_deviation_is_that_of_a_sample():
    assert Accuracy(1, (0.5, 0.7)).deviation == pytest.approx(0.2 / 2**0.5)
    assert Accuracy(1, (0.5,)).deviation == 0
    assert Accuracy(1, (0.5, 0.7)).mean == pytest.approx(0.6)


def test_pictures_are_learned_by_the_classifier_of_this_library(monkeypatch):
    called = []

    class Fitted:
        accuracy = 0.25

    def fit(*arrays, seed):
        called.append((arrays, seed))
        return Fitted

    monkeypatch.setattr("keras_genai.evaluation.usefulness.fit_classifier", fit)
    train, test = around(CENTRES, 4, 0), around(CENTRES, 5, 1)
    assert learn_pictures(train, test, 7) == 0.25
    (arrays, seed) = called[0]
    assert seed == 7
    wanted = (train.samples, train.labels, test.samples, test.labels)
    assert all(one is other for one, other in zip(arrays, wanted, strict=True))


@pytest.mark.parametrize(
    ("samples", "labels", "message"),
    [
        (np.zeros(3), [0, 1], "ints, one for each"),
        (np.zeros(0), np.zeros(0, int), "at least one sample"),
        (np.zeros(2), [0.0, 1.0], "must be ints"),
        (np.zeros(2), [0, -1], "must be >= 0"),
    ],
)
def test_samples_without_a_class_each_are_refused(samples, labels, message):
    with pytest.raises(ValueError, match=message):
        Labelled(samples, labels)


def test_tensors_are_samples_too():
    tensors = tf.constant([[1.0], [2.0]]), tf.constant([0, 1])
    found = Labelled(*tensors).some(1, 0)
    assert found.samples.tolist() in ([[1.0]], [[2.0]])


def test_more_than_there_are_is_refused():
    real = around(CENTRES, 9, 0)
    with pytest.raises(ValueError, match="`few` must be an int >= 1, at most 9"):
        score_usefulness(real, real, real, nearest, few=10)
    with pytest.raises(ValueError, match="`seeds` must be"):
        score_usefulness(real, real, real, nearest, few=3, seeds=0)
