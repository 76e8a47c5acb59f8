"""A text's score is the sum of what the model says of every token."""

import keras
import numpy as np
import pytest

from keras_genai.evaluation.language import score_text, score_windows
from keras_genai.networks.gpt import GPT, LLAMA
from keras_genai.networks.ngram import NGram
from keras_genai.networks.rnn import RNN
from keras_genai.tasks.counting import CountingLM
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.truncated import TruncatedLM

TEXT = np.random.default_rng(0).integers(0, 7, 700).astype("int32")


def losses(model, tokens):
    """-log p of every token but the first, from one uncut call."""
    logits = model(tokens[None, :-1])
    return np.asarray(
        keras.losses.sparse_categorical_crossentropy(
            tokens[None, 1:], logits, from_logits=True
        ),
        "float64",
    )[0]


def make_gpt(context):
    keras.utils.set_random_seed(0)
    sizes = dict(context=context, depth=1, width=16, num_heads=2)
    model = CausalLM(GPT(vocabulary_size=7, style=LLAMA, **sizes))
    for variable in model.trainable_variables:
        variable.assign(variable * 8.0)
    return model


def make_rnn():
    keras.utils.set_random_seed(0)
    sizes = dict(embedding_dim=8, units=8, num_layers=1)
    return TruncatedLM(RNN(vocabulary_size=7, **sizes))


@pytest.mark.slow
def test_a_text_within_the_context_is_scored_by_one_window():
    model = make_gpt(context=64)
    score = score_text(model, TEXT[:50])
    expected = np.log(7) + losses(model, TEXT[:50]).sum()
    assert score.nats == pytest.approx(expected, rel=1e-5)
    assert score.tokens == 50


@pytest.mark.slow
@pytest.mark.parametrize("length", [65, 100, 333])
def test_every_token_counts_once_and_sees_at_least_context_minus_stride(length):
    model, tokens, context, stride = make_gpt(64), TEXT[:length], 64, 16
    expected = np.log(7)
    counted, end = 0, min(context, length - 1)
    while counted < length - 1:
        window = losses(model, tokens[max(0, end - context) : end + 1])
        expected += window[-(end - counted) :].sum()
        counted, end = end, min(end + stride, length - 1)
    score = score_text(model, tokens, stride=stride)
    assert score.nats == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_a_recurrent_model_is_scored_as_if_it_read_the_text_in_one_go():
    model = make_rnn()
    expected = np.log(7) + losses(model, TEXT).sum()
    assert score_text(model, TEXT).nats == pytest.approx(expected, rel=1e-5)


@pytest.mark.slow
def test_a_long_text_read_in_lanes_scores_as_in_one_go():
    model = make_rnn()
    tokens = np.tile(TEXT, 8)  # long enough for parallel lanes
    expected = np.log(7) + losses(model, tokens).sum()
    assert score_text(model, tokens).nats == pytest.approx(expected, rel=1e-4)


def test_a_counting_model_is_scored_by_its_own_probabilities():
    model = CountingLM(NGram(vocabulary_size=7, order=2))
    model.fit_tokens(TEXT)
    score = score_text(model, TEXT[:100])
    expected = -model.network.log_probabilities(TEXT[:100]).sum()
    assert score.nats == pytest.approx(expected)
    assert score.perplexity == pytest.approx(np.exp(score.nats / 100))
    assert score.bits_per_token == pytest.approx(score.nats / 100 / np.log(2))


@pytest.mark.slow
def test_the_window_estimate_is_the_mean_loss():
    import tensorflow as tf

    model = make_gpt(context=8)
    tokens = TEXT[:72].reshape(8, 9)
    dataset = tf.data.Dataset.from_tensor_slices((tokens[:, :-1], tokens[:, 1:]))
    expected = np.mean([losses(model, row) for row in tokens])
    assert score_windows(model, dataset.batch(3)) == pytest.approx(expected, rel=1e-5)
