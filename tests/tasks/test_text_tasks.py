"""Heads on a small BERT: they learn, travel in presets and answer in words."""

import keras
import numpy as np
import pytest

from keras_genai import from_preset
from keras_genai.data import published, tokenizers
from keras_genai.modalities.number import Number
from keras_genai.modalities.text import Label, Text
from keras_genai.networks.bert import BERT
from keras_genai.networks.gpt import GPT
from keras_genai.networks.modern_bert import ModernBERT
from keras_genai.networks.recurrent_encoder import RecurrentEncoder
from keras_genai.tasks.answering import QuestionAnswering
from keras_genai.tasks.classification import SequenceClassifier
from keras_genai.tasks.embedding import SentenceEmbedder
from keras_genai.tasks.features import FeatureExtractor
from keras_genai.tasks.masked import MaskedLM
from keras_genai.tasks.tagging import TokenClassifier

TEXTS = ["the good cat sat", "a bad dog ran away", "the bad cat ran", "a good dog sat"]
CONTEXT = "The cat sat in the old house. " * 6 + "The dog ran to the sea."


@pytest.fixture(scope="module")
def tokenizer():
    corpus = [*TEXTS, CONTEXT, "who ran to the sea?"] * 3
    return published.for_encoder(tokenizers.wordpiece(corpus, 120, lowercase=True))


@pytest.fixture
def make(tokenizer):
    """Makes a head on a new network."""

    def make(task, target=None, dtype="float32", **options):
        keras.utils.set_random_seed(0)
        network = BERT(
            context=32,
            depth=1,
            width=16,
            num_heads=2,
            dropout=0.0,
        )
        kinds = [Text(tokenizer)] if target is None else [target, Text(tokenizer)]
        if task in (SequenceClassifier, TokenClassifier) and target is None:
            kinds = [Label(2), *kinds]
        return eager(task(network, *kinds, dtype=dtype, **options))

    return make


def eager(model):
    """A model that answers without a graph, which takes longer than a few answers."""
    model.run_eagerly = True
    return model


def train(model, x, y, weight=None, epochs=30):
    model.compile(
        keras.optimizers.Adam(0.01),
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
    )
    fitted = model.fit(x, y, sample_weight=weight, epochs=epochs, verbose=0)
    return fitted.history["loss"][-1]


def test_texts_become_padded_batches(make, tokenizer):
    model = make(SequenceClassifier)
    batch = model.batch([TEXTS[0], TEXTS[1]], pairs=["yes", TEXTS[2]])
    assert {key: value.shape for key, value in batch.items()} == dict.fromkeys(
        ("tokens", "segments", "tokens_mask"), (2, 16)
    )
    row = batch["tokens"][0][batch["tokens_mask"][0] == 1]
    assert row[0] == tokenizer.start_token
    assert (row == tokenizer.end_token).sum() == 2
    assert not batch["tokens"][0][len(row) :].any()
    first = batch["segments"][0].argmax()
    assert row[first - 1] == tokenizer.end_token


def test_long_texts_are_cut_to_the_context_and_keep_their_frame(make, tokenizer):
    model = make(SequenceClassifier)
    batch = model.batch([CONTEXT, "short"], pairs=["the dog", CONTEXT])
    assert batch["tokens"].shape == (2, 32)
    assert (batch["tokens"][:, -1] == tokenizer.end_token).all()
    kept = (batch["segments"][0] == 1).sum()
    assert kept == 3  # the short second text is whole


@pytest.mark.slow
def test_a_sequence_classifier_learns_and_names_labels(make):
    label = Label(2, ("bad", "good"))
    model = make(SequenceClassifier, label, "mixed_bfloat16", dropout=0.0)
    loss = train(model, model.batch(TEXTS), np.array([1, 0, 0, 1]))
    assert loss < 0.1
    found = model.classify(TEXTS)
    assert [label for label, _ in found] == ["good", "bad", "bad", "good"]
    assert all(0.5 < probability <= 1 for _, probability in found)
    assert model.classify(TEXTS[1]).label == "bad"


def test_the_answer_for_a_text_does_not_depend_on_its_company(make):
    model = make(SequenceClassifier)
    together = model.classify([TEXTS[0], CONTEXT])
    alone = [model.classify(TEXTS[0]), model.classify(CONTEXT)]
    for one, other in zip(together, alone, strict=True):
        assert one.label == other.label
        assert one.probability == pytest.approx(other.probability, abs=1e-6)


def test_a_single_label_is_a_value(make):
    model = make(SequenceClassifier, Number())
    logits = model(model.batch([TEXTS[0]], pairs=[TEXTS[1]]))
    assert model.classify(TEXTS[0], TEXTS[1]).probability == pytest.approx(
        float(logits[0, 0]), abs=1e-6
    )


@pytest.mark.slow
def test_a_token_classifier_learns_and_tags_words(make, tokenizer):
    model = make(TokenClassifier, Label(2, ("other", "animal")), dropout=0.0)
    x = model.batch(TEXTS)
    animals = {tokenizer.core.token_to_id(word) for word in ("cat", "dog")}
    y = np.isin(x["tokens"], list(animals)).astype("int32")
    assert train(model, x, y, x["tokens_mask"].astype("float32")) < 0.1
    tags = model.tag("The good Cat sat")
    assert [(tag.word, tag.label) for tag in tags] == [
        ("The", "other"),
        ("good", "other"),
        ("Cat", "animal"),
        ("sat", "other"),
    ]
    assert all("The good Cat sat"[tag.start : tag.end] == tag.word for tag in tags)


@pytest.mark.slow
def test_a_token_classifier_learns_values_of_words(make):
    model = make(TokenClassifier, Number("length"), dropout=0.0, transform=True)
    model.compile(keras.optimizers.Adam(0.01))
    values = [[float(len(word)) for word in text.split()] for text in TEXTS]
    data = model.loader(TEXTS, values, batch_size=4)
    assert model.fit(data, epochs=60, verbose=0).history["loss"][-1] < 0.5
    tags = model.tag(TEXTS[0])
    assert [tag.label for tag in tags] == ["length"] * 4
    for tag in tags:
        assert abs(tag.probability - len(tag.word)) < 1


def test_another_layer_before_the_labels_needs_an_activation(tokenizer):
    network = GPT(context=8, depth=1, width=8, num_heads=2)
    with pytest.raises(TypeError, match="`network` must have a `head_activation`"):
        TokenClassifier(network, Label(2), Text(tokenizer), transform=True)


@pytest.mark.slow
def test_a_masked_model_learns_to_fill_gaps(make, tokenizer):
    model = make(MaskedLM)
    y = model.batch(TEXTS)["tokens"]
    x = model.batch(["the [MASK] cat sat", *TEXTS[1:]])
    weight = (x["tokens"] == model.mask_token).astype("float32")
    train(model, x, y, weight)
    ((first, *others),) = model.fill("The [MASK] cat sat", count=3)
    assert first.token == "good"
    assert first.probability > others[0].probability
    assert [len(gaps) for gaps in model.fill(["a [MASK] [MASK]", "[MASK]"])] == [2, 1]
    with pytest.raises(ValueError, match=r"must have a \[MASK\]"):
        model.fill("no gap")


def test_a_masked_model_guesses_only_where_it_is_asked(make, tokenizer):
    model = make(MaskedLM)
    x = model.batch(TEXTS)
    places = np.array([[2, 0], [1, 1], [0, 3], [3, 2]], "int32")
    np.testing.assert_allclose(
        model({**x, "places": places}),
        np.take_along_axis(model(x).numpy(), places[..., None], axis=1),
        atol=1e-5,
    )


@pytest.mark.slow
def test_question_answering_learns_spans_of_the_text(make):
    model = make(QuestionAnswering)
    contexts = ["The cat sat in the old house.", "The dog ran to the sea."]
    questions = ["who sat?", "who ran to the sea?"]
    x, y = model.targets(questions, contexts, [4, 4], ["cat", "dog"])
    train(model, x, y)
    for question, context, word in zip(
        questions, contexts, ("cat", "dog"), strict=True
    ):
        found = model.answer(question, context, stride=4)
        assert found.text == context[found.start : found.end] == word


def test_an_answer_is_found_in_any_window_of_a_long_text(make, tokenizer):
    model = make(QuestionAnswering)
    dog = tokenizer.core.token_to_id("dog")

    def loves_dogs(batch):
        here = (batch["tokens"] == dog).astype("float32") * 9
        return {"start": here, "end": here}

    model.predict_on_batch = loves_dogs
    found = model.answer("who ran?", CONTEXT, stride=5)
    assert found.text == "dog"
    assert found.start == CONTEXT.index("dog")
    # A question is never its own answer.
    assert model.answer("which dog?", CONTEXT, stride=5).start == found.start
    with pytest.raises(ValueError, match="`stride` must be from 0"):
        model.answer("who?", CONTEXT, stride=30)


def test_a_span_never_ends_before_it_begins_and_may_be_none(make):
    model = make(QuestionAnswering)
    x = model.batch(["who?"], pairs=["The cat sat"])
    count = x["tokens"].shape[1]

    def backwards(batch):
        start, end = np.zeros((2, len(batch["tokens"]), count), "float32")
        start[:, 7], end[:, 4], start[:, 0] = 5, 5, 9
        return {"start": start, "end": end}

    model.predict_on_batch = backwards
    found = model.answer("who?", "The cat sat on the mat", stride=2)
    assert found.end > found.start
    assert model.answer("who?", "The cat sat", 2, allow_none=True).text == ""


def test_targets_are_the_tokens_of_the_answer(make):
    model = make(QuestionAnswering)
    x, y = model.targets(["who?", "who?"], ["The dog ran"] * 2, [4, 0], ["dog", ""])
    core = model.tokenizer.core
    assert core.id_to_token(int(x["tokens"][0, y["start"][0]])) == "dog"
    assert y["start"][0] == y["end"][0]
    assert y["start"][1] == y["end"][1] == 0


def test_sentences_with_the_same_words_are_near(make):
    model = make(SentenceEmbedder)
    vectors = model.embed(TEXTS)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=-1), 1, atol=1e-5)
    np.testing.assert_allclose(model.embed(TEXTS[2]), vectors[2], atol=1e-5)
    near = model.similarity(TEXTS, TEXTS)
    np.testing.assert_allclose(np.diag(near), 1, atol=1e-5)
    x = {"first": model.batch(TEXTS[:2]), "second": model.batch(TEXTS[2:])}
    np.testing.assert_allclose(model(x), near[[0, 1], [2, 3]], atol=1e-5)
    model.compile("adam", "mse", run_eagerly=True)
    model.fit(x, np.array([1.0, -1.0]), verbose=0)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("task", "options"),
    [
        (MaskedLM, {}),
        (MaskedLM, dict(tie_embeddings=False)),
        (SequenceClassifier, dict(target=Label(3, ("a", "b", "c")))),
        (SequenceClassifier, dict(target=Number("likeness"))),
        (TokenClassifier, dict(target=Label(3))),
        (QuestionAnswering, {}),
        (SentenceEmbedder, {}),
        (FeatureExtractor, {}),
    ],
)
@pytest.mark.parametrize("format", ["keras_genai", "huggingface"])
def test_heads_travel_in_presets(make, task, options, format, tmp_path):
    model = make(task, **options)
    model.save_to_preset(tmp_path / "preset", format=format)
    again = from_preset(tmp_path / "preset", **_which(task, format))
    batch = model.batch(TEXTS)
    keras.tree.map_structure(np.testing.assert_array_equal, model(batch), again(batch))
    assert getattr(again, "labels", None) == getattr(model, "labels", None)
    half = from_preset(
        tmp_path / "preset", dtype="mixed_bfloat16", **_which(task, format)
    )
    assert half.network.compute_dtype == "bfloat16"


def _which(task, format):
    """A sentence embedder is stored as its body."""
    bare = task is SentenceEmbedder and format == "huggingface"
    return {"task": "SentenceEmbedder"} if bare else {}


def test_wrong_arguments_are_one_clear_line(make):
    with pytest.raises(ValueError, match="`num_classes` must be an int >= 1"):
        Label(0)
    with pytest.raises(ValueError, match="`names` must be 2 str, one for each"):
        Label(2, ("a", "b", "c"))
    model = make(SequenceClassifier)
    with pytest.raises(TypeError, match="`texts` must be a sequence of str"):
        model.batch("text")
    with pytest.raises(ValueError, match="as many texts"):
        model.batch(["a", "b"], pairs=["c"])
    model.tokenizer = None
    with pytest.raises(ValueError, match="must have a `tokenizer`"):
        model.classify("text")


def test_a_gap_behind_the_context_is_named_as_such(make):
    model = make(MaskedLM)
    far = "the cat sat " * 15 + "[MASK]"
    with pytest.raises(ValueError, match=r"context of 32 tokens.*token 46"):
        model.fill(far)
    with pytest.raises(ValueError, match="within the context"):
        model.fill(f"a [MASK] {far}")
    with pytest.raises(ValueError, match=r"must have a \[MASK\]"):
        model.fill("the cat sat " * 9)


NETWORKS = {
    "ModernBERT": lambda: ModernBERT(
        context=32, depth=1, width=16, num_heads=2, inner_width=16
    ),
    "BERT": lambda: BERT(context=32, depth=1, width=16, num_heads=2, dropout=0.0),
    "GPT": lambda: GPT(context=32, depth=1, width=16, num_heads=2),
    "RecurrentEncoder": lambda: RecurrentEncoder(
        context=32, embedding_dim=8, units=4, dropout=0.0
    ),
}
every_network = pytest.mark.parametrize("name", NETWORKS)


@pytest.mark.parametrize(
    "name",
    [
        "GPT",
        pytest.param("BERT", marks=pytest.mark.slow),
        pytest.param("ModernBERT", marks=pytest.mark.slow),
        pytest.param("RecurrentEncoder", marks=pytest.mark.slow),
    ],
)
def test_a_label_and_a_value_sit_on_any_network(name, tokenizer, tmp_path):
    for target in (Label(2, ("bad", "good")), Number()):
        model = SequenceClassifier(NETWORKS[name](), target, Text(tokenizer))
        found = eager(model).classify(TEXTS)
        alone = model.classify(TEXTS[2])
        assert alone.label == found[2].label
        assert alone.probability == pytest.approx(found[2].probability, abs=1e-5)
        model.save_to_preset(tmp_path / "preset")
        again = from_preset(tmp_path / "preset")
        assert again.target == model.target
        batch = model.batch(TEXTS)
        np.testing.assert_array_equal(again(batch), model(batch))


@every_network
def test_what_stands_at_padding_does_not_change_what_is_pooled(name, tokenizer):
    network = NETWORKS[name]()
    model = FeatureExtractor(network, Text(tokenizer))
    short = model.batch(TEXTS[:1], length=16)
    longer = model.batch(TEXTS[:1], length=24)
    real = short["tokens_mask"][0].sum()
    longer["tokens"][:, real:] = 7
    one, other = model(short), model(longer)
    assert one["hidden"].shape == (1, 16, network.width)
    np.testing.assert_allclose(one["pooled"], other["pooled"], atol=1e-5)
    np.testing.assert_allclose(
        one["hidden"][:, :real], other["hidden"][:, :real], atol=1e-5
    )


def test_a_gpt_is_pooled_at_its_last_real_token(tokenizer):
    model = FeatureExtractor(NETWORKS["GPT"](), Text(tokenizer))
    batch = model.batch(TEXTS)
    found = model(batch)
    last = batch["tokens_mask"].sum(axis=1) - 1
    np.testing.assert_allclose(
        found["pooled"], found["hidden"].numpy()[np.arange(4), last], atol=1e-6
    )


@pytest.mark.slow
@every_network
@pytest.mark.parametrize("target", [Label(2), Number()])
def test_heads_learn_on_any_network(name, target, tokenizer):
    keras.utils.set_random_seed(0)
    model = SequenceClassifier(NETWORKS[name](), target, Text(tokenizer), dropout=0.0)
    model.compile(keras.optimizers.Adam(0.01))
    loader = model.loader(TEXTS, [1, 0, 0, 1], batch_size=4)
    history = model.fit(loader, epochs=60, verbose=0).history["loss"]
    assert history[-1] < 0.05


@pytest.mark.slow
@every_network
def test_words_and_answers_and_vectors_sit_on_any_network(name, tokenizer):
    text = Text(tokenizer)
    tags = TokenClassifier(NETWORKS[name](), Label(3), text).tag(TEXTS[0])
    assert [tag.word for tag in tags] == TEXTS[0].split()
    answer = QuestionAnswering(NETWORKS[name](), text).answer("who?", CONTEXT)
    assert answer.text == CONTEXT[answer.start : answer.end]
    assert SentenceEmbedder(NETWORKS[name](), text).embed(TEXTS).shape[0] == 4


def test_gaps_are_guessed_by_a_network_that_has_an_activation(tokenizer):
    with pytest.raises(TypeError, match="`network` must have a `guess_activation`"):
        MaskedLM(NETWORKS["GPT"](), Text(tokenizer))


def test_a_pooler_is_there_where_it_is_read(tokenizer):
    sizes = dict(context=32, depth=1, width=16, num_heads=2)
    text = Text(tokenizer)

    def has_pooler(task, *target, **settings):
        return task(BERT(**sizes), *target, text, **settings).network.has_pooler

    assert has_pooler(SequenceClassifier, Label(2))
    assert has_pooler(FeatureExtractor)
    assert not has_pooler(SequenceClassifier, Label(2), pooling="mean")
    assert not has_pooler(MaskedLM)
    assert BERT(vocabulary_size=9, **sizes).complete().has_pooler
    own = BERT(**sizes, has_pooler=False)
    assert not SequenceClassifier(own, Label(2), text).network.has_pooler
