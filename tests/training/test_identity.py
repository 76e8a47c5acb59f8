"""Two starts of a run have the same description, or it is said what differs."""

import dataclasses
import functools
import json

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai.data.loading import DataLoader, Windows
from keras_genai.schedules import warmup_cosine
from keras_genai.training import content
from keras_genai.training.content import content_hash
from keras_genai.training.identity import changes, describe


@dataclasses.dataclass
class Part:
    width: int = 3
    ends: tuple = (0.5, None)


def scaled(factor):
    def loss(truth, found):
        return factor * (truth - found)

    return loss


OTHERS = [
    (keras.optimizers.Adam(1e-3), keras.optimizers.Adam(2e-3)),
    (keras.optimizers.Adam(1e-3), keras.optimizers.AdamW(1e-3)),
    (
        keras.optimizers.SGD(warmup_cosine(1e-3, 10, 100)),
        keras.optimizers.SGD(warmup_cosine(1e-3, 20, 100)),
    ),
    (keras.losses.Huber(1.0), keras.losses.Huber(2.0)),
    (functools.partial(max, key=len), functools.partial(max, key=abs)),
    (functools.partial(max, 1), functools.partial(max, 2)),
    (scaled(1.0), scaled(2.0)),
    (Part(), Part(ends=(0.5, 1))),
    (np.arange(4), np.arange(5)),
    (float("nan"), None),
]


@pytest.mark.parametrize(("one", "other"), OTHERS)
def test_a_description_tells_what_an_object_was_made_with(one, other):
    assert json.loads(json.dumps(describe(one))) == describe(one)
    assert describe(one) != describe(other)


def test_names_that_keras_numbers_anew_do_not_matter():
    def optimizer():
        return keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam(0.1))

    assert describe(optimizer()) == describe(optimizer())


def test_changes_are_named_by_their_place_and_short():
    before, now = {"a": {"b": 1, "c": 2}}, {"a": {"b": "x" * 1000, "c": 2}, "d": None}
    found = changes(before, now)
    assert found.keys() == {"a.b", "d"}
    assert found["d"] == ("absent", "None")
    assert len(found["a.b"][1]) <= 80


def variants():
    """Data that differ in the least."""
    array = np.arange(600, dtype="float32").reshape(100, 6)
    changed = array.copy()
    changed[57, 3] += 1e-3
    rows = [[[1, 2], "ab"], [[3], "c"]] * 2000
    yield array, changed
    yield array, array.astype("float64")
    yield array, array.reshape(50, 12)
    yield tf.constant(array), tf.constant(changed)
    yield {"x": array, "y": array}, {"x": array, "y": changed}
    yield rows, [*rows[:3000], [[1, 2], "aB"], *rows[3001:]]
    yield [array, array], [array, changed]
    yield "the quick", "the Quick"
    yield ["ab", "c"], ["a", "bc"]
    yield b"ab", "ab"
    yield None, []
    yield DataLoader(array, 4), DataLoader(changed, 4)
    yield Windows(np.arange(90), 5, 2), Windows(np.arange(90) % 89, 5, 2)
    yield np.array(["a", "b"], object), np.array(["a", "c"], object)


@pytest.mark.parametrize(("one", "other"), [*variants()])
def test_the_hash_of_data_notices_the_least_change(one, other):
    assert content_hash(one) == content_hash(one)
    assert content_hash(one) != content_hash(other)


def test_large_data_are_looked_at_in_places_with_both_ends(monkeypatch):
    monkeypatch.setattr(content, "LARGEST", 1024)
    monkeypatch.setattr(content, "BLOCK", 64)
    monkeypatch.setattr(content, "MOST_SAMPLES", 10)
    array = np.zeros(5000, "uint8")
    texts = ["a"] * 100
    for place in (0, -1):
        changed, others = array.copy(), [*texts]
        changed[place] = 1
        others[place] = "b"
        assert content_hash(array) != content_hash(changed)
        assert content_hash(texts) != content_hash(others)


def test_a_loader_that_does_not_say_what_it_reads_is_asked_for_batches():
    class Loader:
        steps_per_epoch = 3

        def __init__(self, shift):
            self.shift = shift

        def dataset(self, start=0):
            return tf.data.Dataset.counter(start).map(lambda step: step + self.shift)

    first, again, other = (content_hash(Loader(shift)) for shift in (0, 0, 1))
    assert first == again
    assert first != other
