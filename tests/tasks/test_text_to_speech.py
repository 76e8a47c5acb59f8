"""TextToSpeech: what it learns of made-up voices, and what it says."""

import re

import keras
import numpy as np
import pytest

from keras_genai.data import tokenizers
from keras_genai.modalities.speaker import Speaker
from keras_genai.modalities.speech import Speech
from keras_genai.modalities.text import Label, Text
from keras_genai.networks.matcha import Matcha
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


def batch(model, texts, mels, speakers=None):
    more = {} if speakers is None else {"speakers": speakers}
    tokens = model.given[0].read(texts)
    return {"tokens": tokens, **model.target.batch(mels), **more}


def test_rows_are_the_same_in_any_company():
    model = built(voices=(Speaker(2),))
    texts, mels = sounds(3)
    speakers = np.array([0, 1, 1], "int32")
    whole = batch(model, texts, mels, speakers)
    wider = {**whole, "mels": np.pad(whole["mels"], [(0, 0), (0, 7), (0, 0)])}
    found = [model(each) for each in (whole, wider)]
    for key in ("prior", "duration"):
        np.testing.assert_allclose(found[0][key], found[1][key], rtol=1e-5)
    together = model.generate(texts, speakers)
    alone = model.generate(texts[:1], speakers[:1])
    np.testing.assert_allclose(together[0], alone[0], atol=1e-4)


@pytest.mark.slow
def test_it_learns_which_frames_a_letter_has_and_how_they_sound():
    keras.utils.set_random_seed(0)
    model = built()
    model.compile("adam", jit_compile=False)
    model.optimizer.learning_rate = 1e-2
    texts, mels = sounds(64)
    data = batch(model, texts, mels)
    model.fit(data, batch_size=16, epochs=120, verbose=0)
    ways = model.align(data)
    right = []
    for text, way, mel in zip(texts, ways, mels, strict=True):
        letters = np.repeat(np.arange(len(text)), [FRAMES[x] for x in text])
        right.append(np.abs(way[: len(mel)] / 2 - 0.5 - letters) <= 0.5)
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
        (dict(speed=0), "`speed` must be above 0"),
        (dict(steps=0), "`steps` must be an int >= 1"),
        (dict(temperature=-1), "`temperature` must be at least 0"),
        (dict(speakers=1), "`speakers` must be `None` for a model of one voice"),
    ],
)
def test_wrong_arguments_are_named(options, message):
    with pytest.raises((TypeError, ValueError), match=message):
        built().generate("ab", **options)


def test_a_text_is_needed_and_its_length():
    with pytest.raises(ValueError, match="`given` must be a Text, or a Text and"):
        TextToSpeech(Matcha(), Speech(**MEL), Label(2))
    with pytest.raises(ValueError, match="`given` must be texts of one length"):
        TextToSpeech(
            Matcha(),
            Speech(**MEL),
            Text(tokenizers.characters(["\0ab"], pad_token="\0")),
        )
