"""N-grams: what is counted, the chances that follow from it, and its files."""

import collections
import dataclasses
import inspect
import itertools
import json
import math

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai import from_preset, registry
from keras_genai.files.tensors import read_header
from keras_genai.networks.ngram import NEVER, NGram
from keras_genai.networks.ngram_smoothing import (
    AddK,
    KneserNey,
    MaximumLikelihood,
    modified_discounts,
)
from keras_genai.networks.ngram_tables import check_tokens, count_ngrams
from keras_genai.tasks.counting import CountingLM

VOCABULARY = 7
SMOOTHINGS = [MaximumLikelihood(), AddK(0.3), KneserNey()]
every_smoothing = pytest.mark.parametrize("smoothing", SMOOTHINGS, ids=repr)


def text(length=300, seed=0, vocabulary=VOCABULARY):
    """Tokens with structure: mostly a cycle, now and then a jump."""
    jumps = np.random.default_rng(seed).geometric(0.7, length)
    return np.cumsum(jumps) % (vocabulary - 1)  # the last token never occurs


def make(order, smoothing=SMOOTHINGS[-1], vocabulary_size=VOCABULARY):
    return CountingLM(
        NGram(vocabulary_size=vocabulary_size, order=order, smoothing=smoothing)
    )


def fitted(smoothing=SMOOTHINGS[-1], order=3, tokens=None):
    model = make(order, smoothing)
    model.fit_tokens(text() if tokens is None else tokens)
    return model


def scores_of(model, tokens):
    return model.network.log_probabilities(tokens)


def score_every_continuation(model, context):
    """Probabilities `(V,)` of the token after `context`."""
    texts = [[*context, token] for token in range(VOCABULARY)]
    return np.exp([scores_of(model, np.array(each))[-1] for each in texts])


def compiled(model):
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(loss=loss)
    return model


# --- probabilities -----------------------------------------------------------


@every_smoothing
@pytest.mark.parametrize("order", [1, 2, 4])
def test_probabilities_sum_to_one_after_seen_and_unseen_contexts(smoothing, order):
    model = fitted(smoothing, order)
    for context in ([], [0], [6], [0, 1], [5, 6], [1, 6, 2], *text(40).reshape(-1, 4)):
        total = score_every_continuation(model, context).sum()
        assert total == pytest.approx(1.0, abs=1e-12)


def test_no_token_is_impossible_for_kneser_ney():
    for length in (3, 4, 6, 10, 20):
        model = fitted(KneserNey(), 3, text(length))
        assert (score_every_continuation(model, [1, 2]) > 0).all()


def literal_kneser_ney(tokens, order, vocabulary_size):
    """The formulas with dictionaries, one n-gram at a time; returns p(token|context).

    Chen and Goodman 1998: counts of the longest n-grams, numbers of different left
    neighbours below, discounts from each level's counts of counts.
    """
    grams = {
        length: collections.Counter(
            tuple(tokens[i : i + length]) for i in range(len(tokens) - length + 1)
        )
        for length in range(1, order + 1)
    }
    counts = {order: grams[order]}
    for length in range(1, order):
        counts[length] = collections.Counter(gram[1:] for gram in grams[length + 1])

    def discount(length, count):
        n = {i: max(1, sum(c == i for c in counts[length].values())) for i in range(5)}
        i = min(count, 3)
        y = n[1] / (n[1] + 2 * n[2])
        return max(i - (i + 1) * y * n[i + 1] / n[i], 0.1)

    def probability(context, token):
        if context is None:
            return 1 / vocabulary_size
        shorter = context[1:] if context else None
        after = [
            counts[len(context) + 1][(*context, other)]
            for other in range(vocabulary_size)
            if (*context, other) in counts[len(context) + 1]
        ]
        below = probability(shorter, token)
        if not after:
            return below
        count = counts[len(context) + 1].get((*context, token), 0)
        own = count - discount(len(context) + 1, count) if count else 0.0
        gamma = sum(discount(len(context) + 1, count) for count in after)
        return own / sum(after) + gamma / sum(after) * below

    return probability


@pytest.mark.parametrize("order", [1, 2, 3, 4])
def test_kneser_ney_equals_a_literal_implementation_of_the_formulas(order):
    tokens = text(200, seed=1).tolist()
    literal = literal_kneser_ney(tokens, order, VOCABULARY)
    unseen = np.random.default_rng(2).integers(0, VOCABULARY, 60).tolist()
    expected = [
        math.log(literal(tuple(unseen[max(0, i - order + 1) : i]), token))
        for i, token in enumerate(unseen)
    ]
    model = fitted(KneserNey(), order, np.array(tokens))
    scores = scores_of(model, np.array(unseen))
    np.testing.assert_allclose(scores, expected, rtol=1e-12)


def test_discounts_follow_counts_of_counts_and_stay_positive():
    counts = np.repeat([1, 2, 3, 4, 9], [8, 4, 2, 1, 5])  # Y = 8 / (8 + 2 * 4) = 1/2
    np.testing.assert_allclose(
        modified_discounts(counts), [1 - 2 / 4, 2 - 3 / 4, 3 - 4 / 4]
    )
    steep = modified_discounts(np.repeat([1, 2, 3], [5, 1, 50]))
    assert (steep > 0).all()
    assert (steep < [1, 2, 3]).all()


def test_add_k_is_its_closed_form():
    tokens, k = text(), 0.3
    model = fitted(AddK(k), 2, tokens)
    followers = tokens[1:][tokens[:-1] == 2]
    expected = (np.bincount(followers, minlength=7) + k) / (followers.size + k * 7)
    np.testing.assert_allclose(score_every_continuation(model, [4, 2]), expected)


def test_add_k_with_a_huge_k_is_uniform():
    model = fitted(AddK(1e12))
    np.testing.assert_allclose(score_every_continuation(model, [0, 1]), 1 / 7)


def test_maximum_likelihood_is_frequency_and_says_never():
    tokens = text()
    model = fitted(MaximumLikelihood(), 2, tokens)
    followers = tokens[1:][tokens[:-1] == 2]
    frequency = np.bincount(followers, minlength=7) / followers.size
    np.testing.assert_allclose(score_every_continuation(model, [2]), frequency)
    assert scores_of(model, np.array([2, 6]))[-1] == -np.inf


def test_an_unseen_context_is_uniform_unless_the_smoothing_backs_off():
    for smoothing in (MaximumLikelihood(), AddK(0.3)):
        probabilities = score_every_continuation(fitted(smoothing), [6, 6])
        np.testing.assert_allclose(probabilities, 1 / 7)
    model = fitted(KneserNey())
    np.testing.assert_array_equal(
        score_every_continuation(model, [6, 1]), score_every_continuation(model, [1])
    )


def test_longer_contexts_predict_documentation_better():
    words = ["return", "the", "list", "of", "names", "a", "new", "dict", "object"]
    random = np.random.default_rng(0)
    lines = [" ".join(random.choice(words, 4)) + ".\n" for _ in range(600)]
    codes = np.array([ord(letter) for letter in "".join(lines)])
    losses = []
    for order in (1, 2, 3):
        model = make(order, vocabulary_size=128)
        model.fit_tokens(codes[:12_000])
        losses.append(-scores_of(model, codes[12_000:]).mean())
    assert losses[0] > losses[1] + 0.3
    assert losses[1] > losses[2] + 0.3


def test_vocabularies_beyond_32_bit_products_do_not_overflow():
    large = 2**31
    tokens = np.random.default_rng(0).integers(large - 50, large, 400)
    small = count_ngrams(tokens - (large - 50), 50, 4)
    for level, expected in zip(count_ngrams(tokens, large, 4), small, strict=True):
        np.testing.assert_array_equal(level.counts, expected.counts)


# --- the TensorFlow path -----------------------------------------------------


@every_smoothing
@pytest.mark.parametrize("order", [1, 2, 4])
def test_logits_are_the_log_probabilities_of_the_numpy_path(smoothing, order):
    model = fitted(smoothing, order)
    tokens = np.random.default_rng(3).integers(0, VOCABULARY, (3, 9))
    logits = model(tokens[:, :-1]).numpy()
    assert logits.shape == (3, 8, VOCABULARY)
    assert logits.dtype == np.float32
    np.testing.assert_allclose(np.exp(logits).sum(-1), 1.0, rtol=1e-5)
    for row, text_row in zip(logits, tokens, strict=True):
        given = np.take_along_axis(row, text_row[1:, None], 1)[:, 0]
        scores = scores_of(model, text_row)[1:]
        np.testing.assert_allclose(given, scores, rtol=1e-5, atol=1e-6)


@every_smoothing
@pytest.mark.parametrize("order", [1, 2, 4])
def test_decoding_unequal_rows_step_by_step_equals_full_logits(smoothing, order):
    model = fitted(smoothing, order)
    tokens = text(24, seed=5).reshape(2, 12).astype("int32")
    full = np.maximum(model(tokens), NEVER)
    lengths = np.array([2, 5])
    prompt = np.where(np.arange(6) < lengths[:, None], tokens[:, :6], 0)
    positions = np.where(np.arange(6) < lengths[:, None], np.arange(6), -1)
    logits, cache = model.decode(prompt, positions, model.initial_cache(2, 12), 0)
    for step in range(6):
        np.testing.assert_allclose(
            logits, full[[0, 1], lengths + step - 1], rtol=1e-5, atol=1e-6
        )
        now = lengths + step
        token = tokens[[0, 1], now][:, None]
        logits, cache = model.decode(token, now[:, None], cache, 6 + step)


def test_decoding_runs_in_a_graph_and_its_logits_are_finite():
    model = fitted(MaximumLikelihood(), 3)

    @tf.function
    def write(token):
        cache = model.initial_cache(1, 8)
        out = tf.TensorArray(tf.int32, 8)
        for index in tf.range(8):
            positions = tf.reshape(index, [1, 1])
            logits, cache = model.decode(token, positions, cache, index)
            tf.debugging.assert_all_finite(logits, "logits")
            token = tf.argmax(logits, axis=1, output_type=tf.int32)[:, None]
            out = out.write(index, token[0, 0])
        return out.stack()

    written = write(tf.constant([[0]])).numpy()
    assert np.isfinite(scores_of(model, np.array([0, *written]))).all()


def test_generate_continues_with_what_was_counted():
    model = fitted(MaximumLikelihood(), 3, np.arange(60) % 6)
    ids = model.generate([[0], [2, 3, 4]], max_length=6)
    np.testing.assert_array_equal(ids[0][:6], np.arange(6))
    np.testing.assert_array_equal(ids[1][:6], [2, 3, 4, 5, 0, 1])


def test_a_traced_function_follows_a_second_fit():
    model = fitted(KneserNey(), 3)
    traced = tf.function(lambda tokens: model(tokens))
    tokens = text(8).reshape(1, 8)
    before = traced(tf.constant(tokens)).numpy()
    model.fit_tokens(text(150, seed=9))
    after = traced(tf.constant(tokens)).numpy()
    np.testing.assert_array_equal(after, model(tokens))
    assert np.abs(after - before).max() > 0.01


# --- fit and evaluate --------------------------------------------------------


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


# --- files -------------------------------------------------------------------


@every_smoothing
def test_a_saved_model_comes_back_whole(smoothing, tmp_path):
    model = compiled(fitted(smoothing))
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    assert loaded.network.smoothing == smoothing
    for name, table in model.network.get_tables().items():
        np.testing.assert_array_equal(loaded.network.get_tables()[name], table)
    tokens = text(30, seed=4)
    np.testing.assert_array_equal(
        scores_of(loaded, tokens),
        scores_of(model, tokens),
    )
    np.testing.assert_array_equal(loaded(tokens[None]), model(tokens[None]))


def test_weight_files_carry_tables_into_a_fresh_and_into_a_fitted_model(tmp_path):
    model = fitted()
    model.save_weights(tmp_path / "tables.weights.h5")
    for other in (make(3), fitted(tokens=text(50, seed=8))):
        other.load_weights(tmp_path / "tables.weights.h5")
        np.testing.assert_array_equal(
            scores_of(other, text()),
            scores_of(model, text()),
        )


def test_a_preset_holds_the_counts_in_as_few_bytes_as_they_need(tmp_path):
    model = fitted()
    model.save_to_preset(tmp_path / "preset")
    loaded = from_preset(tmp_path / "preset")
    tables = read_header(tmp_path / "preset/model.safetensors")
    assert {table.dtype for table in tables.values()} == {"U8"}
    assert tables.keys() == loaded.get_tables().keys()
    for one, other in zip(loaded.network.levels, model.network.levels, strict=True):
        for name, array in dataclasses.asdict(one).items():
            np.testing.assert_array_equal(array, getattr(other, name))
            assert array.dtype == np.int64


def test_tables_of_nobody_are_refused():
    with pytest.raises(ValueError, match=r"counting_lm has no such tables\."):
        fitted().set_tables({"rnn/counts_0": np.ones(3, "uint8")})


def test_config_is_json_and_rebuilds_the_model():
    model = make(4, AddK(0.25))
    config = json.loads(json.dumps(registry.to_plain(model)))
    loaded = registry.from_plain(config)
    assert (loaded.network.order, loaded.network.smoothing) == (4, AddK(0.25))
    assert loaded.network.get_tables() == {}


def swap(keys):
    return np.concatenate([keys[:1], keys[2:3], keys[1:2], keys[3:]])


DAMAGE = {
    "a missing table": lambda t: t.pop("counts_1"),
    "an unknown table": lambda t: t.update(extra=t["counts_0"]),
    "another dtype": lambda t: t.update(counts_1=t["counts_1"].astype("float32")),
    "another length": lambda t: t.update(counts_1=t["counts_1"][:-1]),
    "a count of zero": lambda t: t.update(counts_1=t["counts_1"] - t["counts_1"]),
    "unsorted keys": lambda t: t.update(predictions_2=swap(t["predictions_2"])),
    "keys out of range": lambda t: t.update(predictions_2=t["predictions_2"] + 10**9),
    "negative keys": lambda t: t.update(contexts_1=t["contexts_1"] - 100),
    "an n-gram without its ending": lambda t: t.update(
        predictions_0=t["predictions_0"][1:], counts_0=t["counts_0"][1:]
    ),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_damaged_tables_are_refused_and_the_model_stays_as_it_was(damage):
    model = fitted()
    before = scores_of(model, text())
    tables = model.network.get_tables()
    tables = {name: table.astype("int64") for name, table in tables.items()}
    damage(tables)
    with pytest.raises(ValueError, match=r"table.* must "):
        model.network.set_tables(tables)
    np.testing.assert_array_equal(scores_of(model, text()), before)


# --- errors ------------------------------------------------------------------


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


def test_tokens_of_any_integer_type_are_read_as_int64():
    assert check_tokens(np.array([3], "uint8"), 7).dtype == np.int64


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
