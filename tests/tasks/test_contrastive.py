"""Which text belongs to which picture, as CLIP learns it."""

import math

import keras
import numpy as np
import PIL.Image
import pytest
import tensorflow as tf

from keras_genai import from_preset
from keras_genai.data import tokenizers
from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Label, Text
from keras_genai.networks.bert import BERT
from keras_genai.networks.gpt import GPT
from keras_genai.networks.residual_encoder import ResidualEncoder
from keras_genai.networks.vit import ViT
from keras_genai.tasks.contrastive import LARGEST, START, Contrastive
from keras_genai.tasks.in_batch import shares

SIDE, LENGTH = 8, 6
COLOURS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1), "white": (1, 1, 1)}
SHADES = {"dark": 0.4, "bright": 1.0}
TEXTS = [f"{shade} {colour}" for colour in COLOURS for shade in SHADES]
PICTURES = np.array(
    [
        np.full((SIDE, SIDE, 3), light * np.array(colour))
        for colour in COLOURS.values()
        for light in SHADES.values()
    ],
    "float32",
)
TOKENIZER = tokenizers.wordpiece(TEXTS, 60, lowercase=True)
TEXT = Text(TOKENIZER, length=LENGTH)


def made(seed=0, given=None, image_encoder=None, **settings):
    keras.utils.set_random_seed(seed)
    model = Contrastive(
        image_encoder or ViT(depth=1, width=16, num_heads=2),
        GPT(depth=1, width=16, num_heads=2),
        Image((SIDE, SIDE, 3)),
        given or TEXT,
        embedding_size=8,
        **settings,
    )
    model.jit_generate = False  # compiling takes longer than all of this
    return model


@pytest.fixture(scope="module")
def learned():
    model = made(image_encoder=ResidualEncoder(widths=(8, 16)))
    model.compile(keras.optimizers.Adam(0.003), jit_compile=False)
    data = tf.data.Dataset.from_tensor_slices(batch_of(model)).batch(8)
    model.fit(data.repeat(80), verbose=0)
    return model


def expected_loss(model, batch):
    """Figure 3 of the paper in NumPy, for texts that all differ."""
    found = model(batch)
    logits = model.scale * np.array(found["images"]) @ np.array(found["texts"]).T
    rows = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    columns = logits - np.log(np.exp(logits).sum(axis=0, keepdims=True))
    return -(np.diag(rows).mean() + np.diag(columns).mean()) / 2


def batch_of(model, texts=TEXTS, pictures=PICTURES):
    return {"images": pictures, "tokens": model.tokens(texts)}


def loss_of(model, batch):
    model.compile(run_eagerly=True)
    return model.evaluate(batch, batch_size=len(batch["images"]), verbose=0)[0]


def test_the_loss_is_that_of_the_paper():
    model = made()
    batch = batch_of(model)
    assert loss_of(model, batch) == pytest.approx(expected_loss(model, batch), rel=1e-5)


def test_whoever_knows_nothing_loses_the_logarithm_of_the_batch():
    model = made()
    batch = batch_of(model)
    # About that in the beginning, exactly that if all pictures look alike.
    assert loss_of(model, batch) == pytest.approx(math.log(8), abs=0.2)
    same = {**batch, "images": np.repeat(PICTURES[:1], 8, axis=0)}
    same["tokens"] = np.repeat(batch["tokens"][:1], 8, axis=0)
    assert loss_of(model, same) == pytest.approx(math.log(8), abs=1e-5)


def test_equal_texts_are_all_right_with_the_same_share():
    tokens = np.array([[3, 4, 0], [5, 0, 0], [3, 4, 0]], "int32")
    found = shares(tokens, tokens)
    expected = [[0.5, 0, 0.5], [0, 1, 0], [0.5, 0, 0.5]]
    np.testing.assert_array_equal(found, np.array(expected, "float32"))


@pytest.mark.slow
def test_a_second_picture_of_a_text_is_no_wrong_answer():
    model = made()
    batch = batch_of(model, TEXTS + TEXTS, np.concatenate([PICTURES, PICTURES]))
    # Each answer is there twice, of which either is right, so one bit more is asked.
    once = loss_of(model, batch_of(model))
    assert loss_of(model, batch) == pytest.approx(once + math.log(2), rel=1e-5)


def test_the_temperature_starts_as_in_the_paper_and_is_bounded():
    model = made()
    assert float(model.log_scale) == pytest.approx(math.log(1 / 0.07))
    model.log_scale.assign(LARGEST + 1)
    model.compile(keras.optimizers.SGD(1e-6), run_eagerly=True)
    model.fit(batch_of(model), batch_size=8, verbose=0)
    assert model.scale == pytest.approx(100, rel=1e-5)


@pytest.mark.slow
@pytest.mark.xdist_group("contrastive")  # one process learns for all
def test_pictures_and_texts_are_learned(learned):
    model = learned
    data = model.loader(PICTURES, TEXTS, batch_size=8, shuffle=False)
    assert model.evaluate(data, verbose=0, return_dict=True)["accuracy"] == 1
    assert loss_of(model, batch_of(model)) < 0.1
    found = model.rank(TEXTS, PICTURES, k=3)
    assert found.places.shape == found.scores.shape == (8, 3)
    np.testing.assert_array_equal(found.places[:, 0], np.arange(8))
    assert np.all(np.diff(found.scores, axis=1) <= 0)
    assert model.scale != pytest.approx(math.exp(START), abs=1e-3)


@pytest.mark.xdist_group("contrastive")  # one process learns for all
def test_a_single_text_is_ranked_without_an_axis(learned):
    model = learned
    one, all_ = model.rank("dark green", PICTURES, k=20), model.rank(TEXTS, PICTURES, 8)
    np.testing.assert_array_equal(one.places, all_.places[2])
    assert one.scores.shape == (8,)


@pytest.mark.xdist_group("contrastive")  # one process learns for all
def test_similarity_is_the_cosine_of_vectors_of_length_one(learned):
    model = learned
    images, texts = model.embed_images(PICTURES), model.embed_texts(TEXTS[:3])
    for vectors in (images, texts):
        assert vectors.dtype == "float32"
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, rtol=1e-5)
    found = model.similarity(PICTURES, TEXTS[:3])
    assert found.dtype == "float32"
    assert found.shape == (8, 3)
    np.testing.assert_allclose(found, images @ texts.T, rtol=1e-6)
    # Whoever comes along changes nothing.
    few = model.similarity(PICTURES[:1], TEXTS[2])
    np.testing.assert_allclose(few, found[:1, 2:3], atol=1e-6)


@pytest.mark.xdist_group("contrastive")  # one process learns for all
def test_classes_that_were_never_named_get_probabilities(learned):
    model = learned
    found = model.classify(PICTURES, TEXTS)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(found.argmax(axis=1), np.arange(8))


@pytest.mark.xdist_group("contrastive")  # one process learns for all
def test_pictures_come_as_arrays_files_and_of_any_size(learned, tmp_path):
    model = learned
    whole = np.zeros((32, 64, 3), "uint8")
    whole[:, 16:48] = (PICTURES[3][0, 0] * 255).astype("uint8")  # the middle square
    paths = [tmp_path / "a.png", tmp_path / "b.png"]
    PIL.Image.fromarray(whole).save(paths[0])
    PIL.Image.fromarray(whole.transpose(1, 0, 2)).save(paths[1])
    expected = model.embed_images(PICTURES[3])
    for given in (str(paths[0]), paths, PIL.Image.fromarray(whole)):
        found = model.embed_images(given)
        np.testing.assert_allclose(found, np.repeat(expected, len(found), 0), atol=0.2)
    found = model.embed_images((PICTURES[3] * 255).astype("uint8"))
    np.testing.assert_allclose(found, expected, atol=0.01)


@pytest.mark.xdist_group("contrastive")  # one process learns for all
def test_a_preset_has_all_that_it_needs(learned, tmp_path):
    model = learned
    model.save_to_preset(tmp_path / "preset")
    again = from_preset(tmp_path / "preset")
    again.jit_generate = False
    expected = model.similarity(PICTURES, TEXTS)
    np.testing.assert_array_equal(again.similarity(PICTURES, TEXTS), expected)


@pytest.mark.parametrize("encoder", [BERT, GPT])
def test_padding_says_nothing(encoder):
    keras.utils.set_random_seed(0)
    model = Contrastive(
        ResidualEncoder(widths=(4, 8)),
        encoder(context=9, depth=1, width=8, num_heads=2),
        Image((SIDE, SIDE, 3)),
        Text(TOKENIZER),
        embedding_size=4,
    )
    tokens = np.array([[3, 4, 0]], "int32")
    longer = np.array([[3, 4, 0, 0, 5]], "int32")
    found = [np.array(model.text_vectors(each)) for each in (tokens, longer)]
    np.testing.assert_allclose(*found, atol=1e-6)
    assert not np.allclose(found[0], model.text_vectors(tokens[:, ::-1]), atol=1e-3)


def test_a_text_of_any_length_is_cut_to_the_context():
    keras.utils.set_random_seed(0)
    model = Contrastive(
        ResidualEncoder(widths=(4, 8)),
        GPT(context=20, depth=1, width=8, num_heads=2),
        Image((SIDE, SIDE, 3)),
        Text(TOKENIZER),
        embedding_size=4,
    )
    assert model.tokens("dark red").shape == (1, 16)
    assert model.tokens(["dark red " * 30, "red"]).shape == (2, 20)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"given": (TEXT, Label(3))}, "`given` must be one Text"),
        ({"mean": (0.1, 0.2)}, "`mean` must be one finite float, or one for each of 3"),
        ({"deviation": (0.0,)}, "`deviation` must be one finite float above 0"),
        ({"end_token": 1_000}, "`end_token` must be below"),
    ],
)
def test_what_does_not_fit_is_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        made(**settings)


def test_what_nobody_can_answer_is_refused():
    model = made()
    with pytest.raises(ValueError, match="at least one text"):
        model.embed_texts([])
    with pytest.raises(ValueError, match="at most 6 tokens"):
        model.embed_texts("dark red " * 9)
    with pytest.raises(ValueError, match="`texts` must be as many"):
        model.loader(PICTURES, TEXTS[:2])
    with pytest.raises(ValueError, match="`k` must be an int >= 1"):
        model.rank(TEXTS, PICTURES, k=0)
    model.compile()
    with pytest.raises(ValueError, match="learns from a batch as a whole"):
        model.fit(batch_of(model), sample_weight=np.ones(8))
