import functools
import itertools
import threading

import numpy as np
import pytest
import tensorflow as tf

from keras_genai.data import tokenizers
from keras_genai.data.batching import language_batch, padded
from keras_genai.data.loading import Buckets, DataLoader, Dataset

LENGTHS = np.random.default_rng(0).integers(1, 60, 501)
ROWS = [(np.arange(n, dtype="int32"), index) for index, n in enumerate(LENGTHS)]


class Texts:
    """A map-style data set as a PyTorch user writes it."""

    def __len__(self):
        return 10

    def __getitem__(self, index):
        return "word " * (index + 1)


class Source(Texts):
    """A data set that is asked for whole batches, as those of TFDS are."""

    def __getitem__(self, index):
        raise AssertionError("one sample at a time")

    def __getitems__(self, indices):
        return [{"number": np.int64(index)} for index in indices]


def bucketed(by=LENGTHS, boundaries=(15, 30, 60), max_tokens=None, **changes):
    buckets = Buckets(by, boundaries, max_tokens)
    arguments = dict(batch_size=8, collate=padded((0, None)), buckets=buckets)
    return DataLoader(ROWS, **{**arguments, **changes})


def indices(dataset, count=-1):
    """The batches of sample numbers in a data set of (tokens, number)."""
    return [batch[1].numpy() for batch in dataset.take(count)]


LOADERS = {
    "arrays": lambda **own: DataLoader((LENGTHS, np.arange(501)), 8, **own),
    "objects": lambda **own: DataLoader(ROWS, 8, collate=padded((0, None)), **own),
    "buckets": bucketed,
    "token budget": functools.partial(bucketed, batch_size=None, max_tokens=240),
}


@pytest.mark.parametrize("kind", LOADERS)
def test_each_epoch_is_another_permutation(kind):
    loader = LOADERS[kind](drop_remainder=False)
    steps = loader.steps_per_epoch
    found = indices(loader.dataset(), 2 * steps)
    first, second = np.concatenate(found[:steps]), np.concatenate(found[steps:])
    assert sorted(first) == sorted(second) == list(range(501))
    assert not np.array_equal(first, second)
    assert not np.array_equal(first, np.arange(501))


@pytest.mark.parametrize("count", [24, 250])
@pytest.mark.parametrize("objects", [False, True])
def test_epochs_of_few_samples_are_shuffled_as_well_as_many(count, objects):
    rows = list(range(count)) if objects else np.arange(count)
    batches = DataLoader(rows, 1).dataset().batch(count).take(8)
    orders = [np.ravel(batch) for batch in batches]
    orders.insert(0, np.arange(count))
    for one, other in itertools.combinations(orders, 2):
        # Of random permutations: one sample is in place, give or take one.
        assert (one == other).sum() < 8
        assert abs(np.corrcoef(one, other)[0, 1]) < 4 / np.sqrt(count - 1)


@pytest.mark.parametrize("kind", LOADERS)
def test_the_batch_of_a_step_does_not_depend_on_where_one_starts(kind):
    loader = LOADERS[kind](seed=3)
    start = loader.steps_per_epoch - 2
    whole = indices(loader.dataset(), start + 5)
    for mine, same in zip(
        indices(LOADERS[kind](seed=3).dataset(start), 5), whole[start:], strict=True
    ):
        np.testing.assert_array_equal(mine, same)
    assert len(indices(loader.dataset(100_000), 1)) == 1
    other = indices(LOADERS[kind](seed=4).dataset(), 1)
    assert not np.array_equal(other[0], whole[0])


@pytest.mark.parametrize("kind", LOADERS)
def test_an_epoch_is_finite_and_of_known_length(kind):
    loader = LOADERS[kind]()
    dataset = loader.epoch()
    assert dataset.cardinality() == loader.steps_per_epoch == len(list(dataset))


def test_without_shuffle_the_order_is_the_data_s_and_nothing_is_dropped():
    for kind in ("arrays", "objects"):
        found = indices(LOADERS[kind](shuffle=False).epoch())
        np.testing.assert_array_equal(np.concatenate(found), np.arange(501))
        assert len(found[-1]) == 5


def test_shuffled_batches_have_one_static_shape():
    spec, _ = LOADERS["arrays"]().dataset().element_spec
    assert spec.shape == (8,)
    spec, _ = LOADERS["objects"]().dataset().element_spec
    assert spec.shape.as_list() == [8, None]


def test_stacked_samples_keep_their_shape_and_padded_ones_do_not():
    class Pictures(Texts):
        def __getitem__(self, index):
            return {"images": np.zeros((8, 8, 1), "float32"), "labels": index}

    spec = DataLoader(Pictures(), 5).element_spec
    assert spec["images"].shape == (5, 8, 8, 1)
    assert spec["labels"].shape == (5,)
    spec = DataLoader(Pictures(), 3, drop_remainder=False).element_spec
    assert spec["images"].shape.as_list() == [None, 8, 8, 1]


def test_a_sample_of_another_shape_is_named_when_it_comes():
    loader = DataLoader([np.zeros(3), np.zeros(2)], 1, shuffle=False)
    with pytest.raises(tf.errors.OpError, match="`collate` is needed"):
        list(loader)


def test_every_bucket_has_one_shape():
    shapes = {tuple(tokens.shape) for tokens, _ in bucketed().epoch()}
    assert shapes == {(8, 15), (8, 30), (8, 60)}


def test_a_token_budget_sets_the_batch_size_of_each_bucket():
    loader = bucketed(batch_size=None, max_tokens=240)
    shapes = {tuple(tokens.shape) for tokens, _ in loader.epoch()}
    assert shapes == {(16, 15), (8, 30), (4, 60)}
    assert loader.batch_size == 16


def test_a_batch_holds_samples_of_its_bucket_and_right_padding():
    crossing = 0
    for tokens, numbers in bucketed().epoch():
        bucket = np.searchsorted([15, 30, 60], LENGTHS[numbers])
        longest = np.searchsorted([15, 30, 60], tokens.shape[1])
        assert bucket.max() == longest
        crossing += bucket.min() < longest
        for row, number in zip(tokens.numpy(), numbers.numpy(), strict=True):
            expected = np.zeros(tokens.shape[1])
            expected[: LENGTHS[number]] = np.arange(LENGTHS[number])
            np.testing.assert_array_equal(row, expected)
    assert crossing <= 2  # only where a bucket ends


def test_only_short_samples_are_left_over():
    dropped = []
    for epoch in range(3):
        loader = bucketed()
        start = epoch * loader.steps_per_epoch
        found = indices(loader.dataset(start), loader.steps_per_epoch)
        dropped.append(set(range(501)) - set(np.concatenate(found)))
        assert len(dropped[-1]) == 501 % 8
        assert max(LENGTHS[list(dropped[-1])]) <= 15
    assert dropped[0] != dropped[1]


def test_lengths_may_come_from_a_function_and_boundaries_by_themselves():
    loader = bucketed(by=lambda row: len(row[0]), boundaries=None)
    lengths = {int(tokens.shape[1]) for tokens, _ in loader.epoch()}
    assert 4 <= len(lengths) <= 8
    assert max(LENGTHS) <= max(lengths) < max(LENGTHS) + 8
    assert all(length % 8 == 0 for length in lengths)


def test_collate_turns_texts_into_next_token_batches_on_the_fly():
    tokenizer = tokenizers.byte_level("<pad>", end_token="<end>")
    assert isinstance(Texts(), Dataset)
    loader = DataLoader(Texts(), 5, collate=language_batch(tokenizer))
    for tokens, targets, weight in loader.epoch():
        assert (tokens.dtype, weight.dtype) == (tf.int32, tf.float32)
        for row, after, real in zip(tokens, targets, weight, strict=True):
            count = int(tf.reduce_sum(real))
            assert tokenizer.decode(row).startswith("word ")
            np.testing.assert_array_equal(row[1:count], after[: count - 1])
            assert after[count - 1] == tokenizer.end_token
            assert set(row.numpy()[count + 1 :]) <= {tokenizer.pad_token}
            np.testing.assert_array_equal(real[count:], 0)


def test_a_source_of_batches_is_asked_for_whole_batches():
    found = [batch["number"].numpy() for batch in DataLoader(Source(), 5).epoch()]
    assert sorted(np.concatenate(found)) == list(range(10))


def test_text_and_nested_batches_pass():
    rows = [{"text": "d\u00e9j\u00e0", "pair": (1.0, [2, 3])}] * 4
    (batch,) = DataLoader(rows, 4).epoch()
    assert batch["text"][0].numpy().decode() == "d\u00e9j\u00e0"
    assert batch["pair"][1].shape == (4, 2)


def test_many_threads_give_the_order_of_one():
    seen = set()

    def collate(samples):
        seen.add(threading.get_ident())
        return np.array([number for _, number in samples])

    for workers in (1, 4):
        loader = DataLoader(ROWS, 8, collate=collate, workers=workers)
        found = [batch.numpy() for batch in loader.epoch()]
        if workers == 1:
            alone = found
    np.testing.assert_array_equal(found, alone)
    assert len(seen) > 1


def test_a_loader_feeds_fit_and_evaluate():
    import keras

    x = np.random.default_rng(0).normal(size=(64, 4)).astype("float32")
    loader = DataLoader((x, x.sum(1, keepdims=True)), 16)
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    steps = loader.steps_per_epoch
    model.fit(
        loader.dataset(), steps_per_epoch=steps, epochs=2, shuffle=False, verbose=0
    )
    assert model.evaluate(loader.epoch(), verbose=0) > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (dict(dataset=[]), "`dataset` must have at least one sample"),
        (dict(dataset=iter([1])), "`dataset` must have `__len__`"),
        (dict(dataset=(np.zeros(3), np.zeros(4))), "arrays of one length"),
        (dict(batch_size=600), "`batch_size` must be at most.*501 samples"),
        (dict(batch_size=0), "`batch_size` must be at least 1"),
        (dict(batch_size=2**63), "`batch_size` must be at least 1 and below 2"),
        (dict(batch_size=2.5), "`batch_size` must be an int >= 1"),
        (dict(batch_size=True), "`batch_size` must be an int >= 1"),
        (dict(buckets=Buckets(LENGTHS, max_tokens="9")), "`max_tokens` must be an int"),
        (dict(buckets=LENGTHS), "`buckets` must be a Buckets"),
        (dict(workers=0), "`workers` must be at least 1"),
        (dict(seed=0.5), "`seed` must be an int"),
        (dict(seed=2**64), "`seed` must be an int of 64 bits"),
        (dict(transform=3), "`transform` must be a function"),
        (dict(dataset=(np.array(3),)), "arrays of one length"),
        (dict(dataset=np.array([1, None] * 9), collate=None), "`collate` must return"),
        (dict(dataset=[{"a": 1}, {"b": 1}], batch_size=2, collate=None), "keys"),
        (dict(buckets=Buckets(LENGTHS, "9")), "`boundaries` must be ints"),
        (dict(batch_size=None), "`batch_size` or `max_tokens`"),
        (dict(collate=None), "`collate` is needed, because samples differ"),
        (dict(collate=lambda rows: len(rows)), "`collate` must return arrays"),
        (dict(collate=lambda rows: (np.ones(2), np.ones(3))), "with the batch first"),
        (dict(collate=lambda rows: None), "`collate` must return arrays"),
        (dict(buckets=Buckets(LENGTHS, max_tokens=9)), "`max_tokens` must be at least"),
        (dict(buckets=Buckets(LENGTHS, [9])), "`boundaries` must be ints"),
        (dict(buckets=Buckets(LENGTHS[1:])), "`by` must give one int"),
    ],
)
def test_errors_name_the_argument(arguments, message):
    with pytest.raises((ValueError, TypeError), match=message) as caught:
        DataLoader(
            **{"dataset": ROWS, "batch_size": 8, "collate": padded((0, None))}
            | arguments
        )
    assert "\n" not in str(caught.value)


def test_a_collate_that_changes_its_mind_is_named():
    def collate(rows):
        kind = "int32" if rows[0][1] == 0 else "float32"
        return np.zeros(len(rows), kind)

    loader = DataLoader(ROWS, 8, shuffle=False, collate=collate)
    with pytest.raises(tf.errors.OpError, match="same dtypes and ranks"):
        list(loader.epoch())
