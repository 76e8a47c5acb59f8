"""`model.loader(...)`: what a person holds becomes batches for `fit`."""

import numpy as np
import pytest
import tensorflow as tf
from keras_genai.models.dcgan import DCGAN

import zoo
from keras_genai.data import tokenizers
from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Label, Text
from keras_genai.models.bert import BERT
from keras_genai.networks.gpt import GPT
from keras_genai.networks.vae import DenseAutoencoder
from keras_genai.tasks.encoder import SequenceClassifier
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.variational import VAE

SHAPE = (8, 8, 1)
PICTURES = np.random.default_rng(0).integers(0, 256, (6, *SHAPE), "uint8")
TEXTS = ["one cat", "two cats", "no cat at all", "a dog"]


@pytest.fixture
def vae():
    network = DenseAutoencoder(latent_size=2, hidden=(4,))
    model = VAE(network, Image(SHAPE), Label(3))
    model.compile("adam", jit_compile=False)
    return model


@pytest.fixture(scope="module")
def gpt():
    tokenizer = tokenizers.characters("".join(TEXTS))
    network = GPT(context=16, depth=1, width=8, num_heads=2)
    model = CausalLM(network, Text(tokenizer))
    model.compile("adam", jit_compile=False)
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
    model = DCGAN(SHAPE, latent=2, width=2)
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


def test_text_needs_a_tokenizer():
    network = GPT(context=16, depth=1, width=8, num_heads=2)
    model = CausalLM(network, Text(vocabulary_size=5))
    with pytest.raises(ValueError, match=r"`texts` must be .* Received: no tokenizer"):
        model.loader("a text")


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


@pytest.mark.slow
def test_texts_and_labels_teach_a_classifier():
    tokenizer = zoo.get("bert_sst2").stand_in().tokenizer
    backbone = BERT(tokenizer.vocabulary_size, 16, depth=1, width=8, num_heads=2)
    model = SequenceClassifier(backbone, labels=["bad", "good"])
    model.tokenizer = tokenizer
    model.compile("adam", jit_compile=False)
    labelled = list(zip(TEXTS, ["good", "good", "bad", "bad"], strict=True))
    (batch,) = model.loader(labelled, batch_size=4, shuffle=False).epoch()
    assert batch[1].numpy().tolist() == [1, 1, 0, 0]
    model.fit(model.loader(TEXTS, [1, 1, 0, 0], batch_size=2), verbose=0)
    with pytest.raises(ValueError, match="`labels` must be of bad, good"):
        model.loader(["a"], ["x"])
