"""CountingLM: what `fit` counts, and what it refuses."""

import collections
import inspect
import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from counted import (
    VOCABULARY,
    compiled,
    fitted,
    make,
    scores_of,
    text,
)

from keras_genai.networks.ngram_smoothing import (
    AddK,
    KneserNey,
    MaximumLikelihood,
)
from keras_genai.tasks.counting import CountingLM


def test_generate_continues_with_what_was_counted():
    model = fitted(MaximumLikelihood(), 3, np.arange(60) % 6)
    ids = model.generate([[0], [2, 3, 4]], max_length=6)
    np.testing.assert_array_equal(ids[0][:6], np.arange(6))
    np.testing.assert_array_equal(ids[1][:6], [2, 3, 4, 5, 0, 1])


def test_fit_on_windows_counts_every_ngram_inside_them_and_none_across():
    windows = text(60, seed=7).reshape(6, 10)
    model = make(3, AddK(0.5))
    model.fit(windows[:, :-1], windows[:, 1:], verbose=0)
    expected = collections.Counter(
        gram for row in windows.tolist() for gram in itertools.pairwise(row)
    )
    level = model.network.get_tables()
    contexts = level["contexts_1"][level["predictions_1"] // VOCABULARY]
    found = zip(contexts, level["predictions_1"] % VOCABULARY, strict=True)
    assert dict(zip(found, level["counts_1"], strict=True)) == expected


def test_dataset_and_array_and_whole_text_agree():
    tokens = text(41)
    whole = fitted(KneserNey(), 3, tokens)
    model = compiled(make(3))
    inputs, targets = tokens[None, :-1], tokens[None, 1:]
    endless = tf.data.Dataset.from_tensors((inputs, targets)).repeat()
    history = model.fit(endless, steps_per_epoch=1, epochs=3, verbose=0).history
    for name, table in whole.network.get_tables().items():
        np.testing.assert_array_equal(model.network.get_tables()[name], table)
    loss = -scores_of(whole, tokens)[1:].mean()
    assert history["loss"] == [pytest.approx(loss)]
    assert model.evaluate(endless, steps=1, verbose=0) == pytest.approx(loss, rel=1e-5)


def test_targets_of_weight_zero_are_not_counted():
    tokens = text(40).reshape(2, 20)
    weight = np.ones((2, 19), "float32")
    weight[1, 7:] = 0
    padded = np.where(weight > 0, tokens[:, 1:], -100)
    model = make(2)
    inputs = np.concatenate([tokens[:, :1], np.maximum(padded, 0)[:, :-1]], axis=1)
    model.fit(inputs, padded, sample_weight=weight, verbose=0)
    assert model.network.get_tables()["counts_0"].sum() == 20 + 8
    assert model.network.get_tables()["counts_1"].sum() == 19 + 7


def test_callbacks_see_one_epoch_with_the_loss_and_the_validation_loss():
    seen = []
    callback = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: seen.append((epoch, dict(logs)))
    )
    rows = text(80).reshape(4, 20)
    model = compiled(make(2))
    pair = rows[:, :-1], rows[:, 1:]
    history = model.fit(*pair, validation_data=pair, callbacks=[callback], verbose=0)
    [(epoch, logs)] = seen
    assert epoch == 0
    assert logs["val_loss"] == pytest.approx(logs["loss"], rel=1e-5)
    assert history.history == {name: [value] for name, value in logs.items()}


def test_evaluation_of_the_impossible_is_infinite():
    model = compiled(fitted(MaximumLikelihood(), 2))
    assert model.evaluate(np.array([[2, 6]]), np.array([[6, 2]]), verbose=0) == np.inf


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: make(0), "`order` must be an int >= 1"),
        (lambda: make(2, vocabulary_size=0), "`vocabulary_size` must be an int >= 1"),
        (lambda: make(2, "add_k"), "`smoothing` must be"),
        (lambda: AddK(0), "`k` must be a finite float > 0"),
        (lambda: AddK(-1.0), "`k` must be a finite float > 0"),
        (lambda: fitted(tokens=np.array([1, 2])), "`order` must be at most the length"),
        (lambda: fitted(tokens=np.array([0, 1, 7])), r"`tokens` must lie in \[0, 7\)"),
        (lambda: fitted(tokens=np.array([0.5, 1, 2])), "must be an integer array"),
        (lambda: fitted(tokens=text(12).reshape(2, 6)), "with 1 axis"),
        (
            lambda: scores_of(fitted(), np.array([-1])),
            "`tokens` must lie in",
        ),
        (lambda: make(2).fit(np.zeros((2, 3, 4), int)), "`x` must be"),
        (lambda: make(2).fit(endless_dataset()), "`steps_per_epoch` must"),
        (lambda: make(2).fit(endless_dataset().take(0)), "one batch"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    "use",
    [
        lambda model: scores_of(model, np.array([1])),
        lambda model: model(np.array([[1]])),
        lambda model: model.decode([[1]], [[0]], model.initial_cache(1, 1), 0),
    ],
)
def test_a_model_that_has_counted_nothing_says_so(use):
    with pytest.raises(RuntimeError, match="counted nothing yet"):
        use(make(2))


def endless_dataset():
    return tf.data.Dataset.from_tensors((np.zeros((1, 4), "int32"),) * 2).repeat()


class Windows(keras.utils.PyDataset):
    def __init__(self, windows):
        super().__init__()
        self.windows = windows

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return self.windows[index::2, :-1], self.windows[index::2, 1:]


def windows_of_text():
    return np.random.default_rng(0).integers(0, VOCABULARY, (6, 5))


@pytest.mark.parametrize(
    "given",
    [
        lambda pair: {"x": Windows(windows_of_text())},
        lambda pair: {"x": (each for each in [pair])},
        lambda pair: {"x": tf.data.Dataset.from_tensors(pair)},
        lambda pair: {"x": tf.constant(pair[0]), "y": pair[1].tolist()},
        lambda pair: dict(zip("xy", pair, strict=True), sample_weight=np.ones(6)),
    ],
)
def test_fit_counts_whatever_gives_windows(given):
    windows = windows_of_text()
    pair = windows[:, :-1], windows[:, 1:]
    one, other = make(2), make(2)
    one.fit(*pair, verbose=0)
    other.fit(**given(pair), verbose=0)
    for name, table in one.network.get_tables().items():
        np.testing.assert_array_equal(other.network.get_tables()[name], table)


def test_fit_has_the_signature_of_keras():
    ours, theirs = (inspect.signature(each.fit) for each in (CountingLM, keras.Model))
    assert list(ours.parameters) == list(theirs.parameters)


def test_a_share_of_the_windows_is_validated_on():
    windows = windows_of_text()
    pair = windows[:, :-1], windows[:, 1:]
    one, other = make(2), make(2)
    history = one.fit(*pair, validation_split=0.5, verbose=0).history
    first, last = ([part[rows] for part in pair] for rows in (slice(3), slice(3, 6)))
    other.fit(*first, verbose=0)
    assert history["val_loss"][0] == pytest.approx(other.evaluate(*last, verbose=0))


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"class_weight": {0: 2.0}}, "`class_weight` must be None"),
        ({"validation_split": 1.5}, "`validation_split` must be a number above 0"),
        ({"validation_split": 0.9}, "`validation_split` must leave some of 6"),
        ({"sample_weight": np.full((6, 4), 0.5)}, "`sample_weight` must be 0 or 1"),
    ],
)
def test_what_counting_cannot_do_is_refused(options, said):
    windows = windows_of_text()
    model = make(2)
    with pytest.raises(ValueError, match=said):
        model.fit(windows[:, :-1], windows[:, 1:], verbose=0, **options)


def test_no_epoch_is_left_to_count():
    windows = windows_of_text()
    model = make(2)
    model.fit(windows[:, :-1], windows[:, 1:], epochs=2, initial_epoch=2, verbose=0)
    assert not model.network.get_tables()
