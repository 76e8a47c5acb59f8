"""N-grams: the chances that follow from what was counted, and decoding by them."""

import collections
import math

import numpy as np
import pytest
import tensorflow as tf
from counted import (
    VOCABULARY,
    every_smoothing,
    fitted,
    make,
    scores_of,
    text,
)

from keras_genai.networks.ngram import NEVER
from keras_genai.networks.ngram_smoothing import (
    AddK,
    KneserNey,
    MaximumLikelihood,
    modified_discounts,
)
from keras_genai.networks.ngram_tables import check_tokens, count_ngrams


def score_every_continuation(model, context):
    """Probabilities `(V,)` of the token after `context`."""
    texts = [[*context, token] for token in range(VOCABULARY)]
    return np.exp([scores_of(model, np.array(each))[-1] for each in texts])


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


def test_a_traced_function_follows_a_second_fit():
    model = fitted(KneserNey(), 3)
    traced = tf.function(lambda tokens: model(tokens))
    tokens = text(8).reshape(1, 8)
    before = traced(tf.constant(tokens)).numpy()
    model.fit_tokens(text(150, seed=9))
    after = traced(tf.constant(tokens)).numpy()
    np.testing.assert_array_equal(after, model(tokens))
    assert np.abs(after - before).max() > 0.01


def test_tokens_of_any_integer_type_are_read_as_int64():
    assert check_tokens(np.array([3], "uint8"), 7).dtype == np.int64
