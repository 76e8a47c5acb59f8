"""Files as other systems write them, and paths as people type them, in sources."""

import json
import os

import pytest

from keras_genai.data import images, summarization, text, translation
from keras_genai.data.answering import squad
from keras_genai.data.sentiment import sst2

MARK = "\ufeff"
ODD = "one\u2028two\x85three\x0cfour"  # line ends to `str.splitlines` alone


def write_sst2(folder, end="\n", mark=""):
    rows = [f"{ODD} {number}\t{number % 2}{end}" for number in range(8)]
    for part in ("train", "dev", "test"):
        (folder / f"{part}.tsv").write_bytes((mark + "".join(rows)).encode())


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A home folder, so that `~/data` is a path."""
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "data").mkdir()
    return tmp_path / "data"


@pytest.mark.parametrize(("end", "mark"), [("\n", ""), ("\r\n", ""), ("\n", MARK)])
def test_a_line_ends_where_other_programs_end_it(end, mark, home):
    write_sst2(home, end, mark)
    splits = sst2(2, data_dir="~/data", tokenizer="characters", length=32)
    assert len(splits.held_out["labels"]) == 8
    said = splits.tokenizer.decode(splits.held_out["tokens"][1])
    assert said.startswith("one\u2028two\x85three")
    assert MARK not in said
    assert "\r" not in said


def test_marks_and_home_folders_of_the_other_sources(home):
    paragraph = {"context": "the cat sat on the mat", "qas": []}
    answer = {"text": "mat", "answer_start": 19}
    paragraph["qas"] = [{"question": "where is it?", "answers": [answer]}] * 4
    content = json.dumps({"data": [{"paragraphs": [paragraph]}] * 4})
    (home / "train.json").write_text(MARK + content, "utf-8")
    assert squad(2, data_dir="~/data", tokenizer="wordpiece:100", length=32)
    paper = json.dumps({"source": [f"a cat{ODD} sat."], "target": ["it sat."]}) + "\n"
    for part in ("train", "dev", "test"):
        (home / f"{part}.jsonl").write_text(MARK + paper * 8, "utf-8")
    assert summarization.scitldr(2, data_dir="~/data", tokenizer="bpe:300")
    for part in ("train", "val", "test"):
        (home / f"{part}.txt").write_text(MARK + "emma\nolivia\n" * 9, "utf-8")
    assert text.names(2, data_dir="~/data", length=4).tokenizer.vocabulary_size == 27


def test_files_of_pairs_may_have_commas_in_their_names(home):
    rows = [f"day {number}\tTag {number}" for number in range(20)]
    for name in ("de, en", "first, half", "b"):
        (home / f"{name}.tsv").write_text("\n".join(rows), "utf-8")
    one = translation.source("~/data/de, en.tsv")
    assert one.keywords["path"] == home / "de, en.tsv"
    two = translation.source(f"~/data/first, half.tsv,{home}/b.tsv")
    assert list(two.keywords["path"]) == [home / "first, half.tsv", home / "b.tsv"]
    with pytest.raises(ValueError, match="two files with a comma"):
        translation.source("~/data/first, half.tsv,")


def test_lines_of_two_files_stay_side_by_side(tmp_path):
    (tmp_path / "a").write_bytes(b"one\r\nt\rwo\r\n")
    (tmp_path / "b").write_bytes((MARK + f"{ODD}\nzwei").encode())
    found = translation.read_pairs([tmp_path / "a", tmp_path / "b"])
    assert found == [("one", ODD), ("t wo", "zwei")]


def test_a_text_folder_with_a_fifo_and_links_is_read(tmp_path):
    root, other = tmp_path / "texts", tmp_path / "other"
    root.mkdir()
    other.mkdir()
    (other / "b.txt").write_text("beyond the link " * 9, "utf-8")
    (root / "a.txt").write_text("here " * 9, "utf-8")
    (root / "more").symlink_to(other)
    (other / "round").symlink_to(root)
    os.mkfifo(root / "pipe.txt")
    with pytest.warns(UserWarning, match=r"skipped 1 files .*pipe\.txt \(no regular"):
        splits = text.files(2, path=root, length=4)
    assert "beyond" in splits.tokenizer.decode([*splits.train.tokens, *splits.held_out])


@pytest.mark.parametrize("limit", ["abc", 1.5, [], -1, 0, True, 2**63])
@pytest.mark.parametrize(
    "source",
    [
        text.python_docs,
        lambda *own, **more: text.tfds(*own, name="lm1b", **more),
        lambda *own, **more: images.tfds(*own, name="mnist", **more),
        lambda *own, **more: images.celeb_a(*own, **more),
    ],
)
def test_a_limit_is_an_int_of_at_least_one(source, limit):
    with pytest.raises((TypeError, ValueError), match="`limit` must be") as caught:
        source(2, limit=limit)
    assert "\n" not in str(caught.value)


def test_made_up_examples_of_tfds_reach_the_sources():
    import tensorflow_datasets as tfds

    with tfds.testing.mock_data(num_examples=16):
        splits = images.tfds(4, name="mnist")
    assert splits.sizes["image_shape"] == (28, 28, 1)
    assert splits.sizes.get("num_classes") == 10


@pytest.mark.parametrize(
    "argument", [{"augment": "abc"}, {"augment": [1]}, {"condition": "abc"}]
)
def test_what_changes_pictures_must_be_callable(argument):
    with pytest.raises(ValueError, match=f"`{next(iter(argument))}` must be") as caught:
        images.digits(2, stand_in=True, **argument)
    assert "\n" not in str(caught.value)
