"""Pieces of music: from files to arrays and back, to be heard and to be seen."""

import io

import numpy as np
import pytest
from PIL import Image

from keras_genai import registry
from keras_genai.files.midi import Note, encode_midi
from keras_genai.files.wav import decode_wav
from keras_genai.modalities import scores
from keras_genai.modalities.notes import Notes
from keras_genai.modalities.synthesis import RATE, synthesize

PIECE = np.array([[72, 60], [72, 62], [74, 62], [74, 0]])


def test_a_piece_comes_back_from_its_file(tmp_path):
    kind = Notes(2)
    path = kind.write(tmp_path / "piece.mid", PIECE[None])
    np.testing.assert_array_equal(kind.read(path), PIECE[None])
    names = {each.name for each in tmp_path.iterdir()}
    assert names == {"piece.mid", "piece.wav", "piece.png"}


def test_pieces_in_one_file_follow_each_other_after_a_silence(tmp_path):
    kind = Notes(2)
    longer = np.full((2, 6, 2), scores.BEYOND)
    longer[:, :4] = PIECE
    path = kind.write(tmp_path / "pieces.mid", longer)
    (found,) = kind.read(path)
    silence = (found == scores.SILENT).all(axis=1)
    np.testing.assert_array_equal(found[:4], PIECE)
    assert silence[4:32].all()
    np.testing.assert_array_equal(found[32:36, 0], PIECE[:, 0])


def test_pieces_of_several_lengths_are_padded():
    found = Notes(2).read([PIECE, PIECE[:2]])
    assert found.shape == (2, 4, 2)
    assert found.dtype == "int32"
    assert (found[1, 2:] == scores.BEYOND).all()
    assert Notes(2, steps=5).read(PIECE).shape == (1, 5, 2)


def chord_file(tmp_path, *parts):
    path = tmp_path / "chords.mid"
    path.write_bytes(encode_midi(parts, 100))
    return path


def test_chords_of_one_track_are_shared_out_from_the_highest(tmp_path):
    chord = [Note(0, 1, 60), Note(0, 0.5, 72), Note(0, 1, 64), Note(0.5, 1, 71)]
    found = Notes(3, per_quarter=2).read(chord_file(tmp_path, chord))
    assert found.tolist() == [[[72, 64, 60], [71, 64, 60]]]
    with pytest.raises(ValueError, match=r"at most 2 notes at once\. Received: 3"):
        Notes(2).read(chord_file(tmp_path, chord))


def test_notes_are_moved_to_the_grid_and_none_is_lost(tmp_path):
    notes = [Note(0.05, 0.06, 60), Note(0.26, 0.55, 64)]
    found = Notes(1).read(chord_file(tmp_path, notes))
    assert found.ravel().tolist() == [60, 64]


def test_on_a_coarse_grid_one_of_many_short_notes_is_heard(tmp_path):
    run = [Note(step / 4, (step + 1) / 4, 60 + step) for step in range(8)]
    found = Notes(1, per_quarter=1).read(chord_file(tmp_path, run))
    assert (found > 0).all()
    staccato = [Note(0, 0.1, 60), Note(0, 0.1, 64)]
    found = Notes(2, per_quarter=1).read(chord_file(tmp_path, staccato))
    assert found.tolist() == [[[64, 60]]]


def test_a_piece_without_end_is_refused_before_it_is_made(tmp_path):
    with pytest.raises(ValueError, match="must have notes in 1 to 16,384 steps"):
        Notes(1).read(chord_file(tmp_path, [Note(0, 1e5, 60)]))
    with pytest.raises(ValueError, match="Received: 0 steps"):
        Notes(1).read(chord_file(tmp_path, []))


def test_keys_and_voices_are_the_same_music():
    draws = np.random.default_rng(0)
    keys = draws.random((40, 88)) < 0.04
    voices = scores.to_voices(keys, lowest=21)
    assert voices.shape[1] == keys.sum(axis=1).max()
    np.testing.assert_array_equal(scores.to_keys(voices, 21, 108), keys)


def test_a_key_that_stays_down_keeps_its_voice():
    keys = scores.to_keys([[60, 0, 0], [72, 60, 0], [60, 64, 0]], 1, 127)
    score = scores.to_voices(keys, lowest=1)
    assert score.tolist() == [[60, 0], [60, 72], [60, 64]]
    notes = scores.to_notes(score, 1)
    assert notes[0] == [Note(0, 3, 60, 0)]


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.zeros((4, 3), int), "must be ints of shape .steps, 2."),
        (np.zeros((4, 2)), "must be ints of shape .steps, 2."),
        (np.zeros((0, 2), int), "1 to 16384 steps"),
        ([], "at least one piece"),
        (PIECE + 60, "pitches from 21 to 108"),
        (PIECE - 200, "pitches from 21 to 108"),
    ],
)
def test_what_is_no_piece_is_refused(value, said):
    with pytest.raises(ValueError, match=said):
        Notes(2).read(value, "piece")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (dict(voices=0), ValueError),
        (dict(voices=2.0), TypeError),
        (dict(voices=2, steps=0), ValueError),
        (dict(voices=2, lowest=70, highest=60), ValueError),
        (dict(voices=2, highest=128), ValueError),
        (dict(voices=2, tempo=0), ValueError),
    ],
)
def test_a_kind_that_cannot_be_is_refused(arguments, error):
    with pytest.raises(error, match="must be"):
        Notes(**arguments)


def test_a_config_makes_the_same_kind():
    kind = Notes(4, 32, lowest=30, highest=80, tempo=72.0)
    assert registry.from_plain(registry.to_plain(kind)) == kind


@pytest.mark.parametrize("pitch", [45, 69, 93])
def test_a_note_sounds_at_its_pitch_and_for_its_time(pitch):
    wave = synthesize([Note(0, 2, pitch)], tempo=120)
    assert abs(len(wave) / RATE - 1) < 0.1
    assert np.abs(wave).max() <= 1
    strength = np.abs(np.fft.rfft(wave))
    heard = np.fft.rfftfreq(len(wave), 1 / RATE)[strength.argmax()]
    assert heard == pytest.approx(440 * 2 ** ((pitch - 69) / 12), rel=0.02)


def test_silence_is_a_file_too():
    kind = Notes(2)
    silent = np.zeros((1, 4, 2), int)
    waves, rate = decode_wav(kind.sound(silent))
    assert rate == RATE
    assert not waves.any()
    assert kind.picture(silent).startswith(b"\x89PNG")


def test_voices_are_seen_in_colours_at_their_pitches():
    image = np.asarray(Image.open(io.BytesIO(Notes(2).picture(PIECE[None]))))
    coloured = np.ptp(image.astype(int), axis=2) > 60
    rows = np.flatnonzero(coloured.any(axis=1))
    top, bottom = image[rows[0]], image[rows[-1]]
    colours = {
        tuple(each[np.ptp(each.astype(int), axis=1) > 60][0]) for each in (top, bottom)
    }
    assert len(colours) == 2
    assert coloured[rows[0]].argmax() > coloured[rows[-1]].argmax()  # 74 comes later
