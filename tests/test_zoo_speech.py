"""Recognisers of the zoo: how they are scored, fed, and asked to transcribe."""

import functools
import pathlib
import types

import numpy as np
import pytest
import tensorflow as tf
import toy_recordings

import train
import zoo
from keras_genai.data import transcripts
from keras_genai.evaluation.translation import bleu
from keras_genai.files.wav import encode_wav
from keras_genai.samplers import GenerationSettings
from keras_genai.tasks.transcription import CTC
from zoo import __main__ as command
from zoo import _speaking, _speech, _speech_translation, _vocoder
from zoo._licences import licence
from zoo._settings import Settings, read_overrides


@pytest.fixture(scope="module")
def splits():
    return zoo.get("ctc_digits").stand_in()


class Perfect:
    """Who understands what it is told beforehand."""

    jit_generate = False

    def __init__(self, *answers):
        self.answers = list(answers)

    def transcribe(self, sounds):
        answers = self.answers.pop(0)
        assert len(answers) == len(sounds)
        return answers


def test_scores_tell_strings_speakers_digits_and_the_control(splits):
    truth = splits.test["texts"].tolist()
    digits = _speech.single(splits.texts["test"])[1]
    wrong = [digits[0], *["one"] * (len(digits) - 1)]
    found = _speech.score(Perfect(truth, wrong), splits)
    assert next(iter(found)) == "word_error_rate"
    assert found["word_error_rate"] == 0
    assert found["string_accuracy"] == 1
    speakers = {name for name in found if name.startswith("word_error_rate_")}
    assert speakers <= {
        "word_error_rate_synthetic_high",
        "word_error_rate_synthetic_low",
    }
    assert speakers
    right = np.mean([a == b for a, b in zip(digits, wrong, strict=True)])
    assert found["digit_accuracy"] == pytest.approx(right)
    assert found["shuffled_word_error_rate"] > 0.5


def test_the_floor_knows_digits_that_it_has_seen(splits):
    test = splits.texts["test"]
    assert _speech.nearest_neighbour(test, test) == 1
    found = _speech.nearest_neighbour(splits.texts["train"], test)
    assert 0.5 < found <= 1


def test_batches_of_a_writer_begin_with_its_start_and_end_with_its_end(splits):
    entry = zoo.get("asr_digits")
    fed = _speech.as_pairs(None, splits, 2, 0)
    tokenizer = splits.tokenizer
    for batch, (inputs, labels, weight) in zip(
        splits.train.take(3), fed.train.take(3), strict=True
    ):
        np.testing.assert_array_equal(inputs["inputs"], batch["mels"])
        counts = tf.reduce_sum(tf.cast(inputs["inputs_mask"], "int32"), axis=1)
        np.testing.assert_array_equal(counts, batch["frames"])
        for row, tokens in enumerate(batch["tokens"].numpy()):
            text = tokens[tokens > 0]
            length = len(text) + 1
            assert labels[row, :length].numpy().tolist() == [
                *text,
                tokenizer.end_token,
            ]
            assert inputs["targets"][row, :length].numpy().tolist() == [
                tokenizer.start_token,
                *text,
            ]
            np.testing.assert_array_equal(
                weight[row], np.arange(labels.shape[1]) < length
            )
    assert fed.train.steps_per_epoch == splits.train.steps_per_epoch
    assert entry.feed is _speech.as_pairs


@pytest.fixture(scope="module")
def preset(splits, tmp_path_factory):
    entry = zoo.get("ctc_digits")
    folder = tmp_path_factory.mktemp("speech") / "preset"
    entry.build(splits, **entry.tiny).save_to_preset(folder)
    return folder


def test_files_and_folders_are_transcribed_a_line_each(preset, tmp_path, capsys):
    (tmp_path / "more").mkdir()
    names = "b.wav", "more/a.wav", "more/c.wav"
    draws = np.random.default_rng(0)
    for name, count in zip(names, (800, 4_000, 1_700), strict=True):
        wave = draws.uniform(-0.5, 0.5, count).astype("float32")
        (tmp_path / name).write_bytes(encode_wav(wave, 8_000))
    (tmp_path / "more/notes.txt").write_text("no sound")
    arguments = ["transcribe", str(preset), str(tmp_path / "b.wav")]
    assert not command.main([*arguments, str(tmp_path / "more")])
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        str(tmp_path / name) for name in names
    ]
    assert not command.main([*arguments, "--beams", "3"])
    assert capsys.readouterr().out.startswith(str(tmp_path / "b.wav"))


def test_what_is_no_sound_is_said_before_a_model_is_opened(tmp_path, capsys):
    for name in ("none.wav", "."):
        assert command.main(["transcribe", "ctc_digits", str(tmp_path / name)]) == 2
        said = capsys.readouterr().err
        assert "`FILE` must be a sound file, or a folder with some" in said


def test_what_is_said_can_be_looked_at(tmp_path, capsys):
    entry = zoo.get("tts_digits")
    preset, out = tmp_path / "preset", tmp_path / "a.wav"
    entry.build(entry.stand_in(), **entry.tiny).save_to_preset(preset)
    arguments = ["speak", str(preset), "two", "one", "--out", str(out)]
    assert not command.main([*arguments, "--picture", str(tmp_path / "a.png")])
    assert capsys.readouterr().out.endswith(f"seconds in {out}\n")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


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


def test_a_speaker_may_be_left_out_on_the_command_line():
    entry = zoo.get("ctc_digits")
    found = read_overrides(entry, ["left_out=theo"])
    assert found == {"overrides": {}, "source_overrides": {"left_out": "theo"}}


class Parrot:
    """A translator that knows some texts, and says nothing of others."""

    jit_generate = True
    context = 99

    def __init__(self, known):
        self.known, self.tokenizer, self.asked = known, self, []

    def encode_batch(self, texts):
        self.asked += [text for text in texts if text not in self.asked]
        return [[self.asked.index(text)] for text in texts]

    end_token = None

    def generate(self, rows, **options):
        return [self.known.get(self.asked[row[0]], "nothing") for row in rows]

    def decode(self, text):
        return text


CAPTIONS = {
    "texts": np.array(["ein t shirt", "zwei große hunde", "der rote ball"]),
    "inputs": np.array(["ein t-shirt .", "zwei große hunde .", "der rote ball ."]),
    "targets": np.array(
        [
            "a t-shirt is here today .",
            "two large dogs run around .",
            "red balls are never that small .",
        ]
    ),
}


def test_translations_are_scored_beside_those_of_letters_and_of_text():
    inputs, english = (CAPTIONS[name].tolist() for name in ("inputs", "targets"))
    translator = Parrot(dict(zip(inputs, english, strict=True)))
    found = ["ein t shirt", "zwei große hunde", "der tote ball"]
    other = np.array([1, 2, 0])
    figures = _speech_translation.translated(translator, found, CAPTIONS, other)
    assert {*translator.asked} == {*inputs, "ein t shirt .", "der tote ball ."}
    assert figures["bleu_of_text"] == pytest.approx(100)
    letters = ["nothing", *english[1:]]
    assert figures["bleu_of_letters"] == pytest.approx(bleu(letters, english, "none"))
    made = ["nothing", english[1], "nothing"]
    assert figures["bleu"] == pytest.approx(bleu(made, english, "none"))
    beside = [english[place] for place in other]
    assert figures["bleu_shuffled"] == pytest.approx(bleu(made, beside, "none"))
    assert next(iter(figures)) == "bleu"
    assert translator.jit_generate


def test_spoken_captions_are_scored_without_a_translator_too(
    monkeypatch, tmp_path, capsys
):
    monkeypatch.chdir(tmp_path)
    splits = _speech_translation.SOURCE(2, stand_in=True)
    truth = splits.test["texts"].tolist()
    figures = _speech_translation.score(Perfect(truth), splits)
    assert figures.pop("shuffled_word_error_rate") > 0.3
    assert figures == {"word_error_rate": 0, "character_error_rate": 0}
    assert "no preset in runs/transformer_multi30k" in capsys.readouterr().err
    sample = _speech_translation.write(Perfect(truth), seed=0)
    assert sample.splitlines() == [f"{text} -> {text}" for text in truth]


def test_what_was_learned_from_captions_does_not_ship():
    with pytest.raises(ValueError, match=r"data may be passed on.*multi30k_german"):
        licence(_speech_translation.SOURCE(2, stand_in=True).name)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("Ein Mann, der lächelt.", "ein mann , der lächelt ."),
        ("zwei große hunde", "zwei große hunde ."),
        ("Wer ist da?", "wer ist da ?"),
        ("ein T-Shirt für 2.50 (neu)!", "ein t-shirt für 2.50 ( neu ) !"),
        ('"McDonald\'s" & Co.', "&quot; mcdonald &apos; s &quot; &amp; co ."),
        ("mcdonald &apos; s , ja .", "mcdonald &apos; s , ja ."),
        ("", ""),
    ],
)
def test_a_translator_of_captions_reads_what_people_write(text, tokens):
    entry = zoo.get("transformer_multi30k")
    assert entry.reads(text) == tokens
    assert entry.reads(tokens) == tokens
    assert zoo.get("attention_multi30k").reads is entry.reads


@pytest.fixture(scope="module")
def translators(tmp_path_factory):
    """Folders of a tiny recogniser of German and of a tiny translator."""
    folder = tmp_path_factory.mktemp("translation")
    entry = zoo.get("ctc_multi30k_german")
    entry.build(**entry.tiny).save_to_preset(folder / "ear")
    entry = zoo.get("transformer_multi30k")
    small = functools.partial(entry.source, tokenizer="bpe:300", stand_in=True)
    brief = dict(context=24, generation=GenerationSettings(max_length=3))
    model = entry.build(small(batch_size=2), **entry.tiny, **brief)
    model.save_to_preset(folder / "translator")
    return folder


def test_what_was_understood_is_translated(translators, tmp_path, capsys, monkeypatch):
    paths = [str(tmp_path / name) for name in ("a.wav", "b.wav", "c.wav")]
    for path in paths:
        wave = np.random.default_rng(0).uniform(-0.5, 0.5, 4_000)
        pathlib.Path(path).write_bytes(encode_wav(wave, 8_000))
    asked = []

    def translate(model, texts, max_length=None):
        asked.append((model.name, texts))
        return [f"<{text}>" for text in texts]

    understood = ["ein hund", "", "zwei männer"]
    monkeypatch.setattr(CTC, "transcribe", lambda self, sounds: understood)
    monkeypatch.setattr("keras_genai.evaluation.translation.translate", translate)
    arguments = ["transcribe", str(translators / "ear"), *paths]
    assert not command.main(arguments)
    assert capsys.readouterr().out.splitlines() == [
        f"{path}: {text}" for path, text in zip(paths, understood, strict=True)
    ]
    by = [*arguments, "--translate-by", str(translators / "translator")]
    assert not command.main(by)
    assert asked == [("transformer_multi30k", ["ein hund .", "zwei männer ."])]
    assert capsys.readouterr().out.splitlines() == [
        f"{paths[0]}: <ein hund .>",
        f"{paths[1]}: ",
        f"{paths[2]}: <zwei männer .>",
    ]


def test_a_tiny_translator_says_something_of_a_sound(translators, tmp_path, capsys):
    path = tmp_path / "a.wav"
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 8_000)
    path.write_bytes(encode_wav(wave, 8_000))
    translator = str(translators / "translator")
    arguments = ["transcribe", str(translators / "ear"), str(path)]
    assert not command.main([*arguments, "--translate-by", translator])
    assert capsys.readouterr().out.startswith(f"{path}: ")


def test_who_cannot_translate_is_refused(translators, tmp_path, capsys):
    path = tmp_path / "a.wav"
    path.write_bytes(encode_wav(np.zeros(800), 8_000))
    ear = str(translators / "ear")
    arguments = ["transcribe", ear, str(path), "--translate-by"]
    for more, line in (
        ([ear], "`translate` does not fit"),
        (["no_such_thing"], "Received: 'no_such_thing'"),
        ([ear, "--translate"], "`--translate-by` must be left out with `--translate`"),
    ):
        assert command.main([*arguments, *more]) == 2
        assert line in capsys.readouterr().err


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


@pytest.mark.parametrize(
    "name",
    [
        "ctc_digits",
        pytest.param("asr_digits", marks=pytest.mark.slow),
        pytest.param("tts_digits", marks=pytest.mark.slow),
    ],
)
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


def test_a_model_has_room_for_the_longest_text_of_its_data(own, splits):
    entry = zoo.get("asr_digits")
    digits = entry.fits(entry.config, splits)
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
