"""`Seq2SeqLM` of pictures: what it reads, how it decodes, what it refuses."""

import keras
import numpy as np
import PIL.Image
import pytest

from keras_genai import from_preset
from keras_genai.data import tokenizers
from keras_genai.evaluation.picture_attention_plot import (
    draw_picture_attention,
    plot_picture_attention,
)
from keras_genai.modalities import Image, Text
from keras_genai.networks.recurrent_captioner import RecurrentCaptioner
from keras_genai.networks.recurrent_encoder_decoder import RecurrentEncoderDecoder
from keras_genai.networks.vision_encoder_decoder import VisionEncoderDecoder
from keras_genai.samplers import Beam, Greedy
from keras_genai.samplers.settings import GenerationSettings
from keras_genai.tasks.seq2seq import Seq2SeqLM

SIDE, CHANNELS = 12, 3  # below the shortest length that other sources are padded to
TOKENS = tokenizers.wordpiece(["red blue green"] * 3, 40, lowercase=True)
COLOURS = {"red": (1, 0, 0), "green": (0, 1, 0), "blue": (0, 0, 1)}
CONVOLVED = {"widths": (4, 8), "blocks": 1, "dropout": 0.0}
NETWORKS = {
    "recurrent": lambda: RecurrentCaptioner(embedding_dim=8, units=8, **CONVOLVED),
    "transformer": lambda: VisionEncoderDecoder(
        context=8, encoder_depth=1, decoder_depth=1, width=8, num_heads=2, **CONVOLVED
    ),
}


def plain(colour):
    return np.full((SIDE, SIDE, CHANNELS), COLOURS[colour], "float32")


def noise(count):
    shape = count, SIDE, SIDE, CHANNELS
    return np.random.default_rng(0).random(shape, "float32")


def fresh(name):
    return Seq2SeqLM(
        NETWORKS[name](),
        Text(TOKENS, length=4),
        Image((SIDE, SIDE, CHANNELS)),
        generation=GenerationSettings(max_length=6),
    )


def made(name):
    keras.utils.set_random_seed(1)  # some weights say the same of all pictures
    model = fresh(name)
    draws = np.random.default_rng(1)
    for weight in model.trainable_variables:  # fresh ones look little at pictures
        weight.assign_add(draws.normal(0, 0.5, weight.shape))
    return model


@pytest.fixture(scope="module", params=NETWORKS)
def model(request):
    return made(request.param)


@pytest.mark.slow
def test_captions_are_the_same_in_any_company(model, eager):
    pictures = noise(3)
    together = model.caption(pictures)
    assert len({*together}) > 1
    assert together == model.caption(list(pictures), batch_size=2)
    assert together[2] == model.caption(pictures[2])
    beams = model.caption(pictures[:2], Beam(2), max_length=4)
    assert beams[1] == model.caption(pictures[1], Beam(2), max_length=4)


def test_greedy_decoding_takes_the_likeliest_token_of_the_whole_forward_pass(
    model, eager
):
    settings = GenerationSettings(decoder_start_token=TOKENS.start_token, end_tokens=())
    text = Text(vocabulary_size=TOKENS.vocabulary_size)
    writer = Seq2SeqLM(model.network, text, model.given, generation=settings)
    picture = noise(1)
    (found,) = writer.generate(picture, sampler=Greedy(), max_length=6)
    assert found.shape == (5,)
    batch = {
        "inputs": picture,
        "inputs_mask": np.ones((1, SIDE), bool),
        "targets": np.array([[TOKENS.start_token, *found[:-1]]]),
    }
    best = np.asarray(writer(batch))[0].argmax(axis=-1)
    assert best.tolist() == found.tolist()


def test_what_stands_later_changes_nothing_before(model):
    tokens = np.array([[2, 5, 6, 7], [2, 5, 6, 4]], "int32")
    picture = noise(1).repeat(2, axis=0)
    mask = np.ones((2, SIDE), bool)
    batch = {"inputs": picture, "inputs_mask": mask, "targets": tokens}
    logits = np.asarray(model(batch))
    np.testing.assert_allclose(logits[0, :3], logits[1, :3], atol=1e-5)
    assert np.abs(logits[0, 3] - logits[1, 3]).max() > 1e-4


def test_files_arrays_and_pictures_of_pil_say_the_same(model, tmp_path, eager):
    pixels = (255 * noise(1)[0]).round().astype("uint8")
    large = PIL.Image.fromarray(pixels.repeat(3, axis=0).repeat(3, axis=1))
    path = tmp_path / "large.png"
    large.save(path)
    caption = model.caption(pixels)
    assert isinstance(caption, str)
    assert model.caption(path) == model.caption(str(path)) == caption
    assert model.caption(large) == caption
    assert model.caption([path, pixels, large]) == [caption] * 3
    assert model.generate([path]) == [caption]


def test_what_is_transparent_is_white(model, tmp_path, eager):
    clear = np.zeros((SIDE, SIDE, 4), "uint8")
    white = np.ones((SIDE, SIDE, 3), "float32")
    picture = PIL.Image.fromarray(clear)
    picture.save(tmp_path / "clear.png")
    found = model.caption([picture, tmp_path / "clear.png", white])
    assert len({*found}) == 1


@pytest.mark.slow
def test_a_captioner_learns_colours_from_pairs_and_comes_back(tmp_path):
    keras.utils.set_random_seed(0)
    model = fresh("recurrent")
    pairs = [(plain(colour), colour) for colour in COLOURS]
    loader = model.loader(pairs, batch_size=3)
    features, labels, weights = next(iter(loader))
    assert features["inputs"].shape == (3, SIDE, SIDE, CHANNELS)
    assert features["inputs_mask"].numpy().all()
    # The end stands behind the word, whatever texts of the data are padded to.
    for row, weight in zip(labels.numpy(), weights.numpy(), strict=True):
        assert row[weight > 0][-1] == TOKENS.end_token
        assert 0 not in row[weight > 0]
    model.compile("adam", jit_compile=False)
    model.optimizer.learning_rate = 0.02
    history = model.fit(
        loader.dataset(), steps_per_epoch=50, epochs=3, verbose=0
    ).history["loss"]
    assert history[-1] < 0.05 < history[0]
    model.save_to_preset(tmp_path / "preset")
    loaded = from_preset(tmp_path / "preset")
    assert loaded.verbs == ("caption",)
    images = [plain(colour) for colour in COLOURS]
    assert loaded.caption(images) == [*COLOURS]


def test_where_a_captioner_looked_is_drawn(eager):
    model = made("recurrent")
    assert plot_picture_attention(model, noise(2)).startswith(b"\x89PNG")
    said = plot_picture_attention(model, noise(1), ["red"])
    assert said != plot_picture_attention(model, noise(1), ["blue"])
    told = 2 * noise(1) - 1
    weights = model.network.attention_weights(told, np.array([[2, 5]]))
    rows, columns = model.network.grid
    assert weights.shape == (1, 2, rows * columns) == (1, 2, 9)
    np.testing.assert_allclose(weights.sum(axis=-1), 1, rtol=1e-5)
    with pytest.raises(ValueError, match=r"1 pictures with \[2\] words"):
        draw_picture_attention([(noise(1)[0], weights[0, :1], ["a", "b"])])


def test_what_does_not_fit_is_refused(model, tmp_path):
    with pytest.raises(ValueError, match="`given` must be sounds to transcribe"):
        model.transcribe("a.wav")
    reader = Seq2SeqLM(RecurrentEncoderDecoder(embedding_dim=4, units=4), Text(TOKENS))
    with pytest.raises(ValueError, match=r"must be an Image for captions.*: Text"):
        reader.caption(noise(1))
    with pytest.raises(ValueError, match="`pictures` must be at least one"):
        model.caption([])
    with pytest.raises(ValueError, match=r"`pictures` must be \(batch, 12, 12, 3\)"):
        model.caption(np.zeros((SIDE, SIDE, 1), "float32"))
    path = tmp_path / "none.png"
    with pytest.raises(OSError, match=r"`pictures` cannot be read: .*none\.png"):
        model.caption(path)
    with pytest.raises(ValueError, match="`units` must be 8, those of `widths`"):
        RecurrentCaptioner(
            image_shape=(8, 8, 1),
            vocabulary_size=5,
            widths=(4, 8),
            units=6,
            attention="dot",
        )
    assert "transcribe" not in model.verbs
