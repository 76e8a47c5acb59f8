"""Recognisers of the zoo: how they are scored, fed, and asked to transcribe."""

import numpy as np
import pytest
import tensorflow as tf
from toy_listener import Perfect

import zoo
from keras_genai.files.wav import encode_wav
from zoo import __main__ as command
from zoo import _speech
from zoo._settings import read_overrides


@pytest.fixture(scope="module")
def splits():
    return zoo.get("ctc_digits").stand_in()


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


@pytest.mark.slow
def test_files_and_folders_are_transcribed_a_line_each(preset, tmp_path, capsys):
    (tmp_path / "more").mkdir()
    names = "b.wav", "more/a.wav", "more/c\nd.wav"
    draws = np.random.default_rng(0)
    for name, count in zip(names, (800, 4_000, 1_700), strict=True):
        wave = draws.uniform(-0.5, 0.5, count).astype("float32")
        (tmp_path / name).write_bytes(encode_wav(wave, 8_000))
    (tmp_path / "more/notes.txt").write_text("no sound")
    arguments = ["transcribe", str(preset), str(tmp_path / "b.wav")]
    assert not command.main([*arguments, str(tmp_path / "more")])
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        str(tmp_path / name).replace("\n", "\\n") for name in names
    ]
    assert not command.main([*arguments, "--beams", "3"])
    assert capsys.readouterr().out.startswith(str(tmp_path / "b.wav"))


def test_what_is_no_sound_is_said_before_a_model_is_opened(tmp_path, capsys):
    for name in ("none.wav", "."):
        assert command.main(["transcribe", "ctc_digits", str(tmp_path / name)]) == 2
        said = capsys.readouterr().err
        assert "`FILE` must be a sound file, or a folder with some" in said


def test_a_speaker_may_be_left_out_on_the_command_line():
    entry = zoo.get("ctc_digits")
    found = read_overrides(entry, ["left_out=theo"])
    assert found == {"overrides": {}, "source_overrides": {"left_out": "theo"}}
