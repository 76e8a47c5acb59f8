"""Chorales, rolls and folders of MIDI become windows and pieces."""

import shutil

import numpy as np
import pytest
import scipy.io

from keras_genai.data import chorales
from keras_genai.modalities import scores
from keras_genai.modalities.notes import Notes


def objects(*values):
    found = np.empty(len(values), object)
    found[:] = values
    return found


def piece(length, lowest=60):
    return (lowest + np.arange(length)[:, None] % 5 + np.array([12, 8, 5, 0])).astype(
        "float16"
    )


@pytest.fixture
def folder(tmp_path):
    parts = {"train": [piece(40), piece(20)], "valid": [piece(33)], "test": [piece(16)]}
    parts["valid"][0][3, 1] = np.nan
    np.savez(
        tmp_path / chorales.SIXTEENTHS, **{k: objects(*v) for k, v in parts.items()}
    )
    roll = np.zeros((5, 88), "uint8")
    roll[np.arange(5), 39 + np.arange(5)] = roll[:, 10] = 1
    rolls = {
        f"{k}data": objects(roll, roll[:3])[None] for k in ("train", "valid", "test")
    }
    scipy.io.savemat(tmp_path / chorales.ROLLS["jsb"], rolls)
    return tmp_path


def test_chorales_are_cut_into_windows_that_begin_with_bars(folder):
    splits = chorales.chorales(2, data_dir=folder, steps=16, transpose=0)
    notes = splits.train.content["notes"].numpy()
    assert notes.shape == (3 + 2, 16, 4)
    np.testing.assert_array_equal(notes[1], piece(40)[16:32])
    np.testing.assert_array_equal(notes[2, :8], piece(40)[32:])
    assert (notes[2, 8:] == scores.BEYOND).all()
    assert splits.held_out["notes"][0, 3, 1] == scores.SILENT
    assert splits.name == "jsb_chorales"
    kind = splits.kind("notes")
    assert (kind.voices, kind.steps, kind.lowest, kind.highest) == (4, 16, 60, 76)


def test_windows_are_moved_anew_in_every_epoch_and_the_same_after_a_restart(folder):
    def shifts(loader, start, steps=3):
        batches = loader.dataset(start).take(steps)
        return [batch["notes"].numpy() for batch in batches]

    one, other = (
        chorales.chorales(5, seed=3, data_dir=folder, steps=16, transpose=2)
        for _ in range(2)
    )
    whole = shifts(one.train, 0)
    np.testing.assert_array_equal(shifts(other.train, 2, 1), whole[2:])
    spans = {int(batch.max()) for batch in whole}
    assert len(spans) > 1
    lowest = min(batch[batch > 0].min() for batch in whole)
    assert one.kind("notes").lowest == 58 <= lowest
    for batch in whole:  # a window is moved as a whole, and its end stays
        moves = [row[0, 0] - row[0, 3] for row in batch]
        assert moves == [12] * 5
        assert (batch == scores.BEYOND).any()


def test_shuffled_bars_are_the_same_bars(folder):
    bars = [np.arange(4 * 64).reshape(64, 4), np.arange(4 * 20).reshape(20, 4)]
    found = chorales.shuffled_bars(bars)
    assert not np.array_equal(found[0], bars[0])
    np.testing.assert_array_equal(found[1], bars[1])
    of_both = [each.reshape(4, -1) for each in (found[0], bars[0])]
    assert {tuple(b) for b in of_both[0]} == {tuple(b) for b in of_both[1]}
    splits = chorales.chorales(2, data_dir=folder, steps=16, shuffled=True)
    assert splits.name == "jsb_chorales_shuffled"


def test_rolls_become_pieces_of_voices(folder):
    splits = chorales.chords(2, data_dir=folder)
    (batch,) = splits.train.epoch()
    assert batch["notes"].shape == (2, 8, 2)  # of one bucket
    short, long = sorted(batch["notes"].numpy().tolist(), key=lambda row: row[4])
    assert short == long[:3] + [[-1, -1]] * 5
    assert long[0] == [60, 31]
    assert long[4:] == [[64, 31]] + [[-1, -1]] * 3
    assert splits.kind("notes").per_quarter == 1


@pytest.mark.parametrize("make", [chorales.chorales, chorales.chords])
def test_files_that_are_not_there_are_named(make, tmp_path):
    for data_dir in (None, tmp_path):
        with pytest.raises(
            FileNotFoundError, match=r"`data_dir` must have J.*, itself or in .* music"
        ):
            make(2, data_dir=data_dir)


def test_files_may_lie_in_a_folder_of_all_music(folder, tmp_path_factory):
    shared = tmp_path_factory.mktemp("shared")
    shutil.copytree(folder, shared / "music")
    own, other = (chorales.chords(2, data_dir=place) for place in (folder, shared))
    np.testing.assert_array_equal(own.test["notes"], other.test["notes"])
    assert chorales.chorales(2, data_dir=shared).name == "jsb_chorales"


def test_a_file_of_something_else_is_refused(tmp_path):
    np.savez(tmp_path / chorales.SIXTEENTHS, train=objects(np.zeros((3, 4))))
    with pytest.raises(ValueError, match="must have train, valid and test"):
        chorales.chorales(2, data_dir=tmp_path)


def test_what_stands_in_is_made_by_rules_and_repeats_itself():
    pieces = chorales.canons()
    assert [len(part) for part in pieces.values()] == [24, 6, 6]
    one = pieces["train"][0]
    assert ((one == 0) | ((one > 30) & (one < 96))).all()
    sounding = one[64:]
    assert (sounding > 0).all()
    # Each voice says later what the first one said.
    contour = np.sign(np.diff(one[:, 0].astype(int)))
    later = np.sign(np.diff(one[16:, 1].astype(int)))
    np.testing.assert_array_equal(contour[: len(later)], later)


def test_a_folder_of_files_is_a_source(tmp_path):
    kind = Notes(4)
    for number in range(4):
        kind.write(tmp_path / f"{number}.mid", piece(20 + number).astype(int)[None])
    source = chorales.source(f"folder:{tmp_path}")
    windows = source(1, steps=16)
    assert windows.train.content["notes"].shape[1:] == (16, 4)
    assert len(windows.held_out["notes"]) == len(windows.test["notes"]) == 1
    pieces = source(1)
    assert next(iter(pieces.train))["notes"].shape == (1, 8, 4)
    with pytest.raises(FileNotFoundError, match="a folder of MIDI files that exists"):
        chorales.source("folder:nowhere")
    (tmp_path / "bad").mkdir()
    with pytest.raises(ValueError, match=r"at least three \.mid files. Received: 0"):
        chorales.source(tmp_path / "bad")(1)


@pytest.mark.parametrize(
    "harm",
    [
        lambda piece: piece + 100,
        lambda piece: piece - 90,
        lambda piece: piece * np.inf,
        lambda piece: piece[:, :3],
        lambda piece: piece[0],
        lambda piece: piece[:0],
    ],
)
def test_pieces_that_are_no_pitches_of_four_voices_are_refused(harm, tmp_path):
    parts = {"train": objects(piece(20), harm(piece(20)))}
    parts |= {"valid": objects(piece(20)), "test": objects(piece(20))}
    np.savez(tmp_path / chorales.SIXTEENTHS, **parts)
    with pytest.raises(ValueError, match=r"must have pieces of shape \(steps, 4\)"):
        chorales.chorales(1, data_dir=tmp_path, steps=16)


def test_empty_parts_and_silence_are_refused(tmp_path):
    for parts, said in (
        ({"train": objects(piece(20)), "valid": objects()}, "at least one piece"),
        ({"train": objects(0 * piece(20)), "valid": objects(0 * piece(9))}, "notes"),
    ):
        parts["test"] = parts["train"]
        np.savez(tmp_path / chorales.SIXTEENTHS, **parts)
        with pytest.raises(ValueError, match=f"must have {said}"):
            chorales.chorales(1, data_dir=tmp_path, steps=16)


def test_pieces_are_not_moved_beyond_the_pitches_that_there_are():
    with pytest.raises(
        ValueError, match=r"`transpose` must be at most \d+, or pitches"
    ):
        chorales.chorales(2, stand_in=True, steps=8, transpose=60)


def test_windows_have_an_end():
    with pytest.raises(ValueError, match="`steps` must be an int >= 1, at most 16384"):
        chorales.chorales(2, stand_in=True, steps=10**9)


@pytest.mark.parametrize("rows", [np.ones((4, 200)), np.zeros((0, 88)), 2 * np.eye(88)])
def test_rolls_of_anything_but_88_keys_are_refused(rows, folder):
    rolls = {f"{k}data": objects(rows)[None] for k in ("train", "valid", "test")}
    scipy.io.savemat(folder / chorales.ROLLS["jsb"], rolls)
    with pytest.raises(ValueError, match=r"rolls of shape \(steps, 88\), of 0 and 1"):
        chorales.chords(1, data_dir=folder)
