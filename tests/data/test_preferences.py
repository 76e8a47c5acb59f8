"""Preferences as arrays: whole texts, prompts that are their beginnings, no padding."""

import gzip
import json

import numpy as np
import pytest

from keras_genai.data import preferences, published, tokenizers
from keras_genai.data.completions import encode_completions
from keras_genai.data.turns import Turns

ROLES = dict(pad_token="<pad>", start_token="<s>", end_token="</s>")
ROWS = [
    {"prompt": "ab", "chosen": "c", "rejected": "cab", "margin": 1.5},
    {"prompt": "c", "chosen": "ba", "rejected": "a", "margin": 0.5},
]
JUDGED = [
    {"prompt": "ab", "completion": "c", "label": True},
    {"prompt": "c", "completion": "ba", "label": False},
    {"prompt": "a", "completion": "bb", "label": True},
]
TURNS = Turns(person="a{}", model="b{}", separator="", cue="b", end="c")


@pytest.fixture(scope="module")
def letters():
    return tokenizers.characters("abc", **ROLES)


def rows_of(tokenizer, arrays):
    """What each completion is, with its prompt, as text."""
    ends = arrays["completion_mask"].sum(axis=-1)
    ends = ends + arrays.get("prompt_lengths", np.ones(len(ends), int))[:, None]
    return [
        [
            "".join(tokenizer.core.id_to_token(int(i)) for i in tokens[:end])
            for tokens, end in zip(*pair, strict=True)
        ]
        for pair in zip(arrays["tokens"], ends, strict=True)
    ]


def test_pairs_are_whole_texts_with_the_end_token(letters):
    arrays = preferences.pair_arrays(letters, ROWS)
    assert rows_of(letters, arrays) == [
        ["abc</s>", "abcab</s>"],
        ["cba</s>", "ca</s>"],
    ]
    np.testing.assert_array_equal(arrays["prompt_lengths"], [2, 1])
    np.testing.assert_array_equal(arrays["margin"], [1.5, 0.5])
    np.testing.assert_array_equal(
        arrays["completion_mask"].sum(axis=-1), [[2, 4], [3, 2]]
    )
    kinds = {key: (value.dtype.name, value.shape) for key, value in arrays.items()}
    assert kinds == {
        "tokens": ("int32", (2, 2, 6)),
        "prompt_lengths": ("int32", (2,)),
        "completion_mask": ("bool", (2, 2, 4)),
        "margin": ("float32", (2,)),
    }


def test_messages_are_written_down(letters):
    rows = [
        {
            "prompt": [{"role": "user", "content": "bb"}],
            "chosen": [{"role": "assistant", "content": "ab"}],
            "rejected": [{"role": "assistant", "content": "a"}],
        }
    ]
    arrays = preferences.pair_arrays(letters, rows, turns=TURNS)
    assert rows_of(letters, arrays) == [["abbbabc", "abbbac"]]
    np.testing.assert_array_equal(arrays["prompt_lengths"], [4])
    read = preferences.sequence_pair_arrays(letters, rows, turns=TURNS)
    assert rows_of(letters, read) == [["<s>ab</s>", "<s>a</s>"]]
    np.testing.assert_array_equal(read["inputs"], [letters.encode("abbb")])
    twice = [*rows[0]["prompt"], *rows[0]["chosen"], *rows[0]["prompt"]]
    rows[0]["chosen"] = [*rows[0]["chosen"], *twice, *rows[0]["chosen"]]
    with pytest.raises(ValueError, match="of one turn, to the end"):
        preferences.pair_arrays(letters, rows, turns=TURNS)


def test_what_is_too_long_loses_its_end_and_the_end_token(letters):
    arrays = preferences.pair_arrays(letters, ROWS, length=4)
    assert rows_of(letters, arrays) == [["abc</s>", "abca"], ["cba</s>", "ca</s>"]]
    with pytest.raises(ValueError, match="begins within 2 tokens, of one turn"):
        preferences.pair_arrays(letters, ROWS, length=2)


def test_a_completion_that_was_cut_does_not_end(letters):
    rows, begins = encode_completions(
        letters, ["a", "b"], ["b", "c"], ended=[True, False]
    )
    end = letters.end_token
    assert [row.tolist() for row in rows] == [[0, 1, end], [1, 2]]
    np.testing.assert_array_equal(begins, [1, 1])


def test_a_prompt_that_ends_within_a_token_is_named():
    merging = tokenizers.bpe(["abab abab abab"] * 4, 300)
    with pytest.raises(ValueError, match="in row 1 must be tokens of its own"):
        encode_completions(merging, ["abab", "aba"], [" abab", "b abab"])


def test_a_row_without_a_token_is_named(letters):
    plain = tokenizers.characters("abc")
    with pytest.raises(ValueError, match="`prompt` of row 1 must not be empty"):
        preferences.pair_arrays(plain, [ROWS[0], {**ROWS[0], "prompt": ""}])
    empty = [{**ROWS[0], "rejected": ""}]
    with pytest.raises(ValueError, match="Row 0 must have something"):
        preferences.pair_arrays(plain, empty)
    # With an end token, nothing is an answer, too.
    assert rows_of(letters, preferences.pair_arrays(letters, empty))[0][1] == "ab</s>"


def test_a_sequence_pair_reads_the_prompt_apart(letters):
    arrays = preferences.sequence_pair_arrays(letters, ROWS)
    assert rows_of(letters, arrays) == [
        ["<s>c</s>", "<s>cab</s>"],
        ["<s>ba</s>", "<s>a</s>"],
    ]
    np.testing.assert_array_equal(arrays["inputs_mask"].sum(axis=1), [2, 1])
    own = preferences.sequence_pair_arrays(letters, ROWS, start_token=2)
    assert rows_of(letters, own)[0][0] == "cc</s>"
    with pytest.raises(ValueError, match="must have a start and an end token"):
        preferences.sequence_pair_arrays(tokenizers.characters("abc"), ROWS)
    for key in ("prompt", "chosen"):
        with pytest.raises(ValueError, match="an empty one in row 1"):
            preferences.sequence_pair_arrays(letters, [ROWS[0], {**ROWS[1], key: ""}])


def test_judged_completions_stand_beside_those_of_other_prompts(letters):
    arrays = preferences.labelled_arrays(letters, JUDGED)
    assert rows_of(letters, arrays) == [
        ["abc</s>", "abba</s>"],
        ["cba</s>", "cbb</s>"],
        ["abb</s>", "ac</s>"],
    ]
    np.testing.assert_array_equal(arrays["labels"], [1, 0, 1])
    read = preferences.sequence_labelled_arrays(letters, JUDGED)
    np.testing.assert_array_equal(read["labels"], [1, 0, 1])
    with pytest.raises(ValueError, match="`rows` must be at least 2"):
        preferences.labelled_arrays(letters, JUDGED[:1])


def test_an_encoder_reads_prompt_and_completion_as_a_pair_of_texts():
    reader = published.for_encoder(
        tokenizers.wordpiece(["a b c"] * 4, 40, **ROLES, unknown_token="<unk>")
    )
    rows = [{**row, "prompt": "a b"} for row in ROWS]
    arrays = preferences.framed_pair_arrays(reader, rows)
    assert {key: value.shape[:2] for key, value in arrays.items()} == {
        "tokens": (2, 2),
        "tokens_mask": (2, 2),
        "segments": (2, 2),
        "margin": (2,),
    }
    assert arrays["segments"].any()
    bare = preferences.framed_pair_arrays(
        reader, [{**row, "prompt": ""} for row in ROWS]
    )
    assert not bare["segments"].any()


def test_a_shared_prompt_ends_with_its_last_mark():
    row = preferences.split_prompt("Q: a A: b Q: c A: d", "Q: a A: b Q: c A: e", "A:")
    assert row == {"prompt": "Q: a A: b Q: c A:", "chosen": " d", "rejected": " e"}
    # A mark within an answer is none of the prompt.
    row = preferences.split_prompt("Q: a A: b A: c", "Q: a A: d A: c", "A:")
    assert row["prompt"] == "Q: a A:"
    with pytest.raises(ValueError, match="must share a prompt that ends with 'A:'"):
        preferences.split_prompt("Q: a", "Q: b", "A:")


@pytest.mark.parametrize("rows", [[{"prompt": "a"}], [("a", "b", "c")], JUDGED])
def test_rows_of_other_parts_are_named(letters, rows):
    with pytest.raises(
        ValueError, match="`rows` must be dicts with prompt, chosen, rejected"
    ):
        preferences.pair_arrays(letters, rows)


def write_hh(folder, name, count):
    turns = "\n\nHuman: what is {}?\n\nAssistant:"
    rows = [
        {
            "chosen": turns.format(index) + " a number",
            "rejected": turns.format(index) + f" I will not say {index}",
        }
        for index in range(count)
    ]
    rows.append({"chosen": "no turns", "rejected": "at all"})
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / name).write_bytes(gzip.compress(text.encode()))


def test_hh_is_split_by_its_prompts(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"test\.jsonl\.gz is not there"):
        preferences.hh(2, data_dir=tmp_path)
    write_hh(tmp_path, "test.jsonl.gz", 16)
    made = {"data_dir": tmp_path, "length": 96, "tokenizer": "characters"}
    splits = preferences.hh(4, **made)
    counts = [len(splits.train.content["tokens"])]
    counts += [len(part["tokens"]) for part in (splits.held_out, splits.test)]
    assert counts == [12, 2, 2]
    batch = next(iter(splits.train.dataset()))
    text = splits.tokenizer.decode(batch["tokens"][0, 0])
    assert text.startswith("\n\nHuman: what is ")
    assert text.endswith("Assistant: a number")
    write_hh(tmp_path, "train.jsonl.gz", 40)
    splits = preferences.hh(4, **made)
    assert len(splits.test["tokens"]) == 16
    assert len(splits.held_out["tokens"]) == 2


@pytest.mark.parametrize("encoder", [False, True])
def test_the_stand_in_has_forty_pairs(encoder):
    splits = preferences.hh(
        4, tokenizer="characters", encoder=encoder, stand_in=True, length=128
    )
    parts = [splits.train.content, splits.held_out, splits.test]
    assert [len(part["tokens"]) for part in parts] == [24, 8, 8]
    with pytest.raises(ValueError, match=r"`tokenizer` must be .*'bpe:SIZE'"):
        preferences.hh(4, tokenizer="words", stand_in=True)
