"""`model.loader(...)`: what a person holds becomes batches for `fit`."""

import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from gans import dcgan

import zoo
from keras_genai.data import conversations, published, tokenizers
from keras_genai.data.turns import CHATML
from keras_genai.modalities.image import Image
from keras_genai.modalities.number import Number
from keras_genai.modalities.text import Label, Text
from keras_genai.networks.bert import BERT
from keras_genai.networks.gpt import GPT
from keras_genai.networks.ngram import NGram
from keras_genai.networks.rnn import RNN
from keras_genai.networks.vae import DenseAutoencoder
from keras_genai.tasks.answering import QuestionAnswering
from keras_genai.tasks.classification import SequenceClassifier
from keras_genai.tasks.counting import CountingLM
from keras_genai.tasks.embedding import SentenceEmbedder
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.masked import MaskedLM
from keras_genai.tasks.tagging import TokenClassifier
from keras_genai.tasks.variational import VAE

SHAPE = (8, 8, 1)
PICTURES = np.random.default_rng(0).integers(0, 256, (6, *SHAPE), "uint8")
TEXTS = ["one cat", "two cats", "no cat at all", "a dog"]
CONTEXT = "The cat sat in the old house. " * 3 + "The dog ran to the sea."


@pytest.fixture
def vae():
    network = DenseAutoencoder(latent_size=2, hidden=(4,))
    model = VAE(network, Image(SHAPE), Label(3))
    model.compile("adam", run_eagerly=True)  # a few steps: no graph
    return model


@pytest.fixture(scope="module")
def gpt():
    tokenizer = tokenizers.characters("".join(TEXTS))
    network = GPT(context=16, depth=1, width=8, num_heads=2)
    model = CausalLM(network, Text(tokenizer))
    model.compile("adam", run_eagerly=True)
    return model


def held(kind, tmp_path):
    labels = [0, 1, 2, 0, 1, 2]
    floats = PICTURES.astype("float32") / 255
    if kind == "arrays":
        return PICTURES, labels
    if kind == "generator":
        return (pair for pair in zip(PICTURES, labels, strict=True)), None
    if kind == "tf.data":
        return tf.data.Dataset.from_tensor_slices((floats, labels)), None
    paths = []
    for number, picture in enumerate(PICTURES):
        paths.append(tmp_path / f"{number}.png")
        paths[-1].write_bytes(tf.io.encode_png(picture).numpy())
    return paths, labels


@pytest.mark.parametrize("kind", ["arrays", "generator", "tf.data", "paths"])
def test_pictures_and_their_labels_are_read_from_what_there_is(kind, vae, tmp_path):
    samples, labels = held(kind, tmp_path)
    given = [] if labels is None else [labels]
    loader = vae.loader(samples, *given, batch_size=3, shuffle=False)
    (first, second) = list(loader.epoch())
    shown = np.concatenate([first["images"], second["images"]])
    np.testing.assert_allclose(shown, PICTURES / 255, atol=1e-6)
    assert [*first["labels"], *second["labels"]] == [0, 1, 2, 0, 1, 2]


def test_a_loader_is_what_fit_takes(vae):
    history = vae.fit(vae.loader(PICTURES, np.arange(6) % 3, batch_size=2), verbose=0)
    assert np.isfinite(history.history["loss"]).all()


@pytest.mark.parametrize(
    ("samples", "given", "message"),
    [
        (PICTURES, (), "`samples` must be samples of 2 parts"),
        (PICTURES[:, 1:], ([0] * 6,), r"`images` must be \(batch, 8, 8, 1\)"),
        (PICTURES, ([7] * 6,), "`labels` must be ints from 0 to 2"),
        (PICTURES, ([0] * 6, [0] * 6), "`given` must be"),
        ([], ([0] * 6,), "`samples` must be an array, a list"),
        ("a.png", ([0] * 6,), "`samples` must be an array, a list"),
        (tf.data.Dataset.from_tensors(0).repeat(), (), "must end"),
    ],
)
def test_what_is_no_sample_is_refused_by_name(samples, given, message, vae):
    with pytest.raises(ValueError, match=message):
        vae.loader(samples, *given)


def test_a_batch_is_at_most_all_there_is(vae, gpt):
    (batch,) = vae.loader(PICTURES, [0] * 6).epoch()
    assert batch["images"].shape == (6, *SHAPE)
    assert next(iter(gpt.loader(TEXTS)))[0].shape[0] == len(TEXTS)
    with pytest.raises(ValueError, match="`batch_size` must be at least 1"):
        vae.loader(PICTURES, [0] * 6, batch_size=0)


def test_a_model_without_classes_needs_pictures_alone():
    model = dcgan(SHAPE, latent=2, width=2)
    (batch,) = model.loader(list(PICTURES), batch_size=6).epoch()
    assert batch["images"].shape == (6, *SHAPE)


def test_one_text_is_read_in_windows_and_several_are_padded(gpt, tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(" ".join(TEXTS), "utf-8")
    for one in (" ".join(TEXTS), path):
        tokens, targets = next(iter(gpt.loader(one, batch_size=2, length=6)))
        assert tokens.shape == targets.shape == (2, 6)
    whole = gpt.loader(" ".join(TEXTS), batch_size=1, length=6, shuffle=False)
    first = gpt.tokenizer.decode(np.asarray(next(iter(whole))[0][0]))
    assert first == "one ca"
    for several in (TEXTS, (text for text in TEXTS)):
        tokens, _, weight = next(iter(gpt.loader(several, 4, shuffle=False)))
        assert tokens.shape == (4, 16)
        assert np.asarray(weight)[0].sum() == len(TEXTS[0]) - 1
    gpt.fit(gpt.loader(TEXTS, batch_size=2), verbose=0)


ROWS = [
    {"prompt": "a cat", "completion": " and a dog"},
    {"prompt": "two", "completion": " dogs"},
    {
        "messages": [
            {"role": "user", "content": "one cat"},
            {"role": "assistant", "content": "no"},
        ]
    },
]


@pytest.fixture(scope="module")
def chatty():
    """A model of conversations, with weights far from where they begin."""
    tokenizer = tokenizers.characters("".join(TEXTS) + "usri\n", end_token="\n")
    marked = tokenizer.with_tokens(CHATML.tokens)
    network = GPT(context=48, depth=1, width=8, num_heads=2)
    model = CausalLM(network, Text(marked), turns=CHATML)
    for weight in model.trainable_weights:
        weight.assign(weight + 0.3 * keras.random.normal(weight.shape, seed=1))
    model.compile("adam", run_eagerly=True)
    return model


def nats_of_answers(model, rows):
    """Nats per learned token, each row read alone and whole."""
    losses = []
    for sample in conversations.encode(rows, model.tokenizer, model.turns):
        logits = model(sample.tokens[None, :-1])[0]
        each = keras.losses.sparse_categorical_crossentropy(
            sample.tokens[1:], logits, from_logits=True
        )
        losses += np.asarray(each)[sample.learned[1:]].tolist()
    return np.mean(losses)


@pytest.mark.parametrize("packed", [False, True])
def test_the_loss_of_conversations_is_the_mean_of_their_answers(packed, chatty):
    loader = chatty.loader(ROWS, batch_size=8, shuffle=False, packed=packed)
    ((inputs, targets, _),) = loader
    assert ("segments" in inputs) == packed
    width = inputs["tokens"].shape[1]
    assert chatty.target.unit(loader.element_spec) == ("tokens", width)
    assert len(targets) == (2 if packed else 3)
    expected = nats_of_answers(chatty, ROWS)
    assert chatty.evaluate(loader, verbose=0) == pytest.approx(expected, abs=1e-5)


def test_texts_that_share_rows_have_the_loss_of_each_alone(chatty):
    loader = chatty.loader(TEXTS, shuffle=False, packed=True)
    ((inputs, _, _),) = loader
    assert len(inputs["tokens"]) == 1
    expected = nats_of_answers(chatty, TEXTS)
    assert chatty.evaluate(loader, verbose=0) == pytest.approx(expected, abs=1e-5)


@pytest.mark.slow
def test_conversations_are_what_fit_takes(chatty):
    before = nats_of_answers(chatty, ROWS)
    chatty.fit(chatty.loader(ROWS, batch_size=2, packed=True), epochs=3, verbose=0)
    assert nats_of_answers(chatty, ROWS) < before


def test_conversations_are_read_from_a_file(chatty, tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(map(json.dumps, ROWS)), "utf-8")
    (read,), (given,) = chatty.loader(path), chatty.loader(ROWS)
    np.testing.assert_array_equal(read[0]["tokens"], given[0]["tokens"])


def test_rows_that_cannot_be_packed_are_refused(chatty):
    with pytest.raises(ValueError, match="`packed` must be False for one text"):
        chatty.loader(" ".join(TEXTS), packed=True)
    network = RNN(embedding_dim=4, units=4, num_layers=1)
    model = CausalLM(network, Text(chatty.tokenizer), turns=CHATML)
    with pytest.raises(ValueError, match="`packed` must be False for rnn"):
        model.loader(ROWS, packed=True)
    ((inputs, _, _),) = model.loader(ROWS)
    assert model(inputs).shape[1] == inputs["places"].shape[1]
    with pytest.raises(ValueError, match="`segments` must be None for rnn"):
        network({**inputs, "segments": inputs["tokens"]})
    counting = CountingLM(NGram(order=2), Text(chatty.tokenizer))
    with pytest.raises(ValueError, match="and learn by steps"):
        counting.loader(ROWS)


def test_text_needs_a_tokenizer():
    network = GPT(context=16, depth=1, width=8, num_heads=2)
    model = CausalLM(network, Text(vocabulary_size=5))
    with pytest.raises(ValueError, match=r"`texts` must be .* Received: no tokenizer"):
        model.loader("a text")
    with pytest.raises(ValueError, match="must have a tokenizer, and learn by steps"):
        model.loader(ROWS)


@pytest.mark.slow
def test_pairs_of_texts_teach_a_sequence_model():
    entry = zoo.get("seq2seq_dates")
    splits = entry.stand_in()
    model = entry.build(splits, **entry.tiny)
    model.compile("adam", jit_compile=False)
    pairs = [("5 May 2020", "2020-05-05"), ("1 June 1999", "1999-06-01")]
    inputs, labels, _ = next(iter(model.loader(pairs, batch_size=2, shuffle=False)))
    assert model.tokenizer.decode(np.asarray(labels[0])).startswith("2020-05-05")
    assert inputs["inputs"].shape[0] == 2
    model.fit(model.loader(pairs, batch_size=2), verbose=0)
    with pytest.raises(ValueError, match="`pairs` must be samples of 2 parts"):
        model.loader(["5 May 2020"])


@pytest.fixture(scope="module")
def words():
    """A tokenizer that frames texts, as encoders want them."""
    corpus = [*TEXTS, CONTEXT, "who sat? where is the dog?"] * 3
    return published.for_encoder(tokenizers.wordpiece(corpus, 120, lowercase=True))


@pytest.fixture
def head(words):
    """Makes a compiled task on a new network that reads both ways."""

    def head(task, *target):
        network = BERT(context=16, depth=1, width=8, num_heads=2)
        model = task(network, *target, Text(words))
        model.compile("adam", run_eagerly=True)
        return model

    return head


def test_texts_and_labels_teach_a_classifier(head):
    model = head(SequenceClassifier, Label(2, ("bad", "good")))
    labelled = list(zip(TEXTS, ["good", "good", "bad", "bad"], strict=True))
    (batch,) = model.loader(labelled, batch_size=4, shuffle=False).epoch()
    assert batch[1].numpy().tolist() == [1, 1, 0, 0]
    model.fit(model.loader(TEXTS, [1, 1, 0, 0], batch_size=2), verbose=0)
    with pytest.raises(ValueError, match="`labels` must be of bad, good"):
        model.loader(["a"], ["x"])


@pytest.mark.slow
def test_pairs_of_texts_have_a_value(head):
    model = head(SequenceClassifier, Number("likeness"))
    loader = model.loader(TEXTS, [0.5, 1, 0, -3], pairs=TEXTS[::-1], shuffle=False)
    ((inputs, values),) = loader.epoch()
    assert values.numpy().tolist() == [0.5, 1, 0, -3]
    assert (inputs["segments"].numpy().max(axis=1) == 1).all()
    model.fit(loader, verbose=0)
    with pytest.raises(ValueError, match="`labels` must be finite numbers"):
        model.loader(TEXTS, [0.5, float("nan"), 0, 0])


def test_texts_are_masked_anew_every_time(head, words, tmp_path):
    model = head(MaskedLM)
    loader = model.loader(TEXTS, batch_size=4, length=12, rate=0.5)
    first, second = next(iter(loader)), next(iter(loader))
    whole = model.batch(TEXTS, length=12)
    for inputs, targets, weight in (first, second):
        assert inputs["tokens"].shape == inputs["tokens_mask"].shape == (4, 12)
        assert targets.shape == weight.shape == inputs["places"].shape
        counted = weight.numpy() > 0
        assert counted.any()
        # No gap is where nothing is, and what stood there is to be guessed.
        real = np.take_along_axis(
            inputs["tokens_mask"].numpy(), inputs["places"].numpy(), axis=1
        )
        assert real[counted].all()
        assert set(targets.numpy()[counted]) <= set(whole["tokens"].ravel())
    assert (first[0]["tokens"].numpy() != second[0]["tokens"].numpy()).any()
    model.fit(loader, verbose=0)

    path = tmp_path / "text.txt"
    path.write_text(CONTEXT, "utf-8")
    for one in (CONTEXT, path):
        inputs, _, _ = next(iter(model.loader(one, batch_size=2, length=5)))
        assert inputs["tokens"].shape == (2, 5)
    with pytest.raises(ValueError, match="`texts` must have at least 16 tokens"):
        model.loader("a dog")


@pytest.mark.slow
def test_tags_are_those_of_the_first_tokens_of_words(head, words):
    model = head(TokenClassifier, Label(3, ("other", "animal", "number")))
    texts = ["one dogs sat", ["a", "dog"]]
    tags = [["number", "animal", "other"], [0, 1]]
    loader = model.loader(texts, tags, batch_size=2, shuffle=False)
    ((inputs, targets, weight),) = loader.epoch()
    assert weight.numpy().sum(axis=1).tolist() == [3, 2]
    for row, text in enumerate((["one", "dogs", "sat"], ["a", "dog"])):
        begins = np.flatnonzero(weight[row])
        assert begins[0] == 1  # behind the token that frames it
        chosen = inputs["tokens"].numpy()[row, begins]
        for token, word in zip(chosen, text, strict=True):
            assert word.startswith(words.core.id_to_token(int(token)))
        assert [model.labels[i] for i in targets.numpy()[row, begins]] == [
            model.labels[tag] if isinstance(tag, int) else tag for tag in tags[row]
        ]
    model.fit(loader, verbose=0)
    assert next(iter(model.loader(zip(texts, tags, strict=True))))[1].shape[0] == 2
    with pytest.raises(ValueError, match="`tags` must have one for each word"):
        model.loader(["a dog"], [["other"]])
    with pytest.raises(ValueError, match="`tags` must be of other, animal, number"):
        model.loader(["dog"], [["plant"]])


def test_answers_are_texts_or_places_in_what_is_read(head, words):
    model = head(QuestionAnswering)
    start = CONTEXT.index("old")
    triples = [
        ("who sat?", CONTEXT, "cat"),
        ("where?", CONTEXT, (start, start + len("old house"))),
        ("who ran?", "The cat sat.", ""),
    ]
    loader = model.loader(triples, batch_size=64, stride=2, shuffle=False)
    ((inputs, targets),) = loader.epoch()
    tokens = inputs["tokens"].numpy()
    found = {
        words.decode(row[first : last + 1])
        for row, first, last in zip(
            tokens, targets["start"].numpy(), targets["end"].numpy(), strict=True
        )
        if first
    }
    assert found == {"cat", "old house"}
    model.fit(loader, verbose=0)
    questions, contexts, answers = zip(*triples, strict=True)
    model.loader(questions, contexts, answers)
    for answer, said in (("dog", "must be in their texts"), ((3, 99), "places from 0")):
        with pytest.raises(ValueError, match=f"`answers` {said}|{said}"):
            model.loader(["who?"], ["The cat sat."], [answer])


@pytest.mark.slow
def test_pairs_of_sentences_have_a_cosine(head):
    model = head(SentenceEmbedder)
    pairs = list(zip(TEXTS, TEXTS[::-1], [1, 0.5, -1, 0], strict=True))
    loader = model.loader(pairs, batch_size=2, shuffle=False)
    inputs, scores = next(iter(loader))
    np.testing.assert_array_equal(
        inputs["second"]["tokens"], model.batch(TEXTS[::-1])["tokens"][:2]
    )
    assert scores.numpy().tolist() == [1, 0.5]
    model.fit(loader, verbose=0)
    with pytest.raises(ValueError, match="`scores` must be cosines, from -1 to 1"):
        model.loader(TEXTS, TEXTS, [0, 0, 0, 5])
