"""MIDI files: what is written comes back, and no file does harm."""

import io
import os
import struct

import mido
import numpy as np
import pytest

from keras_genai.files.midi import Note, encode_midi, parse_midi, read_midi

END = b"\x00\xff\x2f\x00"


def chunk(kind, body):
    return kind + struct.pack(">I", len(body)) + body


def midi(*tracks, form=0, division=96):
    head = chunk(b"MThd", struct.pack(">HHH", form, len(tracks), division))
    return head + b"".join(chunk(b"MTrk", track) for track in tracks)


def test_notes_come_back_from_the_file_that_they_were_written_to():
    parts = [
        [Note(0, 1, 72), Note(1, 1.5, 72), Note(2, 300, 74)],
        [Note(0.25, 4, 60, 1)],
    ]
    found = parse_midi(encode_midi(parts, 90))
    assert found == sorted(note for part in parts for note in part)


def test_a_written_file_is_read_by_others():
    content = encode_midi([[Note(0, 1, 72), Note(1, 2, 74)], [Note(0, 2, 48)]], 90)
    file = mido.MidiFile(file=io.BytesIO(content))
    assert file.type == 1
    assert file.length == pytest.approx(2 * 60 / 90, abs=1e-4)
    pitches = [[m.note for m in track if m.type == "note_on"] for track in file.tracks]
    assert pitches == [[], [72, 74], [48]]


def test_what_others_write_is_read(tmp_path):
    track = mido.MidiTrack()
    for kind, note, time in (
        ("note_on", 60, 0),
        ("note_on", 64, 240),
        ("note_off", 60, 240),
        ("note_off", 64, 480),
    ):
        track.append(mido.Message(kind, note=note, velocity=64, time=time))
    mido.MidiFile(type=0, tracks=[track]).save(str(tmp_path / "a.mid"))
    assert read_midi(tmp_path / "a.mid") == [Note(0, 1, 60), Note(0.5, 2, 64)]


def test_the_bytes_of_a_file_are_those_of_the_standard():
    # Tempo 500,000 microseconds, 4/4, and a quarter of the middle C.
    expected = (
        "4d54686400000006000100020 1e0"
        "4d54726b00000013 00ff5103 07a120 00ff580404021808 00ff2f00"
        "4d54726b0000000d 00903c50 8360803c00 00ff2f00"
    )
    assert encode_midi([[Note(0, 1, 60)]], 120) == bytes.fromhex(
        expected.replace(" ", "")
    )


RUNNING = b"\x00\x90\x3c\x40\x60\x3e\x40\x60\x3c\x00\x00\x3e\x00" + END
ENDED_BY_NOBODY = b"\x00\x90\x3c\x40\x60\x90\x3e\x40\x60" + END[1:]
STRUCK_AGAIN = b"\x00\x90\x3c\x40\x60\x90\x3c\x40\x60\x80\x3c\x00" + END
SYSEX = b"\x00\xf0\x03\x01\x02\xf7" + RUNNING
OTHERS = b"\x00\xc0\x05\x00\xb0\x07\x64\x00\xe0\x00\x40\x00\xff\x01\x02hi" + RUNNING
DRUMS = b"\x00\x99\x24\x40\x60\x89\x24\x00" + END
AFTER_THE_END = RUNNING + b"\x00\x90\x50\x40"
BOTH = [Note(0, 2, 60), Note(1, 2, 62)]


@pytest.mark.parametrize(
    ("track", "notes"),
    [
        (RUNNING, BOTH),
        (ENDED_BY_NOBODY, BOTH),
        (STRUCK_AGAIN, [Note(0, 1, 60), Note(1, 2, 60)]),
        (SYSEX, BOTH),
        (OTHERS, BOTH),
        (DRUMS, []),
        (AFTER_THE_END, BOTH),
        (b"", []),
    ],
)
def test_events_mean_what_the_standard_says(track, notes):
    assert parse_midi(midi(track)) == notes


def test_tracks_and_channels_are_parts():
    second = b"\x00\x91\x30\x40\x00\x92\x31\x40\x60\x81\x30\x00\x00\x82\x31\x00" + END
    found = parse_midi(midi(RUNNING, second, form=1))
    assert {note.pitch: note.part for note in found} == {60: 0, 62: 0, 48: 1, 49: 2}


def test_a_file_that_counts_seconds_has_quarters_by_its_tempo():
    tempo = b"\x00\xff\x51\x03\x0f\x42\x40"  # a second
    frames = 256 - 25 << 8 | 4  # a hundred ticks a second
    track = tempo + b"\x00\x90\x3c\x40\x81\x48\x80\x3c\x00" + END
    assert parse_midi(midi(track, division=frames)) == [Note(0, 2, 60)]


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "must be a MIDI file"),
        (b"RIFF" + b"\x00" * 20, "must be a MIDI file"),
        (chunk(b"MThd", b"\x00\x01"), "must be a MIDI file"),
        (midi(RUNNING, form=2), "must be of format 0 or 1. Received: 2"),
        (midi(RUNNING, division=0), "must have ticks in a quarter"),
        (midi(RUNNING, division=0xE700), "must have ticks in a frame"),
        (midi(RUNNING)[:-9], "is cut off"),
        (midi(RUNNING[:-6]), "the end of a track amid an event"),
        (midi(b"\x00\x3c\x40"), "data without an event"),
        (midi(b"\x00\x90\x3c\xff"), "where numbers go to 127"),
        (midi(b"\x00\xf8"), "an event that no file may have, 0xf8"),
        (midi(b"\xff\xff\xff\xff\x7f\x90"), "a number of more than four bytes"),
        (midi(b"\x00\xf0\xff\xff\xff\x7f"), "the end of a track amid an event"),
    ],
)
def test_what_is_no_such_file_is_refused_in_one_line(content, said):
    with pytest.raises(ValueError, match=said) as caught:
        parse_midi(content, "a.mid")
    assert "a.mid" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_no_bytes_make_it_fail_in_another_way():
    draws = np.random.default_rng(0)
    good = bytearray(encode_midi([[Note(0, 1, 60), Note(1, 2, 64)]], 90))
    for _ in range(2000):
        bad = bytearray(good)
        for place in draws.integers(len(bad), size=3):
            bad[place] = draws.integers(256)
        try:
            notes = parse_midi(bytes(bad[: draws.integers(len(bad) + 1)]))
        except ValueError:
            continue
        assert all(0 <= note.begin <= note.end for note in notes)


def test_times_may_be_as_late_as_they_can():
    late = b"\xff\xff\xff\x7f\x90\x3c\x40\xff\xff\xff\x7f\x80\x3c\x00" + END
    (note,) = parse_midi(midi(late))
    assert note.end == 2 * note.begin == 2 * (2**28 - 1) / 96


def test_a_file_that_would_take_minutes_is_refused(tmp_path):
    path = tmp_path / "a.mid"
    path.write_bytes(b"MThd")
    os.truncate(path, 2**20 + 1)
    with pytest.raises(ValueError, match="must be of at most 1,048,576 bytes"):
        read_midi(path)
