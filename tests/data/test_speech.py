"""Spoken digits: splits by take, crops and strings that depend on the step alone."""

import numpy as np
import pytest
import tensorflow as tf

from keras_genai.data import recordings, sounds, speech
from keras_genai.files.wav import encode_wav
from keras_genai.modalities import Mel


@pytest.fixture(scope="module")
def splits():
    return sounds.spoken_digits(batch_size=8, crop=700, tail=50, stand_in=True)


@pytest.fixture(scope="module")
def train():
    """Recordings of the stand-in that train."""
    return speech.digit_parts(stand_in=True)[0][0]


@pytest.fixture(scope="module")
def strings():
    return speech.digit_strings(batch_size=8, stand_in=True)


def write(folder, digit, speaker, take, samples=90):
    draws = np.random.default_rng([digit, take])
    wave = draws.uniform(-0.5, 0.5, samples + take)
    path = folder / f"{digit}_{speaker}_{take}.wav"
    path.write_bytes(encode_wav(wave, speech.RATE))
    return wave


def test_the_data_sets_own_files_are_split_by_take(tmp_path):
    folder = tmp_path / "fsdd/recordings"
    folder.mkdir(parents=True)
    waves = {
        (digit, who, take): write(folder, digit, who, take)
        for digit in range(10)
        for who in ("ann", "bob")
        for take in (0, 4, 5, 7, 8, 49)
    }
    for data_dir in (tmp_path, tmp_path / "fsdd", folder):
        (train, held_out, test), speakers = speech.digit_parts(data_dir)
        assert speakers == ("ann", "bob")
        for part, takes in ((train, (8, 49)), (held_out, (5, 7)), (test, (0, 4))):
            assert len(part) == 40
            assert set(part.about["takes"]) == {*takes}
    row = 7
    key = [train.about[name][row] for name in ("labels", "speakers", "takes")]
    expected = waves[key[0], speakers[key[1]], key[2]]
    np.testing.assert_allclose(train.wave(row), expected, atol=1e-4)


def test_a_speaker_who_is_left_out_is_only_in_the_test():
    (train, held_out, test), _ = speech.digit_parts(
        left_out="synthetic_low", stand_in=True
    )
    assert set(test.about["speakers"]) == {1}
    others = {*train.about["speakers"], *held_out.about["speakers"]}
    assert others == {0}
    assert train.about["takes"].min() >= 8
    assert len(test) == 160
    with pytest.raises(ValueError, match="`left_out` must be one of synthetic_high"):
        speech.digit_parts(left_out="ann", stand_in=True)


def test_what_is_missing_or_misnamed_is_said(tmp_path):
    with pytest.raises(FileNotFoundError, match="digit_speaker_take"):
        sounds.spoken_digits(4, data_dir=tmp_path)
    for take in (0, 9):
        write(tmp_path, 3, "ann", take)
    with pytest.raises(ValueError, match="for the part validation"):
        speech.digit_parts(tmp_path)
    write(tmp_path, 3, "ann", 6)
    with pytest.raises(ValueError, match="for the part train"):
        speech.digit_parts(tmp_path, left_out="ann")
    (tmp_path / "3_ann_6.wav").rename(tmp_path / f"3_ann_{'6' * 20}.wav")
    with pytest.raises(ValueError, match="must be called digit_speaker_take"):
        speech.digit_parts(tmp_path)
    (tmp_path / f"3_ann_{'6' * 20}.wav").unlink()
    write(tmp_path, 3, "ann_b", 1)
    with pytest.raises(ValueError, match="must be called digit_speaker_take"):
        speech.digit_parts(tmp_path)


def test_crops_are_what_the_recordings_hold_and_silence(splits, train):
    waves = [np.pad(train.wave(row), (0, 50)) for row in range(len(train))]
    known = {wave[:700].tobytes() for wave in waves}
    seen = set()
    for batch in splits.train.epoch():
        waves, samples, starts = (
            batch[name].numpy() for name in ("waves", "samples", "starts")
        )
        assert waves.shape == (8, 700)
        for wave, count, start in zip(waves, samples, starts, strict=True):
            assert not wave[count:].any()
            assert not wave[max(count - 50, 0) : count].any() or count == 700
            seen.add(start > 0)
            if not start:
                assert wave[:count].tobytes() in known
    assert seen == {False, True}


def test_crops_fall_about_evenly_on_all_of_a_long_recording():
    wave = np.arange(1, 1_001) / 2_000
    long = recordings.of_waves([wave], speech.RATE, {})
    counts = np.zeros(1_000)
    loader = recordings.crop_loader(long, 1, 100)
    for batch in loader.dataset().take(600):
        heard = batch["waves"][0].numpy()[: int(batch["samples"][0])]
        place = np.round(heard * 2_000).astype(int) - 1
        assert int(batch["starts"][0]) == place[0]
        counts[place] += 1
    assert counts.min() > 12
    assert counts[100:900].max() < 3 * counts[100:900].min()


def test_a_crop_depends_on_seed_and_step_and_nothing_else(splits):
    again = sounds.spoken_digits(batch_size=8, crop=700, tail=50, stand_in=True)
    first = next(iter(splits.train.dataset(start=33)))
    for one, other in zip(
        tf.nest.flatten(first),
        tf.nest.flatten(next(iter(again.train.dataset(33)))),
        strict=True,
    ):
        np.testing.assert_array_equal(one, other)
    other = next(iter(splits.train.dataset(start=34)))
    assert np.abs(first["waves"] - other["waves"]).max() > 0


def test_validation_begins_at_the_beginning_and_test_is_whole(splits):
    batch = next(iter(splits.validation))
    assert not batch["starts"].numpy().any()
    test = splits.test
    assert test["waves"].shape[1] == test["samples"].max()
    assert len(test["labels"]) == 100
    for kind in splits.kinds:
        for name, field in kind.fields.items():
            field.check(name, test[name])


def test_a_string_is_its_digits_by_one_speaker_with_gaps(train):
    made = speech.Strings(
        train, 30, speed=(1, 1), gain=(1, 1), noise=(0, 0), gap=(0.05, 0.1)
    )
    for index in range(30):
        plan = {key: value[index] for key, value in made.plan.items()}
        rows = plan["rows"][: plan["size"]]
        string = made[index]
        assert len(string["waves"]) == made.lengths[index]
        labels = train.about["labels"][rows]
        assert string["texts"].split() == [speech.WORDS[label] for label in labels]
        assert set(train.about["speakers"][rows]) == {string["speakers"]}
        place = 0
        for row, gap in zip(rows, plan["gaps"], strict=False):
            assert 400 <= gap < 800
            assert not string["waves"][place : place + gap].any()
            place += gap
            spoken = train.wave(row)
            np.testing.assert_array_equal(
                string["waves"][place : place + len(spoken)], spoken
            )
            place += len(spoken)
        assert len(string["waves"]) == place + plan["gaps"][plan["size"]]
    assert set(made.plan["size"]) == {1, 2, 3, 4, 5, 6}


def test_speed_gain_and_noise_are_as_they_were_asked_for(train):
    settings = dict(gap=(0, 0), longest=1)
    plain, fast = (
        speech.Strings(train, 5, **settings, noise=(0, 0), gain=(1, 1), speed=(x, x))
        for x in (1, 2)
    )
    noisy = speech.Strings(
        train, 5, **settings, noise=(0.1, 0.1), gain=(0.5, 0.5), speed=(1, 1)
    )
    for index in range(5):
        wave = plain[index]["waves"]
        assert abs(len(fast[index]["waves"]) - len(wave) / 2) <= 1
        np.testing.assert_array_equal(fast[index]["waves"][:300], wave[:600:2])
        noise = noisy[index]["waves"] - 0.5 * wave
        assert abs(noise.std() / wave.std() - 0.05) < 0.005


def test_noise_is_that_of_the_softest_digit():
    (train, _, _), _ = speech.digit_parts(stand_in=True)
    every = [train.wave(index) for index in range(len(train))]
    every[::2] = [wave / 20 for wave in every[::2]]
    quiet = recordings.of_waves(every, train.rate, train.about)
    made = speech.Strings(quiet, 30, noise=(0.1, 0.1), gain=(1, 1))
    for size, rows, noise in zip(
        *(made.plan[key] for key in ("size", "rows", "noise")), strict=True
    ):
        softest = min(quiet.wave(row).std() for row in rows[:size])
        np.testing.assert_allclose(noise, 0.1 * softest)


def test_bare_strings_begin_and_end_with_a_digit():
    (train, _, _), _ = speech.digit_parts(stand_in=True)
    made = speech.Strings(train, 200, gap=(0.05, 0.1), bare=0.3)
    ends = [
        (gaps[0] == 0, gaps[size] == 0)
        for size, gaps in zip(made.plan["size"], made.plan["gaps"], strict=True)
    ]
    assert all(first == last for first, last in ends)
    assert 30 < sum(first for first, _ in ends) < 90
    assert speech.Strings(train, 20, gap=(0.05, 0.1)).plan["gaps"].min() > 0


def test_strings_come_as_waves_and_tokens_of_similar_length(strings):
    lengths = []
    for batch in strings.train.epoch():
        samples = batch["samples"].numpy()
        assert batch["waves"].shape[1] >= samples.max()
        lengths.append(samples.max() - samples.min())
        for wave, count in zip(batch["waves"].numpy(), samples, strict=True):
            assert not wave[count:].any()
        assert batch["tokens"].shape[1] == 6
    assert np.median(lengths) < 4_000
    assert len({batch["waves"].shape[1] for batch in strings.train.epoch()}) <= 8
    row = batch["tokens"][0].numpy()
    said = strings.tokenizer.decode(row[row > 0])
    assert 1 <= len(said.split()) == (row > 0).sum()
    assert {*said.split()} <= {*speech.WORDS}


def test_strings_come_as_spectrograms_with_their_true_lengths(strings):
    mel = Mel(speech.RATE, 256, 80, 20)
    heard = speech.digit_strings(batch_size=8, mel=mel, stand_in=True)
    waves, mels = (next(iter(s.train.dataset(5))) for s in (strings, heard))
    assert mels.keys() == {"mels", "frames", "tokens", "speakers"}
    np.testing.assert_array_equal(mels["tokens"], waves["tokens"])
    np.testing.assert_array_equal(mels["frames"], waves["samples"] // 80 + 1)
    expected = mel(waves["waves"], waves["samples"])
    np.testing.assert_allclose(mels["mels"], expected, atol=1e-4)
    assert heard.sizes["bands"] == 20


def test_strings_depend_on_seed_and_step_and_nothing_else(strings):
    again = speech.digit_strings(batch_size=8, stand_in=True)
    other = speech.digit_strings(batch_size=8, seed=1, stand_in=True)
    first, second, third = (
        next(iter(each.train.dataset(7)))["waves"] for each in (strings, again, other)
    )
    np.testing.assert_array_equal(first, second)
    assert first.shape != third.shape or np.abs(first - third).max() > 0
    np.testing.assert_array_equal(strings.test["waves"], other.test["waves"])
    assert strings.test["texts"].tolist() == other.test["texts"].tolist()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("gap", (0.2, 0.1)),
        ("gap", 0.1),
        ("bare", 1.5),
        ("speed", (0, 1)),
        ("noise", (0, float("nan"))),
        ("gain", (0, "x")),
        ("longest", 0),
        ("strings", 0),
        ("mel", 80),
    ],
)
def test_what_no_string_can_be_is_refused(name, value):
    with pytest.raises((TypeError, ValueError), match=f"`{name}` must be") as caught:
        speech.digit_strings(4, stand_in=True, **{name: value})
    assert "\n" not in str(caught.value)


def test_folders_of_sounds_are_labelled_by_their_names(tmp_path):
    for owner, take in (("cats", 1), ("cats", 2), ("dogs", 3)):
        (tmp_path / owner).mkdir(exist_ok=True)
        write(tmp_path / owner, take, "x", 0)
    (tmp_path / "dogs/notes.txt").write_text("no sound")
    found, names = recordings.labelled_folder(tmp_path, 8_000)
    assert names == ("cats", "dogs")
    assert found.about["labels"].tolist() == [0, 0, 1]
    with pytest.raises(ValueError, match="must have sounds"):
        recordings.labelled_folder(tmp_path / "none", 8_000)


def test_a_folder_of_ones_own_becomes_crops_of_all_its_sounds(tmp_path):
    for owner in ("cats", "dogs"):
        (tmp_path / owner).mkdir()
        for take in range(10):
            write(tmp_path / owner, take, "x", 0)
    for spec in (str(tmp_path), f"folder:{tmp_path}"):
        splits = sounds.source(spec)(4, crop=50)
    audio, label = splits.kinds
    assert (audio.rate, label.names) == (speech.RATE, ("cats", "dogs"))
    counts = [len(part["labels"]) for part in (splits.held_out, splits.test)]
    assert counts == [2, 2]
    batch = next(iter(splits.train))
    assert batch["waves"].shape == (4, 50)
    assert len(splits.train.recordings) == 16
    (no_labels,) = sounds.folder(4, path=tmp_path / "cats").kinds
    assert no_labels == audio
    with pytest.raises(FileNotFoundError, match="a folder that exists"):
        sounds.source("folder:nowhere")
    with pytest.raises(ValueError, match=r"folder:PATH.* or an existing folder"):
        sounds.source("nowhere")


def test_a_folder_with_transcripts_is_read_as_ljspeech_has_it(tmp_path):
    (tmp_path / "wavs").mkdir()
    write(tmp_path / "wavs", 1, "x", 0)
    write(tmp_path / "wavs", 2, "x", 5)
    table = tmp_path / "metadata.csv"
    table.write_text("1_x_0|It is 5.|It is five.\n2_x_5|Good.\n")
    found = recordings.transcribed_folder(tmp_path, 4_000)
    assert found.about["texts"].tolist() == ["It is five.", "Good."]
    assert found.lengths.tolist() == [45, 48]
    table.write_text("1_x_0|It is 5.\n2_x_5\n")
    with pytest.raises(ValueError, match="line 2, must be a name"):
        recordings.transcribed_folder(tmp_path, 4_000)


@pytest.mark.slow
def test_crops_have_the_spectrograms_of_their_part_of_the_whole_recording():
    mel = Mel(8_000, window=256, hop=80, bands=6)
    splits = sounds.spoken_digits(4, crop=400, tail=100, mel=mel, stand_in=True)
    assert splits.kind("mels") is mel
    loader = splits.train
    assert loader.recordings.lengths.min() > 400
    waves = [loader.recordings.wave(i) for i in range(len(loader.recordings))]
    amid = ends = 0
    for batch in loader.take(6):
        batch = {name: value.numpy() for name, value in batch.items()}
        assert batch["mels"].shape == (4, 400 // 80 + 1, 6)
        for row, crop in enumerate(batch["waves"]):
            index, start = _found(waves, crop[:200])
            frames = batch["frames"][row]
            expected = mel.read(waves[index])[0][start // 80 :][: 400 // 80 + 1]
            assert (start % 80, frames) == (0, len(expected))
            np.testing.assert_allclose(
                batch["mels"][row, :frames], expected, rtol=1e-5, atol=1e-4
            )
            assert not batch["mels"][row, frames:].any()
            amid, ends = amid + (start > 0), ends + (frames < 6)
    assert amid
    assert ends
    with pytest.raises(ValueError, match="`crop` must be a multiple of the hop"):
        sounds.spoken_digits(4, crop=810, mel=mel, stand_in=True)


def _found(waves, part):
    """Which of some waves has a part, and where."""
    for index, wave in enumerate(waves):
        for start in range(0, len(wave) - len(part) + 1, 80):
            if np.array_equal(wave[start : start + len(part)], part):
                return index, start
    raise AssertionError("no recording has such a crop")


@pytest.mark.parametrize("name", ["../x", "/x", "a/../../x"])
def test_a_folder_with_transcripts_names_no_file_outside(name, tmp_path):
    (tmp_path / "metadata.csv").write_text(f"{name}|text\n")
    with pytest.raises(ValueError, match=r"line 1, must be a name, \| and a text"):
        recordings.transcribed_folder(tmp_path, 4_000)


def test_a_folder_with_transcripts_has_some(tmp_path):
    (tmp_path / "metadata.csv").write_text("\n")
    with pytest.raises(ValueError, match=r"metadata\.csv must have at least one line"):
        recordings.transcribed_folder(tmp_path, 4_000)


@pytest.mark.parametrize("rate", [0, 4_000.5])
def test_a_rate_that_is_none_is_refused_before_a_file_is_read(rate, tmp_path):
    with pytest.raises((TypeError, ValueError), match="`rate` must be an int >= 1000"):
        sounds.folder(1, path=tmp_path, rate=rate)
