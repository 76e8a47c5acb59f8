"""SciTLDR's files, the stand-in, and how long texts are cut."""

import json

import numpy as np
import pytest

from keras_genai.data import summarization, tokenizers
from keras_genai.data.parallel_text import shortened

SPECIAL = dict(pad_token="<pad>", start_token="<s>", end_token="</s>")


@pytest.fixture
def folder(tmp_path):
    for part, several in (("train", 1), ("dev", 2), ("test", 3)):
        papers = [
            {
                "source": [f"We study {part} {i}. ", f"It is\u2028good.{' More' * i}"],
                "target": [f"About {part} {i}.", "Good.", "Short."][:several],
            }
            for i in range(6)
        ]
        lines = [json.dumps(paper, ensure_ascii=False) for paper in papers]
        (tmp_path / f"{part}.jsonl").write_text("\n".join(lines) + "\n", "utf-8")
    return tmp_path


def test_sentences_are_joined_and_all_summaries_are_kept(folder):
    splits = summarization.scitldr(2, data_dir=folder, tokenizer="bpe:300")
    assert splits.test["inputs"][2] == "We study test 2. It is\u2028good. More More"
    assert splits.test["targets"][2].tolist() == ["About test 2.", "Good.", "Short."]
    assert splits.held_out["targets"].shape == (6, 2)
    assert splits.train.plan.count == 6


def test_a_batch_has_a_prefix_and_is_cut_to_its_lengths(folder):
    splits = summarization.scitldr(
        6,
        data_dir=folder,
        tokenizer=tokenizers.byte_level(**SPECIAL),
        prefix="summarize: ",
        input_length=37,
        target_length=10,
        start_token=7,
    )
    (inputs, labels, weight) = next(iter(splits.train.epoch()))
    assert inputs["inputs"].shape == (6, 37)
    assert (inputs["targets"][:, 0].numpy() == 7).all()
    for row in inputs["inputs"]:
        assert splits.tokenizer.decode(row).startswith("summarize: We study train ")
    assert (labels[:, 9].numpy() == splits.tokenizer.end_token).all()
    assert weight.numpy().all()
    assert "(6 of 6 texts cut to 37 tokens, 6 summaries to 10)" in splits.name


def test_a_cut_text_keeps_its_end_token():
    row = np.array([5, 6, 7, 1])
    np.testing.assert_array_equal(shortened(row, 3, end_token=1), [5, 6, 1])
    np.testing.assert_array_equal(shortened(row, 3), [5, 6, 7])
    for most in (None, 4, 9):
        np.testing.assert_array_equal(shortened(row, most, end_token=1), row)


def test_the_stand_in_are_topics_of_the_manual_and_their_first_sentences():
    splits = summarization.scitldr(2, stand_in=True, tokenizer="bpe:300")
    assert len(splits.held_out["inputs"]) == len(splits.test["inputs"]) == 10
    for text, (sentence, title) in zip(*splits.test.values(), strict=True):
        assert text.startswith(sentence[:-1])
        assert title
    validation = np.concatenate([y for _, y, _ in splits.validation.epoch()])
    assert validation.shape == (10, 64)


def test_what_is_missing_or_no_paper_is_one_clear_line(folder):
    with pytest.raises(ValueError, match=r"`tokenizer` must be .*'bpe:SIZE'"):
        summarization.scitldr(2, data_dir=folder, tokenizer="bpe")
    (folder / "dev.jsonl").write_text('{"source": ["a"], "target": []}\n')
    with pytest.raises(ValueError, match=r"dev\.jsonl, line 1, must have the sent"):
        summarization.scitldr(2, data_dir=folder)
    (folder / "dev.jsonl").unlink()
    with pytest.raises(FileNotFoundError, match=r"must have dev\.jsonl of"):
        summarization.scitldr(2, data_dir=folder)
