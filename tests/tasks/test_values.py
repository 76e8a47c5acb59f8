"""Integers that no table has are refused before anything is learned from them."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai.layers.embedding import TokenEmbedding
from keras_genai.networks.bert import BERT
from keras_genai.networks.gpt import GPT
from keras_genai.networks.recurrent_encoder_decoder import RecurrentEncoderDecoder
from keras_genai.networks.rnn import RNN
from keras_genai.tasks.answering import QuestionAnswering
from keras_genai.tasks.classification import SequenceClassifier
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.masked import MaskedLM
from keras_genai.tasks.seq2seq import Seq2SeqLM
from keras_genai.tasks.tagging import TokenClassifier
from keras_genai.tasks.truncated import TruncatedLM

VOCABULARY, LENGTH = 11, 6
FINE = np.ones((4, LENGTH), "int32")


def spoiled(value, shape=FINE.shape):
    """All 1, but one of the last rows."""
    array = np.ones(shape, "int32")
    array[-1, ..., -1] = value
    return array


def gpt():
    sizes = dict(context=8, depth=1, width=8, num_heads=2)
    return CausalLM(GPT(vocabulary_size=VOCABULARY, **sizes))


def rnn():
    sizes = dict(embedding_dim=16, units=4, num_layers=1)
    return TruncatedLM(RNN(vocabulary_size=VOCABULARY, **sizes))


def bert():
    sizes = dict(vocabulary_size=VOCABULARY, context=8, depth=1, width=8, num_heads=2)
    return BERT(**sizes)


def classifier():
    return SequenceClassifier(bert())


def pairs(**others):
    real = np.ones(FINE.shape, bool)
    return {"inputs": FINE, "inputs_mask": real, "targets": FINE, **others}


def batches(x, y):
    return tf.data.Dataset.from_tensor_slices((x, y)).batch(2)


def rewriter():
    network = RecurrentEncoderDecoder(
        vocabulary_size=VOCABULARY, embedding_dim=6, units=4
    )
    return Seq2SeqLM(network)


WRONG = {
    "GPT tokens": (gpt, spoiled(VOCABULARY), FINE, "tokens"),
    "GPT negative": (gpt, spoiled(-1), FINE, "tokens"),
    "GPT targets": (gpt, FINE, spoiled(-100), "targets"),
    "RNN tokens": (rnn, spoiled(VOCABULARY), FINE, "tokens"),
    "source": (rewriter, pairs(inputs=spoiled(99)), FINE, "inputs"),
    "read targets": (rewriter, pairs(targets=spoiled(99)), FINE, "targets"),
    "segments": (
        classifier,
        {"tokens": FINE, "segments": spoiled(2)},
        np.zeros(4, "int32"),
        "segments",
    ),
    "labels": (
        classifier,
        FINE,
        np.array([0, 1, 0, 2]),
        "targets",
    ),
    "labels of tokens": (
        lambda: TokenClassifier(bert()),
        FINE,
        spoiled(2),
        "targets",
    ),
    "places": (
        lambda: MaskedLM(bert()),
        {"tokens": FINE, "places": spoiled(LENGTH, (4, 2))},
        np.ones((4, 2), "int32"),
        "places",
    ),
    "GPT places": (
        gpt,
        {"tokens": FINE, "places": spoiled(LENGTH, (4, 2))},
        np.ones((4, 2), "int32"),
        "places",
    ),
    "GPT tokens among others": (
        gpt,
        {"tokens": spoiled(VOCABULARY), "places": np.ones((4, 2), "int32")},
        np.ones((4, 2), "int32"),
        "tokens",
    ),
    "end": (
        lambda: QuestionAnswering(bert()),
        FINE,
        {"start": np.ones(4, "int32"), "end": np.array([1, 1, 1, LENGTH])},
        "end",
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_arrays_are_refused_before_the_first_step(name):
    make, x, y, field = WRONG[name]
    model = make()
    model.compile("adam", jit_compile=True)
    before = [each.numpy() for each in model.weights]
    with pytest.raises(ValueError, match=rf"^`{field}` must be ints from 0 to "):
        model.fit(x, y, batch_size=2, verbose=0)
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [True, False])
@pytest.mark.parametrize("name", ["GPT tokens", "GPT targets", "places", "end"])
def test_a_batch_of_a_data_set_is_refused_in_xla_too(name, jit_compile):
    make, x, y, field = WRONG[name]
    model = make()
    model.compile("adam", jit_compile=jit_compile)
    said = rf"^`{field}` must be ints from 0 to "
    with pytest.raises(ValueError, match=said):
        model.fit(batches(x, y), shuffle=False, verbose=0)
    with pytest.raises(ValueError, match=said):
        model.evaluate(batches(x, y), verbose=0)


def test_prediction_looks_at_tokens_and_not_at_targets():
    model = gpt()
    assert len(model.predict(batches(FINE, spoiled(-1)), verbose=0)) == 4
    for call in (model, model.predict_on_batch, model.predict):
        with pytest.raises(ValueError, match=r"^`tokens` must be ints from 0 to 10\."):
            call(spoiled(VOCABULARY))


@pytest.mark.slow
def test_a_class_that_the_loss_ignores_is_allowed():
    model = gpt()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=-1)
    model.compile("adam", loss)
    assert np.isfinite(model.fit(FINE, spoiled(-1), verbose=0).history["loss"]).all()
    with pytest.raises(ValueError, match=r"from 0 to 10, or -1\. .* from -2 to -2"):
        model.fit(FINE, spoiled(-2), verbose=0)


def test_rows_of_unknown_length_may_not_be_beyond_the_context():
    model = gpt()
    model.compile("adam", jit_compile=False)
    long = np.ones((4, 9), "int32")
    data = tf.data.Dataset.from_tensor_slices((long, long)).padded_batch(2)
    with pytest.raises(ValueError, match=r"`tokens` must have at most context=8 "):
        model.fit(data, shuffle=False, verbose=0)


@pytest.mark.parametrize(
    ("make", "x", "said"),
    [
        (gpt, FINE[0], r"`tokens` must be ints of shape \(batch, length\)"),
        (gpt, np.array([["a b"]]), r"`tokens` must be ints"),
        (gpt, FINE[:, :, None], r"`tokens` must be ints"),
        (rewriter, FINE, r"`inputs` must be a dict with \['inputs', "),
        (
            rewriter,
            {"inputs": FINE, "targets": FINE},
            r"`inputs` must be a dict with .* 'inputs_mask', .* Received: \['inputs', ",
        ),
        (classifier, {"words": FINE}, r"`inputs` must be a dict with \['tokens'\]"),
        (
            classifier,
            tf.constant(["a b"]),
            r"`tokens` must be ints .* `batch\(texts\)`",
        ),
        (classifier, {"tokens": FINE, "segments": FINE[0]}, r"`segments` must be ints"),
    ],
)
def test_what_is_no_batch_is_told_in_one_line(make, x, said):
    with pytest.raises(ValueError, match=rf"^{said}") as error:
        make()(x)
    assert "\n" not in str(error.value)


def test_a_small_embedding_is_keras_own():
    ours, theirs = TokenEmbedding(5, 3), keras.layers.Embedding(5, 3)
    tokens = np.array([[0, 4, 2]])
    ours(tokens), theirs(tokens)
    theirs.set_weights(ours.get_weights())
    np.testing.assert_array_equal(ours(tokens), theirs(tokens))
    for layer in (ours, tf.function(ours), tf.function(TokenEmbedding(300, 3))):
        for wrong in ([[300]], [[-1]]):
            with pytest.raises(tf.errors.InvalidArgumentError, match="must be ints"):
                layer(tf.constant(wrong))
