import hashlib
import pathlib

import numpy as np
import pytest

from keras_genai.data import text, tokenizers


def words(count):
    return " ".join(f"word{index % 97}" for index in range(count))


def test_python_docs_are_there_without_a_network():
    splits = text.python_docs(4, length=16)
    assert splits.name == "python_docs"
    characters = len(splits.train.tokens) + len(splits.held_out)
    assert characters > 300_000
    assert len(splits.train.tokens) == int(0.9 * characters)
    tokens, targets = next(iter(splits.train.dataset()))
    np.testing.assert_array_equal(tokens[:, 1:], targets[:, :-1])


def test_the_text_is_the_training_text_then_the_held_out_text():
    splits = text.python_docs(4, limit=5_000, length=16)
    whole = np.concatenate([splits.train.tokens, splits.held_out])
    again = text.python_docs(4, limit=5_000, length=16, tokenizer=splits.tokenizer)
    np.testing.assert_array_equal(again.train.tokens, splits.train.tokens)
    assert splits.tokenizer.vocabulary_size == len(np.unique(whole))
    assert len(splits.tokenizer.decode(whole)) == 5_000


@pytest.mark.parametrize("name", ["python_docs", "shakespeare", "names"])
@pytest.mark.parametrize("stream", [False, True])
def test_every_stand_in_trains_and_validates(name, stream):
    splits = text.source(name)(4, length=16, stream=stream, stand_in=True)
    assert splits.train.batch_size == splits.validation.batch_size == 4
    for loader in (splits.train, splits.validation):
        tokens, targets = next(iter(loader.epoch()))
        assert tokens.shape == targets.shape == (4, 16)
        assert loader.steps_per_epoch >= 1


def test_the_stand_in_for_shakespeare_has_all_65_symbols():
    splits = text.shakespeare(4, stand_in=True)
    assert splits.tokenizer.vocabulary_size == 65
    ids = splits.tokenizer.encode("\n Az")
    assert ids.tolist() == [0, 1, 13, 64]


def test_names_are_cut_the_same_way_whatever_the_seed():
    splits = text.names(4, seed=1)
    end = splits.tokenizer.end_token
    assert end == 0
    assert splits.tokenizer.encode("az").tolist() == [1, 26]
    parts = [splits.train.tokens, splits.held_out, splits.test]
    assert [int((part == end).sum()) for part in parts] == [30_033, 1_000, 1_000]
    assert all(part[-1] == end for part in parts)
    np.testing.assert_array_equal(text.names(4, seed=2).test, splits.test)
    # A change of this digest changes every recorded result on names.
    digest = hashlib.sha256(splits.tokenizer.decode(splits.test).encode())
    assert digest.hexdigest()[:16] == "2cb92fb9f3c194df"


def test_names_in_the_data_folder_replace_the_split(tmp_path):
    folder = pathlib.Path(tmp_path, "names")
    folder.mkdir()
    for part, name in (("train", "anna\n" * 9), ("val", "bob\n" * 3), ("test", "x\n")):
        pathlib.Path(folder, f"{part}.txt").write_text(name, encoding="utf-8")
    splits = text.names(2, length=4, data_dir=tmp_path)
    assert splits.tokenizer.decode(splits.test) == "x\n"
    assert splits.tokenizer.decode(splits.held_out) == "bob\n" * 3


def test_a_file_by_its_path_or_with_its_kind(tmp_path):
    path = pathlib.Path(tmp_path, "story.text")
    path.write_text("\ufeff" + words(100), "utf-8")
    for spec in (path, str(path), f"file:{path}"):
        splits = text.source(spec)(2, length=8)
        found = splits.tokenizer.decode(splits.train.tokens)
        assert found == words(100)[: int(0.9 * len(words(100)))]
        assert splits.name == "story"


def test_a_folder_is_read_in_order_and_bad_files_are_named(tmp_path):
    for name in ("b.txt", "a/z.md", "a/.hidden.txt", ".git/c.txt", "d.bin"):
        path = pathlib.Path(tmp_path, name)
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"<{name}>" * 9, "utf-8")
    pathlib.Path(tmp_path, "c.txt").write_bytes(b"\xff\xfe\x00")
    with pytest.warns(UserWarning, match=r"skipped 1 files .*c\.txt \(UnicodeDecode"):
        splits = text.source(f"folder:{tmp_path}")(2, length=8)
    whole = np.concatenate([splits.train.tokens, splits.held_out])
    assert splits.tokenizer.decode(whole) == "<a/z.md>" * 9 + "\n" + "<b.txt>" * 9


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"", ValueError, "1 empty files, 0 unreadable"),
        (b"\xff", ValueError, r"1 unreadable: .*a\.txt \(UnicodeDecodeError\)"),
        (None, FileNotFoundError, "`path` must be a text file, or a folder"),
    ],
)
def test_a_folder_without_text_is_an_error(tmp_path, content, error, message):
    if content is not None:
        pathlib.Path(tmp_path, "a.txt").write_bytes(content)
    with pytest.raises(error, match=message):
        text.files(2, path=tmp_path)


def test_a_text_that_is_too_short_is_an_error(tmp_path):
    path = pathlib.Path(tmp_path, "short.txt")
    path.write_text("hello", encoding="utf-8")
    with pytest.raises(ValueError, match=r"'short' does not fit.*longer than `length`"):
        text.files(2, path=path)


@pytest.mark.parametrize("name", ["bytes", "bpe:300", "unigram:300", "wordpiece:300"])
def test_a_source_takes_any_tokenizer(name):
    splits = text.python_docs(2, limit=20_000, length=8, tokenizer=name)
    assert splits.train.tokens.max() < splits.tokenizer.vocabulary_size <= 300
    assert next(iter(splits.train.dataset()))[0].shape == (2, 8)


def test_a_tokenizer_may_be_given():
    given = tokenizers.byte_level(end_token="<end>")
    splits = text.python_docs(2, limit=20_000, tokenizer=given)
    assert splits.tokenizer is given


def test_another_text_is_not_taken_for_tiny_shakespeare(tmp_path):
    pathlib.Path(tmp_path, "input.txt").write_text("To be", encoding="utf-8")
    with pytest.raises(ValueError, match=r"`data_dir` must have the original.*file:"):
        text.shakespeare(2, data_dir=tmp_path)


@pytest.mark.parametrize(
    ("spec", "error", "message"),
    [
        ("shakespear", ValueError, "did you mean 'shakespeare'"),
        ("tfd:lm1b", ValueError, "did you mean 'tfds:...'"),
        ("", ValueError, "`data` must be one of"),
        ("file:nowhere.txt", FileNotFoundError, "must name a file that exists"),
        ("folder:nowhere", FileNotFoundError, "must name a folder that exists"),
    ],
)
def test_an_unknown_source_gets_one_line(spec, error, message):
    with pytest.raises(error, match=message) as caught:
        text.source(spec)
    assert "\n" not in str(caught.value)


def store(folder, name, splits, features):
    import tensorflow_datasets as tfds

    tfds.dataset_builders.store_as_tfds_dataset(
        name=name,
        version="1.0.0",
        data_dir=folder,
        split_datasets=splits,
        features=tfds.features.FeaturesDict(features),
    )


def test_prepared_data_of_tensorflow_datasets_is_read_by_name(tmp_path):
    import tensorflow_datasets as tfds

    rows = {
        split: [(str(index), {"text": f"{split} {index}", "label": 1})]
        for index, split in enumerate(("train", "validation", "test"))
    }
    features = {"text": tfds.features.Text(), "label": np.int64}
    store(tmp_path, "little_text", rows, features)
    splits = text.source("tfds:little_text")(2, length=4, data_dir=tmp_path)
    assert splits.name == "little_text"
    assert splits.tokenizer.decode(splits.train.tokens) == "train 0"
    assert splits.tokenizer.decode(splits.held_out) == "validation 1"
    assert splits.tokenizer.decode(splits.test) == "test 2"


def test_prepared_data_with_one_split_is_cut(tmp_path):
    import tensorflow_datasets as tfds

    rows = {"train": [(str(index), {"a": "abcd" * 5, "b": "x"}) for index in range(4)]}
    features = {"a": tfds.features.Text(), "b": tfds.features.Text()}
    store(tmp_path, "two_texts", rows, features)
    with pytest.raises(ValueError, match=r"of \['a', 'b'\]. Received: feature=None"):
        text.tfds(2, name="two_texts", data_dir=tmp_path)
    splits = text.tfds(2, name="two_texts", feature="a", length=4, data_dir=tmp_path)
    assert len(splits.train.tokens) == 74  # 0.9 of 4 x 20 characters, 3 newlines
    assert splits.tokenizer.decode(splits.held_out) == "dabcdabcd"
    less = text.tfds(
        2, name="two_texts", feature="a", length=2, data_dir=tmp_path, limit=50
    )
    assert len(less.train.tokens) == 45


def test_without_a_network_the_error_says_what_to_do(tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError("no network")

    monkeypatch.setattr("socket.create_connection", refuse)
    monkeypatch.setattr("urllib.request.getproxies", dict)
    with pytest.raises(FileNotFoundError, match=r"Put its `input\.txt`") as caught:
        text.shakespeare(2, data_dir=tmp_path)
    assert "\n" not in str(caught.value)
    with pytest.raises(FileNotFoundError, match=r"`data_dir` has no.*'lm1b'"):
        text.tfds(2, name="lm1b", data_dir=tmp_path)
    with pytest.raises(ValueError, match=r"`name` must be a data set"):
        text.tfds(2, name="no_such_data", data_dir=tmp_path)
