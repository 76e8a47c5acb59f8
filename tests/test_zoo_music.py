"""The verbs of music, and the floors that stand beside its figures."""

import numpy as np
import pytest

from keras_genai.data import chorales
from keras_genai.modalities.notes import Notes
from keras_genai.networks.gpt import GPT
from keras_genai.networks.tcn import TCN
from keras_genai.tasks.chords import ChordModel
from keras_genai.tasks.voices import NoteLM
from zoo import __main__ as command
from zoo import _music

LINE = np.array([72, 72, 74, 0, 71])


@pytest.fixture(scope="module")
def presets(tmp_path_factory):
    folder = tmp_path_factory.mktemp("presets")
    voices = NoteLM(GPT(depth=1, width=8, num_heads=2), Notes(2, 8))
    chords = ChordModel(TCN(depth=1, width=4), Notes(2))
    for name, model in (("voices", voices), ("chords", chords)):
        model.save_to_preset(folder / name)
    return folder


@pytest.fixture
def melody(tmp_path):
    score = np.stack([LINE, np.zeros(5, int)], axis=1)
    return Notes(2).write(tmp_path / "melody.mid", score[None])


@pytest.mark.slow
def test_a_melody_is_harmonized_into_three_files(presets, melody, tmp_path, capsys):
    out = tmp_path / "below.mid"
    arguments = [str(presets / "voices"), str(melody), "--out", str(out)]
    assert not command.main(["harmonize", *arguments, "--seed", "3"])
    assert f"1 piece in {out}" in capsys.readouterr().out
    (found,) = Notes(2).read(out)
    kept = found[:, 0] if len(found) == len(LINE) else found[: len(LINE), 0]
    np.testing.assert_array_equal(kept, LINE)
    assert out.with_suffix(".wav").exists()
    assert out.with_suffix(".png").exists()


@pytest.mark.slow
@pytest.mark.parametrize("name", ["voices", "chords"])
def test_a_beginning_is_kept_and_gone_on_with(name, presets, melody, tmp_path):
    out = tmp_path / "longer.mid"
    arguments = [str(presets / name), str(melody), "--out", str(out), "--steps", "20"]
    assert not command.main(["continue", *arguments])
    (found,) = Notes(88).read(out)
    assert len(found) > len(LINE)
    assert found[: len(LINE)].max(axis=1).tolist() == LINE.tolist()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["harmonize", "{chords}", "{melody}"], "`harmonize` does not fit"),
        (["harmonize", "{voices}", "{melody}", "--out", "a.png"], "must end with .mid"),
        (["harmonize", "{voices}", "nothing.mid"], "nothing.mid"),
        (["continue", "{voices}", "{here}"], "must be a MIDI file"),
    ],
)
def test_what_cannot_be_played_is_one_line(arguments, said, presets, melody, capsys):
    places = {
        "chords": presets / "chords",
        "voices": presets / "voices",
        "melody": melody,
        "here": __file__,
    }
    given = [each.format(**places) for each in arguments]
    assert command.main(given) == 2
    error = capsys.readouterr().err
    assert said in error
    assert error.strip().count("\n") == 0


def test_a_key_that_is_always_down_costs_little_and_one_that_turns_is_foreseen():
    keys = np.zeros((400, 88), bool)
    keys[:, 3] = True
    keys[::2, 5] = True  # down in every other frame
    alone = _music._key_floor([keys], [keys], given_itself=False)
    given = _music._key_floor([keys], [keys], given_itself=True)
    assert alone == pytest.approx(np.log(2), abs=0.3)
    assert given < alone - 0.3


def test_the_n_gram_hears_pieces_in_all_keys():
    target = Notes(4, 16, lowest=40, highest=110)
    pieces = [piece.astype("int32") for piece in chorales.canons()["train"][:4]]
    network = _music._counted(pieces, target)
    known = _music._ngram_nats(network, pieces, target)
    higher = [np.where(piece > 0, piece + 4, piece) for piece in pieces]
    assert _music._ngram_nats(network, higher, target) == pytest.approx(known, abs=0.05)
    draws = np.random.default_rng(0)
    noise = [draws.integers(50, 80, piece.shape) for piece in pieces]
    assert _music._ngram_nats(network, noise, target) > known + 1
