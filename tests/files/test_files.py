"""Paths, text and writing: what other machines and other people's files do."""

import os
import pathlib

import pytest

from keras_genai.files.paths import as_path
from keras_genai.files.plain import parse_json
from keras_genai.files.text import lines, read_text
from keras_genai.files.writing import UNFINISHED, append_bytes, replacing, write_text


def test_a_tilde_is_the_users_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert as_path("~/mine") == tmp_path / "mine"


@pytest.mark.parametrize("value", ["", None, 5, b"bytes", "a\0b", "~nobody-here/x"])
def test_what_is_no_path_is_refused_by_the_arguments_name(value):
    with pytest.raises(ValueError, match="`data_dir` must be a path"):
        as_path(value, "data_dir")


def test_a_byte_order_mark_and_line_ends_of_other_systems_are_not_text(tmp_path):
    path = tmp_path / "windows.txt"
    path.write_bytes("\ufeffone\r\ntwo\rthree".encode())
    assert read_text(path) == "one\ntwo\nthree"


def test_lines_are_cut_at_newlines_alone():
    assert lines("a\u2028b\x0cc\x85\nd\n") == ["a\u2028b\x0cc\x85", "d"]
    assert lines("a\n\n") == ["a", ""]
    assert lines("") == []


def test_text_that_is_not_utf8_is_refused_by_name(tmp_path):
    path = tmp_path / "latin.txt"
    path.write_bytes("é".encode("latin-1"))
    with pytest.raises(ValueError, match=r"latin\.txt must be UTF-8 text"):
        read_text(path)


def test_a_fifo_is_refused_at_once(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="must be a regular file"):
        read_text(tmp_path / "pipe")


def test_a_file_that_is_too_large_is_not_read(tmp_path):
    write_text(tmp_path / "large", "12345")
    with pytest.raises(ValueError, match="at most 4 bytes"):
        read_text(tmp_path / "large", limit=4)


def test_json_that_takes_too_much_is_refused():
    assert parse_json('[{"a": [1]}]', most=3) == [{"a": [1]}]
    with pytest.raises(ValueError, match="more than 2 lists and dicts"):
        parse_json('[{"a": [1]}]', most=2)
    with pytest.raises(ValueError, match="more than 2,097,152 lists and dicts"):
        parse_json("[" * 2**22)
    with pytest.raises(ValueError, match="too deeply"):
        parse_json("[" * 2**20)


def test_a_name_that_comes_twice_is_found_at_once_among_many():
    names = ",".join(f'"{index}":0' for index in range(100_000))
    with pytest.raises(ValueError, match="'99999' comes twice"):
        parse_json("{" + names + ',"99999":1}')


def test_a_failure_while_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "kept"
    write_text(path, "old")

    def fail():
        with replacing(path) as temporary:
            temporary.write_bytes(b"half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert pathlib.Path(path).read_bytes() == b"old"
    assert not list(tmp_path.glob(f"{UNFINISHED}*"))


def test_a_full_disk_is_told_by_the_file_that_had_no_place(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: .*kept'$"):
        write_text(tmp_path / "kept", "new")
    assert not list(tmp_path.iterdir())


def test_what_is_added_follows_what_was_there(tmp_path):
    for content in (b"one\n", b"two\n"):
        append_bytes(tmp_path / "log", content)
    assert (tmp_path / "log").read_bytes() == b"one\ntwo\n"


def test_what_is_no_regular_file_is_never_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "folder").mkdir()
    for name in ("pipe", "folder"):
        with pytest.raises(ValueError, match="must be a regular file"):
            write_text(tmp_path / name, "text")
    assert (tmp_path / "pipe").is_fifo()
    assert sorted(os.listdir(tmp_path)) == ["folder", "pipe"]
