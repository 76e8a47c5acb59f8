"""WAV files: every form is read rightly or refused in one line that names the file."""

import functools
import io
import struct
import sys
import types
import wave

import numpy as np
import pytest

from keras_genai.files import sound
from keras_genai.files.resampling import resample
from keras_genai.files.sound import read_sound
from keras_genai.files.wav import decode_wav, encode_wav, read_wav

GUID = bytes.fromhex("000000001000800000aa00389b71")


def chunk(name, content, size=None):
    size = len(content) if size is None else size
    return name + struct.pack("<I", size) + content + b"\0" * (len(content) % 2)


def file_of(data, kind=1, channels=1, rate=8_000, bits=16, before=b"", **options):
    form = struct.pack(
        "<HHIIHH",
        *(kind, channels, rate, 0),
        *(options.pop("block", channels * bits // 8), bits),
    )
    body = b"WAVE" + chunk(b"fmt ", form + options.pop("more", b"")) + before
    body += chunk(b"data", data, **options)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def test_sixteen_bits_come_back_as_they_were_and_other_programs_read_them():
    numbers = np.random.default_rng(0).integers(-(2**15), 2**15, 500)
    content = encode_wav(numbers / 2**15, 8_000)
    waves, rate = decode_wav(content)
    assert rate == 8_000
    assert waves.dtype == np.float32
    np.testing.assert_array_equal(waves[:, 0] * 2**15, numbers)
    with wave.open(io.BytesIO(content)) as file:
        assert file.getparams()[:4] == (1, 2, 8_000, 500)
        assert np.frombuffer(file.readframes(500), "<i2").tolist() == numbers.tolist()


def test_loud_samples_are_cut_off_and_do_not_wrap_around():
    waves, _ = decode_wav(encode_wav(np.array([2.0, 1.0, -1.0, -3.0]), 8_000))
    np.testing.assert_allclose(waves[:, 0], [1, 1, -1, -1], atol=1e-4)


@pytest.mark.parametrize(
    ("bits", "kind", "data", "expected"),
    [
        (8, 1, bytes([0, 128, 192]), [-1, 0, 0.5]),
        (24, 1, b"\0\0\xc0" + b"\0\0\x20", [-0.5, 0.25]),
        (32, 1, struct.pack("<2i", -(2**30), 2**29), [-0.5, 0.25]),
        (32, 3, struct.pack("<3f", -0.5, 0.25, 1.5), [-0.5, 0.25, 1]),
        (64, 3, struct.pack("<2d", -0.5, 0.25), [-0.5, 0.25]),
    ],
)
def test_every_width_is_read(bits, kind, data, expected):
    waves, _ = decode_wav(file_of(data, kind, bits=bits))
    np.testing.assert_array_equal(waves[:, 0], expected)


def test_extensible_stereo_of_24_bits_among_other_chunks_is_read():
    more = struct.pack("<HHIH", 22, 24, 3, 1) + GUID
    data = b"\0\0\x40" + b"\0\0\xc0" + b"\0\0\x20" + b"\0\0\x20"
    other = chunk(b"LIST", b"INFOodd")
    content = file_of(data, 0xFFFE, 2, 44_100, 24, before=other, more=more)
    waves, rate = decode_wav(content + chunk(b"id3 ", b"later"))
    assert rate == 44_100
    np.testing.assert_array_equal(waves, [[0.5, -0.5], [0.25, 0.25]])


def test_what_was_streamed_and_never_finished_is_read_to_its_end():
    waves, _ = decode_wav(file_of(b"\0\x40" * 3, size=2**32 - 1) + b"\0")
    np.testing.assert_array_equal(waves[:, 0], [0.5] * 3)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "must be a WAV file"),
        (b"ID3\x04 an mp3 with a wrong name", "must be a WAV file"),
        (file_of(b"\0\0")[:30], "is truncated"),
        (file_of(b"\0\0")[:36], "no chunk of samples"),
        (
            file_of(b"\0\0", size=2**31),
            "is truncated.*2,147,483,648 bytes.*Received: 2",
        ),
        (file_of(b""), "at least one sample"),
        (file_of(b"\0"), "at least one sample"),
        (file_of(b"\0\0", rate=0), "samples a second. Received: 0"),
        (file_of(b"\0\0", rate=2**32 - 1, bits=8, block=1), "Received: 4,294,967,295"),
        (file_of(b"\0\0", channels=0), "0 channels"),
        (file_of(b"\0\0", block=7), "blocks of 7 bytes"),
        (file_of(b"\0\0", bits=12), "form 1 of 12 bits"),
        (file_of(b"\0\0", kind=7, bits=8), "form 7 of 8 bits"),
        (file_of(b"\0\0", kind=0xFFFE), "another form"),
        (file_of(struct.pack("<f", np.nan), 3, bits=32), "NaN or infinity"),
        (b"RIFF\0\0\0\0WAVE" + chunk(b"data", b"\0\0"), "before their form"),
        (b"RIFF\0\0\0\0WAVE" + chunk(b"fmt ", b"\0\0"), "form has 2 bytes"),
    ],
)
def test_what_is_no_sound_is_refused_in_one_line_that_names_the_file(
    tmp_path, content, said
):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=f"a.wav {said}|a.wav .*{said}") as caught:
        read_wav(path)
    assert "\n" not in str(caught.value)


def test_channels_are_mixed_and_the_rate_is_the_one_asked_for(tmp_path):
    path = tmp_path / "a.WAV"
    numbers = np.array([[8_192, 0]] * 1_600, "<i2")
    path.write_bytes(file_of(numbers.tobytes(), channels=2, rate=16_000))
    wave = read_sound(path, 8_000)
    assert wave.shape == (800,)
    np.testing.assert_allclose(wave[100:-100], 0.125, atol=1e-4)


def test_a_file_that_would_grow_beyond_all_memory_is_refused(tmp_path, monkeypatch):
    path = tmp_path / "slow.wav"
    path.write_bytes(file_of(bytes(20), rate=1_000))
    monkeypatch.setattr(sound, "MOST_NUMBERS", 480)
    assert len(read_sound(path, 48_000)) == 480
    monkeypatch.setattr(sound, "MOST_NUMBERS", 479)
    said = (
        r"slow\.wav must have at most 479 samples at 48,000 Hz\. "
        r"Received: 10 at 1,000 Hz, which are 480"
    )
    with pytest.raises(ValueError, match=said):
        read_sound(path, 48_000)


def test_another_kind_of_file_needs_the_extra_and_says_so(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "soundfile", None)
    with pytest.raises(ImportError, match=r"keras_genai\[audio\]"):
        read_sound(tmp_path / "a.flac", 8_000)


class Opened:
    """What `soundfile` opens: what its header says, and three samples."""

    def __init__(self, file, frames=3, samplerate=8_000):
        self.frames, self.channels, self.samplerate = frames, 2, samplerate

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def read(self, dtype, always_2d):
        assert self.frames < 2**30, "memory for all of these is taken first"
        assert always_2d
        return np.array([[0.5, 0.0], [2.0, 0.0], [-0.5, -0.5]], dtype)


def read_as(path, monkeypatch, **header):
    path.touch()
    made = types.ModuleType("soundfile")
    made.SoundFile = functools.partial(Opened, **header)
    monkeypatch.setitem(sys.modules, "soundfile", made)
    return read_sound(path, 8_000)


def test_a_file_of_another_kind_is_mixed_and_cut_off(tmp_path, monkeypatch):
    found = read_as(tmp_path / "a.flac", monkeypatch)
    np.testing.assert_allclose(found, [0.25, 0.5, -0.5])


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({"frames": 2**63 - 1}, "a.ogg must have at most 1,073,741,824 samples in all"),
        ({"frames": 2**29 + 1}, "Received: 536,870,913 in 2 each"),
        ({"samplerate": 10}, "must have from 1,000 to 768,000 samples a second"),
    ],
)
def test_a_file_is_refused_by_its_header_before_it_is_read(
    header, said, tmp_path, monkeypatch
):
    with pytest.raises(ValueError, match=said):
        read_as(tmp_path / "a.ogg", monkeypatch, **header)


@pytest.mark.parametrize("rates", [(44_100, 16_000), (8_000, 22_050), (48_000, 16_000)])
def test_a_tone_keeps_its_pitch_phase_and_loudness_at_another_rate(rates):
    old, new = rates
    tone = np.sin(2 * np.pi * 1_234.5 * np.arange(old) / old + 0.3)
    expected = np.sin(2 * np.pi * 1_234.5 * np.arange(new) / new + 0.3)
    found = resample(tone, old, new)
    assert found.shape == (new,)
    np.testing.assert_allclose(found[400:-400], expected[400:-400], atol=1e-4)


def test_what_the_new_rate_cannot_hold_is_removed_and_not_folded_back():
    tone = np.sin(2 * np.pi * 6_000 * np.arange(16_000) / 16_000)
    assert np.abs(resample(tone, 16_000, 8_000)[200:-200]).max() < 1e-5


def test_odd_rates_need_no_table_of_all_phases():
    tone = np.sin(2 * np.pi * 440 * np.arange(4_001) / 400_009)
    found = resample(tone, 400_009, 399_989)
    expected = np.sin(2 * np.pi * 440 * np.arange(len(found)) / 399_989)
    np.testing.assert_allclose(found[100:-100], expected[100:-100], atol=1e-4)
