"""Every loader is a `tf.data.Dataset` whose passes are its epochs, one by one."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai import training
from keras_genai.data import images, masking, pairs
from keras_genai.data.augmentation import Translate
from keras_genai.data.batching import padded
from keras_genai.data.loading import Buckets, DataLoader, Stream, Windows

TEXT = np.arange(300)
ROWS = [np.arange(1 + number % 7) for number in range(30)]


def noisy(batch, seed):
    return batch, tf.random.stateless_uniform((2,), seed)


@functools.cache
def pieces():
    """The tokenizer of the stand-in, learned once."""
    own = dict(length=8, tokenizer="wordpiece:300", stand_in=True)
    return masking.python_docs(4, **own).tokenizer


def masked(fixed=False):
    splits = masking.python_docs(4, length=8, tokenizer=pieces(), stand_in=True)
    return splits.validation if fixed else splits.train


KINDS = {
    "arrays": lambda: DataLoader(np.arange(30), 4, seed=3),
    "draws": lambda: DataLoader(np.arange(30), 4, transform=noisy, shuffle=False),
    "objects": lambda: DataLoader([np.arange(3) + i for i in range(30)], 4),
    "buckets": lambda: DataLoader(
        [(row,) for row in ROWS],
        4,
        collate=padded((0,)),
        buckets=Buckets(lambda row: len(row[0])),
    ),
    "windows": lambda: Windows(TEXT, 7, 4),
    "stream": lambda: Stream(TEXT, 7, 4),
    "pictures": lambda: images.digits(8, augment=Translate(1), stand_in=True).train,
    "unpaired": lambda: pairs.changed(8, stand_in=True).train,
    "masks": masked,
}
FIXED = {
    "shuffled": lambda: DataLoader(np.arange(30), 4, fixed=True),
    "draws": lambda: DataLoader(np.arange(30), 4, transform=noisy, fixed=True),
    "windows": lambda: Windows(TEXT, 7, 4, fixed=True),
    "stream": lambda: Stream(TEXT, 7, 4, fixed=True),
    "masks": functools.partial(masked, fixed=True),
}


def flat(batches):
    """All batches as arrays, nests flattened."""
    found = [[np.array(leaf) for leaf in tf.nest.flatten(batch)] for batch in batches]
    return [leaf for batch in found for leaf in batch]


def same(one, other):
    return len(one) == len(other) and all(map(np.array_equal, one, other))


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_each_pass_is_the_next_epoch_of_the_endless_batches(kind):
    loader = KINDS[kind]()
    steps = loader.steps_per_epoch
    passes = [flat(loader) for _ in range(3)]
    endless = flat(KINDS[kind]().dataset().take(3 * steps))
    assert same([*passes[0], *passes[1], *passes[2]], endless)
    assert not same(passes[0], passes[1])
    assert not same(passes[1], passes[2])
    assert same(flat(loader.dataset().take(3 * steps)), endless)  # not used up


@pytest.mark.parametrize("kind", KINDS)
def test_a_loader_knows_its_length_and_its_elements(kind):
    loader = KINDS[kind]()
    assert len(loader) == loader.cardinality() == loader.steps_per_epoch
    assert len(flat(loader)) == len(loader) * len(tf.nest.flatten(loader.element_spec))
    assert loader.element_spec == loader.dataset().element_spec
    assert len(list(loader.take(2))) == 2


@pytest.mark.parametrize("kind", FIXED)
def test_every_pass_of_a_fixed_loader_is_the_same(kind):
    loader = FIXED[kind]()
    first = flat(loader)
    for other in (loader, loader.epoch(), loader.evaluation(), FIXED[kind]()):
        assert same(first, flat(other))


@pytest.mark.parametrize("kind", KINDS)
def test_evaluation_is_the_same_pass_of_every_loader(kind):
    dataset = KINDS[kind]().evaluation()
    assert same(flat(dataset), flat(dataset))


def test_an_epoch_taken_alone_begins_with_the_first_and_goes_on():
    loader = DataLoader(np.arange(30), 4)
    list(loader)
    alone = loader.epoch()
    passes = flat(alone) + flat(alone)
    assert same(passes, flat(loader.dataset().take(2 * len(loader))))


def test_rows_of_a_stream_go_on_from_epoch_to_epoch():
    loader = Stream(TEXT, 7, 4)
    lanes = np.concatenate([t for _ in range(3) for t, _ in loader], axis=1)
    assert (np.diff(lanes, axis=1) % len(TEXT) == 1).all()


class Seen(keras.callbacks.Callback):
    def __init__(self):
        super().__init__()
        self.losses = []

    def on_train_batch_end(self, batch, logs=None):
        self.losses.append(logs["loss"])


def regression(fixed=False):
    x = np.random.default_rng(0).normal(size=(22, 4)).astype("float32")
    return DataLoader((x, x.sum(1, keepdims=True)), 4, fixed=fixed)


def linear():
    model = keras.Sequential(
        [keras.Input((4,)), keras.layers.Dense(1, kernel_initializer="zeros")]
    )
    model.compile(keras.optimizers.SGD(0.01), "mse")
    return model


@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed")  # of every tf.data
def test_fit_takes_a_loader_and_learns_what_endless_batches_teach():
    one, other = Seen(), Seen()
    model, loader = linear(), regression()
    history = model.fit(
        loader, epochs=3, verbose=0, callbacks=[one], validation_data=loader
    )
    assert history.params["steps"] == len(loader) == 5
    assert len(one.losses) == 15
    linear().fit(
        regression().dataset(),
        epochs=3,
        steps_per_epoch=5,
        shuffle=False,
        verbose=0,
        callbacks=[other],
    )
    first = slice(0, 5)  # validation takes epochs of the same loader
    assert one.losses[first] == other.losses[first]
    assert one.losses[5:10] != other.losses[5:10]


def test_epochs_of_fit_are_those_of_the_endless_batches():
    one, other = Seen(), Seen()
    options = dict(epochs=3, shuffle=False, verbose=0)
    linear().fit(regression(), callbacks=[one], **options)
    endless = regression().dataset()
    linear().fit(endless, steps_per_epoch=5, callbacks=[other], **options)
    assert one.losses == other.losses
    fixed = Seen()
    linear().fit(regression(fixed=True), callbacks=[fixed], **options)
    assert fixed.losses[:5] == one.losses[:5]
    assert fixed.losses[5:] != one.losses[5:]


def test_predict_evaluate_and_executions_of_many_steps_take_a_loader():
    model, loader = linear(), regression(fixed=True)
    assert model.predict(loader, verbose=0).shape == (20, 1)
    assert model.evaluate(loader, verbose=0) == model.evaluate(loader, verbose=0)
    model.compile("sgd", "mse", steps_per_execution=2)
    seen = Seen()
    model.fit(regression(), epochs=2, shuffle=False, verbose=0, callbacks=[seen])
    assert len(seen.losses) == 2 * 3


def test_a_strategy_distributes_a_loader_of_every_kind():
    strategy = tf.distribute.OneDeviceStrategy("CPU:0")
    with strategy.scope():
        loader, model = regression(), linear()
        objects = KINDS["objects"]()
        model.fit(loader, epochs=2, shuffle=False, verbose=0)
    found = strategy.experimental_distribute_dataset(objects)
    assert not same(flat(found), flat(found))


class Noted:
    """A loader of the user's own, whose `epoch` alone is known."""

    batch_size = 4
    steps_per_epoch = 5

    def dataset(self, start=0):
        return regression().dataset(start)

    def epoch(self):
        return regression().evaluation()


@pytest.mark.parametrize("make", [regression, Noted])
def test_a_run_validates_on_the_same_pass_each_time(make, tmp_path):
    splits = type("S", (), {"train": regression(), "validation": make()})
    model = linear()
    model.compile(keras.optimizers.SGD(0.0), "mse", run_eagerly=True)
    outcome = training.train(
        model, splits, tmp_path, steps=6, log_every=2, validate_every=2
    )
    values = [line["val_loss"] for line in outcome.history if "val_loss" in line]
    assert len(values) == 3
    assert len(set(values)) == 1
