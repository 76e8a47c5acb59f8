"""TextToSpeech: what it learns of made-up voices, and what it says."""

import re

import keras
import numpy as np
import pytest

from keras_genai.data import tokenizers
from keras_genai.evaluation import alignment_plot
from keras_genai.evaluation.alignment_plot import draw_alignments
from keras_genai.modalities.speaker import Speaker
from keras_genai.modalities.speech import Speech
from keras_genai.modalities.text import Label, Text
from keras_genai.networks.matcha import Matcha
from keras_genai.tasks import text_to_speech
from keras_genai.tasks.text_to_speech import TextToSpeech

BANDS, LENGTH = 6, 8
MEL = dict(rate=2_000, window=64, hop=32, bands=BANDS)
FRAMES = {"a": 5, "b": 8, "c": 3}  # of each letter


def sounds(count, seed=0):
    """Texts, and spectrograms in which each letter is loud in a band of its own."""
    draws = np.random.default_rng(seed)
    texts, mels = [], []
    for _ in range(count):
        letters = draws.choice(list(FRAMES), draws.integers(2, 5))
        bands = [(ord(x) - 97) for x in letters for _ in range(FRAMES[x])]
        mel = np.eye(BANDS, dtype="float32")[bands] * 4 - 1
        mels.append(mel + 0.1 * draws.standard_normal(mel.shape).astype("float32"))
        texts.append("".join(letters))
    return texts, mels


def built(**fields):
    tokenizer = tokenizers.characters(["\0abc"], pad_token="\0")
    network = Matcha(depth=1, width=16, decoder_depth=2, decoder_width=16, dropout=0.0)
    given = (Text(tokenizer, length=LENGTH), *fields.pop("voices", ()))
    return TextToSpeech(network, Speech(**MEL), given, **fields)


@pytest.fixture(scope="module")
def model():
    return built(voices=(Speaker(2, ("ann", "bo")),))


def batch(model, texts, mels, speakers=None):
    more = {} if speakers is None else {"speakers": speakers}
    tokens = model.given[0].read(texts)
    return {"tokens": tokens, **model.target.batch(mels), **more}


def test_rows_are_the_same_in_any_company(model, eager):
    texts, mels = sounds(3)
    speakers = np.array([0, 1, 1], "int32")
    whole = batch(model, texts, mels, speakers)
    wider = {**whole, "mels": np.pad(whole["mels"], [(0, 0), (0, 7), (0, 0)])}
    found = [model(each) for each in (whole, wider)]
    for key in ("prior", "duration"):
        np.testing.assert_allclose(found[0][key], found[1][key], rtol=1e-5)
    together = model.generate(texts, speakers, steps=2)
    alone = model.generate(texts[:1], speakers[:1], steps=2)
    np.testing.assert_allclose(together[0], alone[0], atol=1e-4)


@pytest.mark.slow
def test_many_texts_are_said_a_few_at_a_time(model, monkeypatch):
    texts, _ = sounds(5)
    together = model.generate(texts, "bo", steps=1, seed=3)
    monkeypatch.setattr(text_to_speech, "AT_ONCE", 2)
    most, drawn = [], model._drawn
    monkeypatch.setattr(model, "_drawn", lambda *a: most.append(len(a[0])) or drawn(*a))
    apart = model.generate(texts, "bo", steps=1, seed=3)
    assert most == [2, 2, 1]
    for one, other in zip(apart, together, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
    # One that is too long is refused before any other is drawn.
    longest = max(map(len, together))
    monkeypatch.setattr(text_to_speech, "MOST_FRAMES", longest - 1)
    with pytest.raises(ValueError, match=f"one that takes {longest}"):
        model.generate(texts, "bo", steps=1, seed=3)
    assert most == [2, 2, 1]


def test_nothing_of_a_text_may_stand_for_nothing(model):
    with pytest.raises(ValueError, match=r"`prompts` must be without '.x00'"):
        model.generate(["ab", "a\0b"])


def test_an_alignment_goes_through_all_symbols_of_each_text_in_order(model):
    texts, mels = sounds(3)
    ways = model.alignment(texts, mels, ["bo", "ann", "bo"])
    for text, mel, way in zip(texts, mels, ways, strict=True):
        assert way.shape == (len(mel),)
        assert set(np.diff(way)) <= {0, 1}
        assert (way[0], way[-1]) == (0, 2 * len(text))
    alone = model.alignment(texts[1], mels[1:2], "ann")[0]
    np.testing.assert_array_equal(alone, ways[1])
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 640).astype("float32")
    assert len(model.alignment("ab", wave)[0]) == 640 // 32 + 1
    with pytest.raises(ValueError, match="`sounds` must be one of each text, 2"):
        model.alignment(["a", "b"], mels[:1])


def test_a_picture_has_a_row_of_each_letter_and_names_who_speaks(model, monkeypatch):
    drawn = {}

    def draw(*given):
        names = "ways", "mels", "letters", "titles", "seconds"
        drawn.update(zip(names, given, strict=True))
        return draw_alignments(*given)

    monkeypatch.setattr(alignment_plot, "draw_alignments", draw)
    texts, mels = sounds(2)
    picture = alignment_plot.plot_alignment(model, texts, mels, "bo")
    assert picture.startswith(b"\x89PNG")
    assert drawn["letters"] == [list(text) for text in texts]
    assert drawn["titles"] == [f"\u201c{text}\u201d, bo" for text in texts]
    assert drawn["seconds"] == 32 / 2_000
    monkeypatch.setattr(TextToSpeech, "generate", lambda *given, **more: mels[1:])
    alignment_plot.plot_alignment(model, "cab")
    np.testing.assert_array_equal(drawn["mels"][0], mels[1])
    way = model.alignment("cab", mels[1:])[0]
    np.testing.assert_array_equal(drawn["ways"][0], way)


def test_what_cannot_be_drawn_is_said():
    way, mel = np.zeros(3, "int32"), np.zeros((3, 4))
    for names, frames in (("", 3), ("a" * 81, 3), ("ab", 2)):
        with pytest.raises(ValueError, match="`letters` must be 1 to 80, and `ways`"):
            draw_alignments([way[:frames]], [mel], [list(names)], ["x"], 0.01)


@pytest.mark.slow
def test_it_learns_which_frames_a_letter_has_and_how_they_sound():
    keras.utils.set_random_seed(0)
    model = built()
    model.compile("adam", jit_compile=False)
    model.optimizer.learning_rate = 1e-2
    texts, mels = sounds(64)
    data = batch(model, texts, mels)
    model.fit(data, batch_size=16, epochs=120, verbose=0)
    ways = model.alignment(texts, mels)
    right = []
    for text, way in zip(texts, ways, strict=True):
        letters = np.repeat(np.arange(len(text)), [FRAMES[x] for x in text])
        right.append(np.abs(way / 2 - 0.5 - letters) <= 0.5)
    assert np.concatenate(right).mean() > 0.9
    said = model.generate(["cab", "bc"], temperature=0.0)
    for text, mel in zip(["cab", "bc"], said, strict=True):
        frames = sum(FRAMES[x] for x in text)
        assert abs(len(mel) - frames) <= 3
        heard = "".join(chr(97 + band) for band in mel.argmax(axis=1))
        # The symbol before the first letter may be like any, and a single frame like
        # either of its neighbours.
        runs = [run for run, _ in re.findall(r"((.)\2+)", heard)]
        assert "".join(run[0] for run in runs)[-len(text) :] == text
    slow = model.generate("cab", speed=0.5)[0]
    assert len(slow) > 1.5 * len(said[0])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(speed=0), "`speed` must be from 0.1 to 10"),
        (dict(steps=0), "`steps` must be an int >= 1"),
        (dict(temperature=-1), "`temperature` must be finite, and at least 0"),
        (dict(temperature=np.inf), "`temperature` must be finite, and at least 0"),
        (dict(steps=10**6), "`steps` must be an int >= 1, at most 1000"),
        (dict(speakers=1), "`speakers` must be `None` for a model of one voice"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        built().generate("ab", **options)


@pytest.mark.parametrize(
    "prompts", ["", [], ["ab", ""], np.zeros((1, 4), int), None, 5]
)
def test_what_says_nothing_is_refused(prompts):
    with pytest.raises((TypeError, ValueError), match="`prompts` must be"):
        built().speak(prompts)


def test_a_text_that_would_take_for_ever_is_refused():
    model = built()
    for weight in model.network.weights:
        if weight.name == "bias" and weight.shape == (1,):
            weight.assign([40.0])  # of the logarithms of durations
    with pytest.raises(ValueError, match="must be said in at most 65,536 frames"):
        model.generate("ab")


def test_a_text_is_needed_and_its_length():
    with pytest.raises(ValueError, match="`given` must be a Text, or a Text and"):
        TextToSpeech(Matcha(), Speech(**MEL), Label(2))
    with pytest.raises(ValueError, match="`given` must be texts of one length"):
        TextToSpeech(
            Matcha(),
            Speech(**MEL),
            Text(tokenizers.characters(["\0ab"], pad_token="\0")),
        )
