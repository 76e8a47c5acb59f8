"""Losses and metrics of models that return logits."""

import keras
import numpy as np
import pytest

from keras_genai.modalities.number import Number
from keras_genai.networks.bert import BERT
from keras_genai.networks.gpt import GPT
from keras_genai.tasks.answering import QuestionAnswering
from keras_genai.tasks.classification import SequenceClassifier
from keras_genai.tasks.embedding import SentenceEmbedder
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.masked import MaskedLM
from keras_genai.tasks.tagging import TokenClassifier

X = np.random.default_rng(0).integers(0, 11, (4, 6))
LABELS = np.array([0, 1, 1, 0])


def gpt():
    keras.utils.set_random_seed(0)
    sizes = dict(context=8, depth=1, width=8, num_heads=2)
    return CausalLM(GPT(vocabulary_size=11, **sizes))


def bert():
    sizes = dict(vocabulary_size=11, context=8, depth=1, width=8, num_heads=2)
    return BERT(**sizes, dropout=0.0)


def score(model, x, y, **options):
    model.compile("sgd", run_eagerly=True, **options)
    return model.evaluate(x, y, verbose=0, return_dict=True)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("make", "y"),
    [
        (gpt, X),
        (lambda: MaskedLM(bert()), X),
        (lambda: SequenceClassifier(bert()), LABELS),
        (lambda: SequenceClassifier(bert(), Number()), LABELS.astype("float32")),
        (lambda: TokenClassifier(bert()), X % 2),
        (lambda: QuestionAnswering(bert()), {"start": LABELS, "end": LABELS}),
    ],
)
def test_an_optimizer_is_enough_to_compile(make, y):
    model = make()
    model.compile("adam")
    assert np.isfinite(model.fit(X, y, verbose=0).history["loss"]).all()


@pytest.mark.slow
def test_pairs_of_sentences_are_learned_by_their_cosine():
    model = SentenceEmbedder(bert())
    model.compile("adam")
    pairs = {"first": {"tokens": X}, "second": {"tokens": X[::-1]}}
    model.fit(pairs, np.ones(4, "float32"), verbose=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    "loss",
    [
        None,
        "sparse_categorical_crossentropy",
        keras.losses.sparse_categorical_crossentropy,
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    ],
)
def test_every_name_of_the_loss_takes_logits(loss):
    logits = gpt()(X).numpy().astype("float64")
    powers = np.exp(logits - logits.max(-1, keepdims=True))
    chosen = np.take_along_axis(
        powers / powers.sum(-1, keepdims=True), X[..., None], -1
    )
    found = score(gpt(), X, X, loss=loss)["loss"]
    assert found == pytest.approx(-np.log(chosen).mean(), rel=1e-5)


@pytest.mark.parametrize("argument", ["metrics", "weighted_metrics"])
def test_metrics_take_logits_too(argument):
    found = score(
        gpt(), X, X, **{argument: ["sparse_categorical_crossentropy", "accuracy"]}
    )
    assert found["sparse_categorical_crossentropy"] == pytest.approx(found["loss"])
    assert 0 <= found["accuracy"] <= 1


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("loss", keras.losses.SparseCategoricalCrossentropy()),
        ("metrics", [keras.metrics.SparseCategoricalCrossentropy()]),
    ],
)
def test_what_takes_probabilities_is_refused(argument, value):
    with pytest.raises(ValueError, match=rf"`{argument}` must take logits"):
        gpt().compile("sgd", **{argument: value})


@pytest.mark.slow
def test_rows_and_tokens_without_weight_are_not_learned():
    whole = score(gpt(), X[:2], X[:2])["loss"]
    for weight in (np.array([1.0, 1, 0, 0]), np.repeat([[1.0], [1], [0], [0]], 6, 1)):
        model = gpt()
        model.compile("sgd")
        found = model.evaluate(X, X, sample_weight=weight, verbose=0)
        assert found == pytest.approx(whole / 2, rel=1e-5)


@pytest.mark.slow
def test_a_compiled_model_comes_back_with_its_loss(tmp_path):
    model = gpt()
    model.compile("adam", metrics=["accuracy"])
    model.fit(X, X, verbose=0)
    model.save(tmp_path / "model.keras")
    again = keras.models.load_model(tmp_path / "model.keras")
    one, other = (
        each.fit(X, X, verbose=0, shuffle=False).history["loss"]
        for each in (model, again)
    )
    assert one == other
