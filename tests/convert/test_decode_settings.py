"""How a folder wants to be decoded: stated, left to its class, or warned of."""

import json
import pathlib
import shutil

import pytest

from keras_genai import from_preset
from keras_genai.convert.generation import read_generation, write_generation
from keras_genai.samplers import BadWords, Renormalize
from keras_genai.tasks.presets import PresetError

FILES = pathlib.Path(__file__).parent.parent / "parity/files"
FORCED = "forced_eos_token_id"


def opened(name, path, generation=None, without=(), **changes):
    """The settings of a folder with another config.json."""
    folder = shutil.copytree(FILES / name, path / "folder")
    (folder / "generation_config.json").unlink(missing_ok=True)
    if generation is not None:
        (folder / "generation_config.json").write_text(json.dumps(generation))
    config = json.loads((folder / "config.json").read_text())
    config = {key: config[key] for key in config if key not in without}
    (folder / "config.json").write_text(json.dumps({**config, **changes}))
    return from_preset(folder)


@pytest.mark.parametrize(
    ("name", "start", "forced", "ends", "repeats"),
    [
        ("bart", 2, (2,), (2,), 0),
        ("blenderbot", 1, (2,), (2,), 3),
        ("blenderbot_small", 1, (2,), (2,), 0),
        ("t5", None, (), (1,), 0),
        ("pegasus", 0, (1,), (1,), 0),
        ("mbart", 0, (2,), (2,), 0),
        ("m2m100", 2, (), (2,), 0),
    ],
)
def test_what_config_json_leaves_out_is_what_its_class_says(
    name, start, forced, ends, repeats, tmp_path
):
    keys = ("decoder_start_token_id", FORCED, "eos_token_id", "bos_token_id")
    keys += ("encoder_no_repeat_ngram_size",)
    found = opened(f"seq2seq/{name}", tmp_path, without=keys).generation
    assert found.decoder_start_token == start
    assert found.forced_end_tokens == forced
    assert found.end_tokens == ends
    assert found.encoder_no_repeat_ngram_size == repeats


def test_the_old_key_for_the_first_token_counts(tmp_path):
    changes = dict(force_bos_token_to_be_generated=True, bos_token_id=3)
    found = opened("seq2seq/bart", tmp_path, num_beams=4, min_length=5, **changes)
    assert found.generation.forced_start_token == 3
    assert found.generation.num_beams == 4
    assert found.generation.forced_end_tokens == ()  # null is stated there


def test_generation_config_counts_alone_where_there_is_one(tmp_path):
    found = opened("seq2seq/bart", tmp_path, generation={}, num_beams=4)
    assert found.generation.num_beams == 1
    assert found.generation.forced_end_tokens == ()


@pytest.mark.parametrize(
    "stated",
    [
        {"do_sample": True},
        {"stop_strings": ["x"]},
        {"num_beam_groups": 2},
        {"force_words_ids": [[1]]},
    ],
)
def test_what_is_not_followed_is_warned_of(stated):
    with pytest.warns(UserWarning, match=next(iter(stated))):
        read_generation({}, stated)


def test_a_language_model_warns_of_what_it_does_not_follow(tmp_path):
    with pytest.warns(UserWarning, match=r"num_beams.*forced_eos_token_id"):
        opened("encoder/gpt2", tmp_path, {"num_beams": 4, FORCED: 3, "max_length": 9})


@pytest.mark.parametrize(
    "stated",
    [
        {"decoder_start_token_id": 10**6},
        {"decoder_start_token_id": "x"},
        {FORCED: [10**6]},
        {"bad_words_ids": [[1]], "eos_token_id": [[1]]},
        {"max_length": 10**12},
    ],
)
def test_tokens_and_lengths_out_of_range_are_refused(stated, tmp_path):
    with pytest.raises(PresetError, match="decode settings") as caught:
        opened("seq2seq/bart", tmp_path, **stated)
    assert "\n" not in str(caught.value)


def test_bad_words_need_no_end():
    assert read_generation({}, {"bad_words_ids": [[3]]}).bad_words == ((3,),)


def test_scores_are_made_probabilities_again_after_all_other_rules():
    stated = {"renormalize_logits": True, "bad_words_ids": [[3]], "num_beams": 4}
    found = read_generation({"decoder_start_token_id": 0}, stated)
    assert found.rules() == (BadWords(((3,),)), Renormalize())
    assert write_generation(found)["renormalize_logits"] is True
    assert "renormalize_logits" not in write_generation(read_generation({}, {}))
