"""Translators of the zoo told what a recogniser understood, and scored beside it."""

import functools
import pathlib

import numpy as np
import pytest
from toy_listener import Perfect

import zoo
from keras_genai.evaluation.translation import bleu
from keras_genai.files.wav import encode_wav
from keras_genai.samplers import GenerationSettings
from keras_genai.tasks.transcription import CTC
from zoo import __main__ as command
from zoo import _speech_translation
from zoo._licences import licence


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


@pytest.mark.slow
def test_a_tiny_translator_says_something_of_a_sound(translators, tmp_path, capsys):
    path = tmp_path / "a.wav"
    wave = np.random.default_rng(0).uniform(-0.5, 0.5, 8_000)
    path.write_bytes(encode_wav(wave, 8_000))
    translator = str(translators / "translator")
    arguments = ["transcribe", str(translators / "ear"), str(path)]
    assert not command.main([*arguments, "--translate-by", translator])
    assert capsys.readouterr().out.startswith(f"{path}: ")


def test_a_translator_of_several_languages_is_told_which(
    translators, tmp_path, capsys, monkeypatch
):
    tasks = {
        "translation_de_to_en": {"prefix": "English: "},
        "translation_de_to_fr": {"prefix": "French: "},
    }
    monkeypatch.setattr("zoo._tasks._published", lambda place, task: tasks)
    path = tmp_path / "a.wav"
    path.write_bytes(encode_wav(np.zeros(800), 8_000))
    monkeypatch.setattr(CTC, "transcribe", lambda self, sounds: ["ein hund"])
    monkeypatch.setattr(
        "keras_genai.evaluation.translation.translate",
        lambda model, texts, max_length=None: texts,
    )
    arguments = ["transcribe", str(translators / "ear"), str(path)]
    by = ["--translate-by", str(translators / "translator")]
    assert not command.main([*arguments, *by, "--languages", "de-fr"])
    assert capsys.readouterr().out == f"{path}: French: ein hund .\n"
    for more, line in (
        (by, "`--languages` must be one of de-en, de-fr. Received: None"),
        (["--languages", "de-fr"], "left out without `--translate-by`. Received: de-f"),
    ):
        assert command.main([*arguments, *more]) == 2
        assert line in capsys.readouterr().err


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
