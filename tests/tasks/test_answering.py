"""Question answering: lists of questions, windows, and what is trained on."""

import keras
import numpy as np
import pytest

from keras_genai.data import published, tokenizers
from keras_genai.modalities.text import Text
from keras_genai.networks.bert import BERT
from keras_genai.tasks.answering import QuestionAnswering

CONTEXT = "The cat sat in the old house. " * 6 + "The dog ran to the sea."


@pytest.fixture
def model():
    corpus = [CONTEXT, "who ran to the sea?", "who sat?"] * 3
    tokenizer = tokenizers.wordpiece(corpus, 120, lowercase=True)
    tokenizer = published.for_encoder(tokenizer)
    keras.utils.set_random_seed(0)
    network = BERT(context=32, depth=1, width=16, num_heads=2, dropout=0.0)
    return QuestionAnswering(network, Text(tokenizer))


@pytest.mark.slow
def test_a_question_is_answered_alike_alone_and_in_company(model):
    questions, contexts = ["who ran?", "who sat?"], [CONTEXT, "The dog sat."]
    together = model.answer(questions, contexts)
    for question, context, found in zip(questions, contexts, together, strict=True):
        alone = model.answer(question, context)
        assert alone[:3] == found[:3]
        assert alone.score == pytest.approx(found.score, abs=1e-5)
    with pytest.raises(ValueError, match="shorter"):
        model.answer(questions, contexts[:1])


def test_every_window_of_a_long_text_is_trained_on(model):
    start = CONTEXT.index("sea")
    inputs, targets = model.targets(["who ran?"], [CONTEXT], [start], ["sea"], stride=4)
    tokens, first = inputs["tokens"], targets["start"]
    assert len(tokens) == len(model._windows("who ran?", CONTEXT, 4)) > 2
    assert (targets["end"] == first).all()
    assert first[:-1].tolist() == [0] * (len(first) - 1)
    sea = model.tokenizer.core.token_to_id("sea")
    assert tokens[-1, first[-1]] == sea
    assert not (tokens[:-1] == sea).any()


def test_an_answer_that_is_not_there_is_refused(model):
    with pytest.raises(ValueError, match="`answer` must stand at character 4"):
        model.targets(["who?"], [CONTEXT], [4], ["dog"])


@pytest.mark.slow
def test_a_reader_learns_in_which_window_the_answer_is(model):
    questions = ["who ran to the sea?", "where did the cat sit?"]
    starts = [CONTEXT.index("dog"), CONTEXT.index("house")]
    answers = ["dog", "house"]
    x, y = model.targets(questions, [CONTEXT] * 2, starts, answers, stride=8)
    model.compile(
        keras.optimizers.Adam(0.02),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    history = model.fit(x, y, epochs=30, verbose=0).history["loss"]
    assert history[-1] < 0.3 * history[0]
    found = model.answer(questions[0], CONTEXT, stride=8)
    assert found.text == "dog"
    assert np.isfinite(found.score)
