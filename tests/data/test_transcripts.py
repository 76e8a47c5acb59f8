"""Transcribed recordings of one's own: what is read, where it goes, what is refused."""

import dataclasses

import numpy as np
import pytest
import toy_recordings

from keras_genai.data import recordings, speech, transcripts
from keras_genai.data.tokenizer import Tokenizer
from keras_genai.modalities import Mel
from keras_genai.training.content import content_hash

MEL = Mel(8_000, window=256, hop=80, bands=6)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return toy_recordings.write(tmp_path_factory.mktemp("own"))


@pytest.fixture(scope="module")
def splits(folder):
    return speech.source(f"folder:{folder}")(4, mel=MEL)


def test_batches_have_the_spectrograms_letters_and_speakers_of_recordings(
    splits, folder
):
    whole = recordings.transcribed_folder(folder, MEL.rate)
    mels = [MEL.read(whole.wave(row))[0] for row in range(len(whole))]
    seen = 0
    for batch in splits.train.epoch():
        assert batch.keys() == {"mels", "frames", "tokens", "speakers"}
        batch = {name: value.numpy() for name, value in batch.items()}
        assert batch["tokens"].shape == (4, 8)
        for mel, frames, tokens, who in zip(*batch.values(), strict=True):
            assert not mel[frames:].any()
            # The last frames of padded sounds are others: there is no mirror image.
            (row,) = (
                row
                for row, each in enumerate(mels)
                if len(each) == frames
                and np.allclose(each[:-3], mel[: frames - 3], atol=1e-3)
            )
            text = splits.tokenizer.decode(tokens[tokens > 0])
            assert text == transcripts.written(whole.about["texts"][row])
            name = splits.kind("speakers").names[who]
            assert whole.about["names"][row].startswith(f"{name}/")
            seen += 1
    assert seen == 16


def test_a_tenth_tests_and_a_tenth_validates_in_every_run(splits, folder):
    names = [part["names"].tolist() for part in (splits.held_out, splits.test)]
    assert [len(each) for each in names] == [2, 2]
    other = transcripts.folder(2, seed=1, path=folder, mel=MEL)
    assert names == [part["names"].tolist() for part in (other.held_out, other.test)]
    assert not {*names[0]} & {*names[1]}
    assert splits.test.keys() == {"waves", "samples", "names", "texts", "speakers"}
    assert content_hash(splits.train) == content_hash(other.train)


def test_what_is_added_later_moves_few_recordings(splits, tmp_path):
    more = toy_recordings.write(tmp_path, count=22)
    later = transcripts.folder(2, path=more, mel=MEL)
    for one, other in ((splits.test, later.test), (splits.held_out, later.held_out)):
        moved = {*one["names"].tolist()} ^ {*other["names"].tolist()}
        assert len(moved) <= 4  # two come at most, and push as many out


def test_a_text_is_lower_case_letters_that_are_tokens_behind_the_padding(splits):
    tokenizer = splits.tokenizer
    assert tokenizer.pad_token == 0
    assert tokenizer.decode(tokenizer.encode("why not")) == "why not"
    roles = tokenizer.start_token, tokenizer.end_token, tokenizer.unknown_token
    letters = {*"yes no why not so be it"}
    assert sorted(roles) == [len(letters) + 1 + place for place in range(3)]
    assert tokenizer.encode("Z").tolist() == [tokenizer.unknown_token]
    assert transcripts.written(" E\u0301 \0 Be\n") == "\u00e9 be"


def test_what_is_typed_is_read_as_texts_are_learned(splits):
    learned = splits.kind("tokens").read("why not")
    again = Tokenizer.from_json(splits.tokenizer.to_json())
    kept = dataclasses.replace(splits.kind("tokens"), tokenizer=again)
    for typed in ("Why not", "WHY NOT", " why \n not\t", "why\0not"):
        np.testing.assert_array_equal(splits.kind("tokens").read(typed), learned)
        np.testing.assert_array_equal(kept.read(typed), learned)
    assert (learned > 0).sum() == len("why not")


def test_recordings_of_no_inner_folder_have_one_speaker(tmp_path):
    folder = toy_recordings.write(tmp_path, count=3, voices=("",))
    splits = transcripts.folder(1, path=folder, mel=MEL)
    assert splits.kind("speakers").names == ("speaker",)
    assert [len(part["names"]) for part in (splits.held_out, splits.test)] == [1, 1]
    assert next(iter(splits.train))["speakers"].numpy().tolist() == [0]


def test_what_is_too_long_is_left_out_and_counted(folder):
    said = "left out 11 of 20 recordings: 8 of more than 0.27 s, 5 of more than 7"
    with pytest.warns(UserWarning, match=said):
        splits = transcripts.folder(1, path=folder, mel=MEL, seconds=0.27, letters=7)
    parts = splits.held_out, splits.test
    assert max(part["samples"].max() for part in parts) <= 0.27 * 8_000
    assert splits.train.steps_per_epoch == 7
    coarse = Mel(8_000, window=256, hop=400, bands=6)
    with pytest.warns(UserWarning, match="left out 9 of 20.*9 of fewer frames than"):
        transcripts.folder(1, path=folder, mel=coarse)
    with pytest.raises(ValueError, match=r"at least 3 recordings.*20 of more than 1 l"):
        transcripts.folder(1, path=folder, mel=MEL, letters=1)


def test_a_recording_that_is_named_twice_is_refused(tmp_path):
    folder = toy_recordings.write(tmp_path, count=3)
    table = folder / "metadata.csv"
    table.write_text(table.read_text() + "\nann//00|again\n")
    with pytest.raises(ValueError, match=r"each recording once.*ann/00 2 times"):
        transcripts.folder(1, path=folder, mel=MEL)


@pytest.mark.parametrize(
    ("name", "value"),
    [("seconds", 0), ("seconds", "x"), ("letters", 0), ("mel", 80)],
)
def test_an_argument_that_cannot_be_is_named(name, value, folder):
    with pytest.raises((TypeError, ValueError), match=f"`{name}` must be"):
        transcripts.folder(1, path=folder, **{"mel": MEL, name: value})


def test_a_source_is_a_folder_with_transcripts_or_the_digits(tmp_path, folder):
    assert speech.source("digit_strings") is speech.digit_strings
    assert speech.source(str(folder)).keywords == {"path": str(folder)}
    for spec in (str(tmp_path), "folder:nowhere"):
        with pytest.raises(FileNotFoundError, match=r"a folder that has metadata\.csv"):
            speech.source(spec)
    with pytest.raises(ValueError, match="`data` must be 'digit_strings', folder:PATH"):
        speech.source("digits")
    (tmp_path / "metadata.csv").write_text("a|text\n")
    with pytest.raises(FileNotFoundError, match=r"wavs/a\.wav"):
        transcripts.folder(1, path=tmp_path, mel=MEL)
