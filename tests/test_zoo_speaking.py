"""Voices of the zoo: how one sees what they say, and how a vocoder is scored."""

import types

import numpy as np
import pytest

import zoo
from keras_genai.files.wav import encode_wav, read_wav
from keras_genai.tasks.text_to_speech import TextToSpeech
from keras_genai.tasks.waveform import WaveformModel
from zoo import __main__ as command
from zoo import _speech, _vocoder


@pytest.mark.slow
def test_what_is_said_can_be_looked_at(tmp_path, capsys):
    entry = zoo.get("tts_digits")
    preset, out = tmp_path / "preset", tmp_path / "a.wav"
    entry.build(entry.stand_in(), **entry.tiny).save_to_preset(preset)
    arguments = ["speak", str(preset), "two", "one", "--out", str(out)]
    assert not command.main([*arguments, "--picture", str(tmp_path / "a.png")])
    assert capsys.readouterr().out.endswith(f"seconds in {out}\n")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.slow
def test_many_texts_are_said_with_a_bar(tmp_path, monkeypatch, capsys):
    entry = zoo.get("tts_digits")
    preset, out = tmp_path / "preset", tmp_path / "a.wav"
    entry.build(entry.stand_in(), **entry.tiny).save_to_preset(preset)
    monkeypatch.setattr("keras_genai.tasks.text_to_speech.AT_ONCE", 1)
    frames = np.full((1, 1), 9)
    monkeypatch.setattr(TextToSpeech, "_durations", lambda *_: frames)
    quiet = [np.full((9, 40), -9.5, "float32")]
    monkeypatch.setattr(TextToSpeech, "_drawn", lambda *_: quiet)
    bars = []

    def watched(rounds, unit, shown=None):
        bars.append((len(rounds), unit, shown))
        return rounds

    monkeypatch.setattr("keras_genai.tasks.text_to_speech.watched", watched)
    monkeypatch.setattr("keras_genai.progress.watched", watched)
    command.main(["speak", str(preset), "two", "one", "six", "--out", str(out)])
    assert bars == [(3, "batch", None), (3, "text", None)]
    bars.clear()
    command.main(["speak", str(preset), "two", "--out", str(out)])
    assert bars == [(1, "batch", False), (1, "text", False)]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--out", "song.mp3"], "`--out` must end with .wav"),
        (["--out", "notes.txt"], "`--out` must end with .wav"),
        (["--out", ""], "`--out` must be a path"),
        (["--picture", "speech.wav"], "`--picture` must end with .png"),
        (["--picture", ""], "`--picture` must be a path"),
    ],
)
def test_no_other_file_is_lost_to_what_is_said(
    arguments, message, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    for name in ("notes.txt", "notes.wav", "speech.wav"):
        (tmp_path / name).write_text("precious")
    assert command.main(["speak", "tts_digits", "one", *arguments]) == 2
    assert message in capsys.readouterr().err
    kept = {path.name: path.read_text() for path in tmp_path.iterdir()}
    assert kept == dict.fromkeys(("notes.txt", "notes.wav", "speech.wav"), "precious")


def test_a_folder_that_cannot_be_written_is_told_first(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("os.access", lambda *_: False)  # who is root may write anywhere
    out = ["--out", str(tmp_path / "a.wav")]
    assert command.main(["speak", "no_such_voice", "one", *out]) == 2
    assert "in a folder that you may write to" in capsys.readouterr().err


@pytest.mark.slow
def test_digits_and_capitals_are_spoken_as_words(tmp_path, monkeypatch):
    entry = zoo.get("tts_digits")
    preset, said = tmp_path / "tts_digits", []
    model = entry.build(entry.stand_in(), **entry.tiny)
    model.save_to_preset(preset)
    generate = type(model).generate

    def listen(model, texts, *rest, **options):
        said.extend(texts)
        return generate(model, texts, *rest, **options)

    monkeypatch.setattr(type(model), "generate", listen)
    texts = ["Four two, Seven.", "42", "one", "0 nine!"]
    out = str(tmp_path / "a.wav")
    command.main(["speak", "tts_digits", "--preset", str(preset), *texts, "--out", out])
    assert said == ["four two seven", "four two", "one", "zero nine"]


@pytest.mark.slow
def test_a_vocoder_makes_the_users_recordings_anew(tmp_path, monkeypatch, capsys):
    entry = zoo.get("vocoder_digits")
    preset, out = tmp_path / "vocoder_digits", tmp_path / "again.wav"
    entry.build(**entry.tiny).save_to_preset(preset)
    waves = np.random.default_rng(0).uniform(-0.5, 0.5, (15, 800)).astype("float32")
    for take, wave in enumerate(waves):  # 0 to 4 test, 5 to 7 validate
        path = tmp_path / "fsdd" / f"3_ann_{take}.wav"
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(encode_wav(wave, 8_000))
    told = []

    def generate(model, mels, seed):
        told.extend(mels)
        return np.full((len(mels), 80 * len(mels[0])), 0.25)

    monkeypatch.setattr(WaveformModel, "generate", generate)
    arguments = ["vocoder_digits", "--preset", str(preset), "--count", "2"]
    data = ["--data-dir", str(tmp_path), "--out", str(out)]
    assert not command.main(["sample", *arguments, *data]), capsys.readouterr()
    assert capsys.readouterr().out == f"2 sounds in {out}\n"
    for mel, wanted in zip(told, _vocoder.MEL.read([*waves[:2]]), strict=True):
        np.testing.assert_allclose(mel, wanted, atol=0.02)  # of 16 bits
    assert read_wav(out)[0].max() == 0.25


class Echo:
    """A vocoder that makes noise of any spectrogram, as long as that is."""

    given = (_vocoder.MEL,)

    def generate(self, mels, seed):
        longest = max(len(mel) for mel in mels)
        return np.random.default_rng(seed).normal(0, 0.1, (len(mels), 80 * longest))

    def score(self, waves):
        return np.array([len(wave) == len(waves[0]) for wave in waves], "float32")


def silence_of(settings, mels):
    return np.zeros((1, settings.hop * mels.shape[1]))


def test_a_vocoder_is_scored_beside_griffin_lim_and_another_sound(monkeypatch):
    monkeypatch.setattr(_vocoder, "griffin_lim", silence_of)
    part = zoo.get("vocoder_digits").stand_in().test
    few = {name: rows[:3] for name, rows in part.items()}
    few["samples"] = np.array([620, 600, 620])  # of as many frames
    found = _vocoder.score(Echo(), types.SimpleNamespace(test=few))
    assert next(iter(found)) == "log_mel_distance"
    waves = _speech.spoken(few)
    silences = [0 * wave for wave in waves]
    expected = {
        "_griffin_lim": _vocoder.distance(silences, waves),
        "_other": _vocoder.distance([*waves[1:], waves[0]], waves),
        "": _vocoder.distance(
            _vocoder.revoiced(Echo(), _vocoder.MEL.read(waves)), waves
        ),
    }
    for name, value in expected.items():
        assert found[f"log_mel_distance{name}"] == pytest.approx(value)
    counts = few["samples"]
    share = counts[counts == counts[0]].sum() / counts.sum()
    assert found["test_nats_per_sample"] == pytest.approx(share)


def test_what_is_made_anew_keeps_its_place_and_its_length():
    mels = [np.full((count, 40), -5.0, "float32") for count in (5, 2, 9)]
    found = _vocoder.revoiced(Echo(), mels)
    assert [len(wave) for wave in found] == [400, 160, 720]
    wave = np.random.default_rng(0).normal(0, 0.1, 900).astype("float32")
    assert _vocoder.distance([wave, wave[:0]], [wave, 0 * wave]) == 0
    assert _vocoder.distance([wave / np.e], [wave]) == pytest.approx(2, abs=0.2)
