"""Recordings of one's own: learned, listened to and spoken by entries of digits."""

import types

import numpy as np
import pytest
import toy_recordings
from toy_listener import Perfect

import train
import zoo
from keras_genai.data import transcripts
from zoo import _speaking, _speech
from zoo._settings import Settings, read_overrides

SMALL = {
    "ctc_digits": ("filters=6", "units=4", "num_layers=1"),
    "asr_digits": ("decoder_depth=1", "width=8", "num_heads=2", "num_layers=1"),
    "tts_digits": ("width=8", "decoder_width=8", "decoder_depth=1", "depth=1"),
}
FIGURES = {
    "ctc_digits": "word_error_rate_ann: ",
    "asr_digits": "character_error_rate: ",
    "tts_digits": "duration: ",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["ctc_digits", "asr_digits", "tts_digits"])
def test_recordings_of_ones_own_are_learned_on_the_command_line(
    name, tmp_path, monkeypatch, capsys
):
    monkeypatch.chdir(tmp_path)
    folder = toy_recordings.write(tmp_path / "own")
    command = [name, "--data", f"folder:{folder}", "--steps", "1"]
    sets = [word for pair in SMALL[name] for word in ("--set", pair)]
    assert train.main([*command, "--batch-size", "2", *sets]) == 0
    said = capsys.readouterr()
    assert f"{name} on own" in said.out
    assert FIGURES[name] in said.out
    assert "digit_accuracy" not in said.out
    files = [path.name for path in (tmp_path / "runs" / name / "preset").iterdir()]
    assert "model.safetensors" in files


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The data of a folder of one's own, as the entry that speaks reads it."""
    folder = toy_recordings.write(tmp_path_factory.mktemp("own"))
    return Settings.of(
        zoo.get("tts_digits"), data=f"folder:{folder}", batch_size=2
    ).splits()


def test_scores_of_recordings_of_ones_own_are_of_their_words_and_letters(own):
    truth = own.test["texts"].tolist()
    found = _speech.score(Perfect(truth), own)
    speakers = [f"word_error_rate_{name}" for name in ("ann", "bob")]
    several = {name for name in speakers if name in found}
    assert several
    assert found.keys() - several == {
        "word_error_rate",
        "string_accuracy",
        "character_error_rate",
        "shuffled_word_error_rate",
    }
    assert found["word_error_rate"] == found["character_error_rate"] == 0


def test_a_model_has_room_for_the_longest_text_of_its_data(own):
    entry = zoo.get("asr_digits")
    digits = entry.fits(entry.config, entry.stand_in())
    assert digits == {key: entry.config[key] for key in digits}
    model = entry.build(own, **entry.tiny)
    longest = len("so be it")
    assert model.context == model.generation.max_length == longest + 2
    assert model.generation.num_beams == entry.config["generation"].num_beams


def test_a_voice_of_ones_own_is_measured_unless_that_is_said(own):
    entry = zoo.get("tts_digits")
    assert entry.fits(entry.config, entry.stand_in()) == {}
    found = entry.fits(entry.config, own)
    waves = _speech.spoken(own.held_out)
    every = np.concatenate(_speaking.SPEECH.read(waves))
    assert found["mean"] == pytest.approx(every.mean(), abs=0.06)
    assert found["deviation"] == pytest.approx(every.std(), abs=0.06)
    assert entry.fits({**entry.config, "mean": 0.0}, own) == {}


class Voice:
    """Says anything as the same noise, and remembers what it was told."""

    given = (None, None)
    target = types.SimpleNamespace(read=list, heard=lambda mel: mel)

    def speak(self, texts, speakers, seed=0):
        self.texts, self.speakers = texts, speakers
        return [np.zeros(800, "float32") for _ in texts]

    def evaluate(self, epoch, **settings):
        return dict.fromkeys(("prior", "duration", "flow"), 0.5)


def test_a_voice_of_ones_own_is_heard_by_who_has_learned_the_same(
    own, monkeypatch, capsys
):
    truth = own.test["texts"].tolist()
    listener = Perfect(truth, truth, truth)
    listener.tokenizer, listener.given = own.tokenizer, (_speech.MEL,)
    monkeypatch.setattr(_speaking._places, "taken", lambda name: "here")
    monkeypatch.setattr(_speaking, "from_preset", lambda place: listener)
    voice = Voice()
    found = _speaking.score(voice, own)
    assert next(iter(found)) == "words_heard"
    assert (voice.texts, voice.speakers.tolist()) == (
        truth,
        own.test["speakers"].tolist(),
    )
    real = ("words_heard", "words_heard_real", "words_heard_griffin_lim")
    assert [found[name] for name in real] == [1, 1, 1]
    listener.tokenizer = transcripts.letter_tokenizer(["one"])
    assert _speaking.score(voice, own).keys() == {"prior", "duration", "flow"}
    assert "was not trained on these recordings" in capsys.readouterr().err


def test_a_voice_of_ones_own_says_the_shortest_texts_of_the_test(own, monkeypatch):
    voice = Voice()
    monkeypatch.setattr(_speaking, "speakers_of", lambda model, count: [0] * count)
    _speaking.speak(voice, 0, source=lambda **_: own)
    assert sorted(map(len, own.test["texts"].tolist())) == list(map(len, voice.texts))
    assert {*voice.texts} <= {*own.test["texts"].tolist()}
    _speaking.speak(voice, 0)
    assert tuple(voice.texts) == _speaking.SHOWN


def test_a_limit_of_ones_own_recordings_may_be_set(tmp_path):
    folder = toy_recordings.write(tmp_path)
    entry, data = zoo.get("ctc_digits"), f"folder:{folder}"
    found = read_overrides(entry, ["letters=7"], data)
    assert found["source_overrides"] == {"letters": 7}
    with pytest.warns(UserWarning, match="5 of more than 7 letters"):
        splits = Settings.of(entry, data=data, batch_size=2, **found).splits()
    assert splits.kind("tokens").length == 7
    with pytest.raises(ValueError, match="`--set` must be one of"):
        read_overrides(entry, ["letters=7"])
