"""Sounds and spectrograms: how they are handed in, batched, shown and written."""

import io

import numpy as np
import PIL.Image
import pytest

from keras_genai import registry
from keras_genai.files.wav import decode_wav, encode_wav
from keras_genai.modalities import Audio, Mel


def tone(samples, pitch=0.1):
    return (0.5 * np.sin(pitch * np.arange(samples))).astype("float32")


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "a.wav"
    path.write_bytes(encode_wav(tone(800), 8_000))
    return path


def test_a_sound_is_read_from_a_file_samples_integers_and_lists(path):
    audio = Audio(8_000)
    integers = np.round(tone(800) * 2**15).astype("int16")
    for value in (path, str(path), [path], tone(800), integers, tone(800)[None]):
        (row,) = audio.read(value)
        assert row.dtype == np.float32
        np.testing.assert_allclose(row, tone(800), atol=1e-4)
    assert [len(row) for row in audio.read([path, tone(300)])] == [800, 300]
    assert [len(row) for row in audio.rows(path, 3)] == [800] * 3


def test_sounds_of_one_length_are_followed_by_silence():
    found = Audio(8_000, length=10).read([tone(4) + 1e-3, tone(10)])
    assert found.shape == (2, 10)
    assert not found[0, 4:].any()
    with pytest.raises(ValueError, match="`waves` must have at most 10 samples"):
        Audio(8_000, length=10).read(tone(11))


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (np.full(9, 2.0), r"float in \[-1, 1\].*from 2 to 2"),
        (np.full(9, np.nan), r"float in \[-1, 1\]"),
        (np.full(9, 300), "divide 16-bit integers by 32768"),
        ([[], []], "at least one sample"),
        ([], "at least one sample"),
        (np.zeros((2, 3, 4)), "of shape"),
    ],
)
def test_what_is_no_sound_is_refused(value, said):
    with pytest.raises(ValueError, match=said):
        Audio(8_000).read(value)
    with pytest.raises(ValueError, match="`rate` must be"):
        Audio(0)


def test_batches_say_how_many_samples_and_frames_are_sound():
    audio, mel = Audio(8_000), Mel(8_000, 256, 80, 20)
    waves = [tone(800), tone(300)]
    for kind, lengths in ((audio, [800, 300]), (mel, [11, 4])):
        batch = kind.batch(kind.read(waves))
        assert batch.keys() == kind.fields.keys()
        counts = [value for key, value in batch.items() if key != kind.key]
        assert counts[0].tolist() == lengths
        for name, field in kind.fields.items():
            field.check(name, batch[name])


def test_several_sounds_are_written_one_after_the_other_with_gaps(tmp_path):
    audio = Audio(8_000)
    path = audio.write(tmp_path / "sheet.txt", [tone(800), tone(400)])
    assert path.name == "sheet.wav"
    wave = decode_wav(path.read_bytes())[0][:, 0]
    assert wave.shape == (800 + 2_000 + 400,)
    assert not wave[800:2_800].any()
    np.testing.assert_allclose(wave[2_800:], tone(400), atol=1e-4)


def test_sounds_and_spectrograms_are_drawn(tmp_path):
    mel = Mel(8_000, 256, 80, 20)
    sizes = []
    for kind, value in (
        (Audio(8_000), [tone(800), tone(3)]),
        (Audio(8_000), tone(800)),
        (Audio(8_000), np.zeros((1, 5_000))),
        (mel, mel.read([tone(800), tone(300)])),
        (mel, mel.read(tone(800))[0]),
    ):
        picture = PIL.Image.open(io.BytesIO(kind.picture(value)))
        sizes.append(picture.size)
    assert sizes == [(512, 264), (512, 132), (512, 132), (512, 164), (512, 82)]


def test_a_higher_tone_is_drawn_higher():
    mel = Mel(8_000, 256, 80, 20)
    rows = []
    for pitch in (0.2, 1.5):
        picture = mel.picture(mel.read(tone(8_000, pitch)))
        pixels = np.asarray(PIL.Image.open(io.BytesIO(picture)), "int")[:80]
        rows.append(int(pixels.sum(axis=(1, 2)).argmax()))
    assert rows[0] > rows[1]


def test_spectrograms_read_whatever_audio_reads(path):
    mel = Mel(8_000, 256, 80, 20)
    (row,) = mel.read(path)
    assert row.shape == (11, 20)
    np.testing.assert_allclose(row, mel.read(Audio(8_000).read(path))[0])
    fixed = Mel(8_000, 256, 80, 20, length=30, drop_last=True)
    assert fixed.read([path, path]).shape == (2, 30, 20)
    assert [*fixed.fields] == ["mels"]
    with pytest.raises(ValueError, match="`mels` must have at most 2400 samples"):
        fixed.read(tone(2_401))


def test_settings_are_the_config_that_a_preset_keeps():
    for kind in (Audio(8_000), Mel(16_000, 400, 160, log10=True, length=3_000)):
        assert registry.from_plain(registry.to_plain(kind)) == kind
    assert Mel(8_000, 256, 80, 20).sizes == {"bands": 20, "hop": 80}
