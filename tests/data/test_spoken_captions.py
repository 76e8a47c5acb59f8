"""Captions that a stand-in for espeak-ng speaks: files, texts and batches."""

import gzip
import hashlib
import os
import sys

import numpy as np
import pytest

from keras_genai.data import espeak, spoken_captions, translation
from keras_genai.files.wav import encode_wav, read_wav
from keras_genai.modalities.mel import Mel

MEL = Mel(8_000, window=256, hop=80, bands=8)
# Says how it was called, and what; a text with "silent" makes no file.
PROGRAM = f"""#!{sys.executable} -IS
import random, sys, wave
options, text = sys.argv[1:], sys.stdin.buffer.read().decode()
with open(__file__ + ".log", "a", encoding="utf-8") as log:
    print(*options[:6], text, sep="|", file=log)
if "silent" in text:
    sys.exit("no such voice")
draws = random.Random(str((options[:6], text)))
with wave.open(options[options.index("-w") + 1], "wb") as file:
    file.setparams((1, 2, 16_000, 0, "NONE", None))
    file.writeframes(draws.randbytes(2 * (60 * len(text) + 900)))
"""


@pytest.fixture
def program(tmp_path, monkeypatch):
    """A program called espeak-ng, and nothing else on the PATH: its path."""
    path = tmp_path / "bin" / espeak.PROGRAM
    path.parent.mkdir()
    path.write_text(PROGRAM)
    path.chmod(0o755)
    monkeypatch.setenv("PATH", str(path.parent))
    return path


def calls(program):
    return program.with_name(f"{program.name}.log").read_text().splitlines()


def test_a_text_is_spoken_once_by_the_voice_that_was_asked_for(program, tmp_path):
    said = [("Grüße, -w x", "de+f2", 150), ("Grüße, -w x", "de", 150), ("Ja.", "de", 9)]
    found = [espeak.speak(text, tmp_path, 8_000, *how) for text, *how in said]
    assert calls(program) == [
        f"-b|1|-v|{voice}|-s|{speed}|{text}" for text, voice, speed in said
    ]
    assert len({path for path, _ in found}) == 3
    for path, samples in found:
        waves, rate = read_wav(path)
        assert (waves.shape, rate) == ((samples, 1), 8_000)
        assert np.ptp(waves) > 0.1
    assert found[0][1] == (60 * 11 + 900) // 2
    program.unlink()
    again = [espeak.speak(text, tmp_path, 8_000, *how) for text, *how in said]
    assert again == found
    assert len(list(tmp_path.glob("*.wav"))) == len(list(tmp_path.glob("*.*"))) == 3


def test_who_has_no_program_is_told_how_to_get_it(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match=r"must be installed.*apt install"):
        espeak.speak("Ja.", tmp_path, 8_000)


def test_what_the_program_does_not_speak_is_said(program, tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"`voice` must .*de\+x: no such"):
        espeak.speak("silent", tmp_path, 8_000, "de+x")
    program.write_text(f"#!{sys.executable}\nimport time\ntime.sleep(60)\n")
    monkeypatch.setattr(espeak, "_PATIENCE", 0.2)
    with pytest.raises(ValueError, match=r"within 0\.2 seconds"):
        espeak.speak("Ja.", tmp_path, 8_000)
    assert not list(tmp_path.glob("*.wav"))


def whole(count=100, rate=8_000):
    return encode_wav(np.zeros(count), rate)


HOSTILE = {
    "empty": b"",
    "text": b"no sound",
    "header alone": whole()[:44],
    "cut": whole()[:-1],
    "longer than it says": whole() + b"\0\0",
    "another rate": whole(rate=16_000),
    "floats": whole().replace(b"\x01\0\x01\0", b"\x03\0\x01\0", 1),
    "too long": whole(8_000 * 120 + 1),
}


@pytest.mark.parametrize("content", HOSTILE.values(), ids=HOSTILE)
def test_a_kept_file_that_is_no_such_sound_is_named(program, tmp_path, content):
    path, _ = espeak.speak("Ja.", tmp_path, 8_000)
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"{path.name} must be a sound.*remove it"):
        espeak.speak("Ja.", tmp_path, 8_000)
    assert path.read_bytes() == content


def test_what_is_no_file_at_all_is_neither_read_nor_replaced(program, tmp_path):
    path, _ = espeak.speak("Ja.", tmp_path, 8_000)
    for make in (path.mkdir, lambda: os.mkfifo(path)):
        path.unlink()
        make()
        with pytest.raises((OSError, ValueError), match=path.name):
            espeak.speak("Ja.", tmp_path, 8_000)
        assert os.path.lexists(path)
        if path.is_dir():
            path.rmdir()
            path.touch()


@pytest.mark.parametrize(
    ("text", "letters"),
    [
        ("Zwei Männer, größer als ICH.", "zwei männer größer als ich"),
        (
            "ein t-shirt von &quot; mcdonald &apos; s &quot; .",
            "ein t shirt von mcdonald s",
        ),
        (
            "  Café à la Straßenecke \N{EN DASH} 3 STÜCK\t!",
            "cafe a la straßenecke stück",
        ),
        (
            "Mu\N{COMBINING DIAERESIS}ll \N{LATIN CAPITAL LETTER SHARP S} \N{SNOWMAN}",
            "müll ß",
        ),
        ("12, 3!", ""),
    ],
)
def test_a_recogniser_writes_letters_and_blanks(text, letters):
    assert spoken_captions.spelled(text) == letters
    tokenizer = spoken_captions.letter_tokenizer()
    assert tokenizer.decode(tokenizer.encode(letters)) == letters
    assert 0 not in tokenizer.encode(letters)


PLAIN = ("Ein Hund.", "Zwei Männer, eine Frau.", "3 Hunde.", f"Ein {'a' * 160}.")
TOKENS = ("ein hund .", "zwei männer , eine frau .", "3 hunde .", f"ein {'a' * 160} .")


def write_captions(folder, plain=PLAIN, tokens=TOKENS):
    """Parts of eight captions each, under the names of the data set."""
    for form in ("raw", "tok"):
        (folder / form).mkdir(parents=True, exist_ok=True)
    for part in translation.PARTS:
        for language in ("de", "en"):
            german = language == "de"
            raw, apart = (
                "".join(f"{line if german else f'{part} {i}'}\n" for i, line in lines)
                for lines in (enumerate(plain * 2), enumerate(tokens * 2))
            )
            path = folder / "raw" / f"{part}.{language}.gz"
            path.write_bytes(gzip.compress(raw.encode()))
            path = folder / "tok" / f"{part}.lc.norm.tok.{language}"
            path.write_bytes(apart.encode())


def source(folder, **more):
    return spoken_captions.multi30k_german(2, data_dir=folder, mel=MEL, **more)


def test_captions_are_spoken_and_stand_beside_their_english(program, tmp_path):
    write_captions(tmp_path / "multi30k")
    splits = source(tmp_path, captions=3)
    assert splits.texts["train"].written["texts"].tolist() == [
        "ein hund",
        "zwei männer eine frau",
        "ein hund",
    ]
    assert splits.held_out["targets"].tolist() == [f"val {i}" for i in (0, 1, 4, 5)]
    test = splits.test
    assert len(test["texts"]) == len(splits.texts["test"]) == 8
    assert test["texts"][2] == "hunde"
    assert test["inputs"][1] == TOKENS[1]
    assert test["targets"][3] == "test_2016_flickr 3"
    kept = sorted((tmp_path / spoken_captions.FOLDER).iterdir())
    assert 8 <= len(kept) <= 3 + 4 + 8
    spoken = [line.split("|") for line in calls(program)]
    assert {line[3] for line in spoken} <= {*spoken_captions.VOICES}
    assert len({line[3] for line in spoken}) > 1
    assert all(150 <= int(line[5]) <= 200 for line in spoken)
    assert {line[6] for line in spoken} == {*PLAIN}  # not their tokens

    batch = next(iter(splits.validation.epoch()))
    texts = [splits.tokenizer.decode(row[row > 0]) for row in batch["tokens"].numpy()]
    assert set(texts) <= {*splits.held_out["texts"].tolist()}
    assert batch["mels"].shape[::2] == (2, MEL.bands)
    part = splits.texts["test"]
    (mel,) = MEL.read(part.sounds[0])
    assert len(mel) == MEL.frame_count(part.lengths[0])


def test_sounds_are_kept_where_they_are_wanted_and_are_the_same(program, tmp_path):
    write_captions(tmp_path)
    first = source(tmp_path, spoken=tmp_path / "a", captions=4)
    second = source(tmp_path, spoken=str(tmp_path / "b/c"), captions=4)
    assert hashes(tmp_path / "a") == hashes(tmp_path / "b/c")
    program.unlink()
    again = source(tmp_path, spoken=tmp_path / "a", captions=2)
    for one, other in ((first, second), (first, again)):
        np.testing.assert_array_equal(
            one.texts["test"][5]["waves"], other.texts["test"][5]["waves"]
        )
    assert not (tmp_path / spoken_captions.FOLDER).exists()


def hashes(folder):
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
    }


def test_a_sound_that_changes_while_it_is_used_is_noticed(program, tmp_path):
    write_captions(tmp_path)
    part = source(tmp_path, captions=2).texts["train"]
    part.sounds[1].write_bytes(whole())
    with pytest.raises(ValueError, match=r"must stay as it is.*100 samples"):
        part[1]


def test_what_is_missing_or_does_not_fit_is_said(program, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"must have raw/train\.de"):
        source(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"must have raw/train\.de"):
        source(None, spoken=tmp_path)
    write_captions(tmp_path)
    (tmp_path / "file").touch()
    with pytest.raises(ValueError, match="`spoken` must be a folder"):
        source(tmp_path, spoken=tmp_path / "file")
    write_captions(tmp_path, tokens=TOKENS[:3])
    with pytest.raises(ValueError, match=r"in raw as in tok.*8 and 6"):
        source(tmp_path)
    with pytest.raises(ValueError, match="`mel` must be of 8000 Hz"):
        spoken_captions.multi30k_german(2, mel=Mel(16_000, 256, 80, 8), stand_in=True)


def test_without_data_each_letter_is_a_tone():
    splits = spoken_captions.multi30k_german(4, mel=MEL, stand_in=True)
    part = splits.texts["test"]
    sounds = {}
    for sound, text in zip(part.sounds, part.written["texts"], strict=True):
        for letter, tone in zip(text, np.split(sound, len(text)), strict=True):
            np.testing.assert_array_equal(sounds.setdefault(letter, tone), tone)
    assert len({tone.tobytes() for tone in sounds.values()}) == len(sounds)
    again = spoken_captions.multi30k_german(4, mel=MEL, stand_in=True)
    np.testing.assert_array_equal(splits.test["texts"], again.test["texts"])
