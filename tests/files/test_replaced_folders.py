"""A folder is replaced whole or not at all, and leftovers are told from work."""

import multiprocessing
import os
import signal

import pytest

from keras_genai.files.folders import real_folder, replacing_folder

KNOWN = {"one", "two"}


def write(folder, text="new"):
    with replacing_folder(folder, KNOWN) as scratch:
        (scratch / "one").write_text(text)


def fail(folder):
    with replacing_folder(folder, KNOWN) as scratch:
        (scratch / "one").write_text("half")
        raise OSError("full")


def test_a_failure_leaves_everything_as_it_was(tmp_path):
    write(tmp_path / "it", "old")
    with pytest.raises(OSError, match="full"):
        fail(tmp_path / "it")
    assert [path.name for path in tmp_path.iterdir()] == ["it"]
    assert (tmp_path / "it/one").read_text() == "old"


def _die(folder, moment):
    rename = type(folder).rename
    moves = []

    def dying(self, target):
        moves.append(target)
        if len(moves) == moment:
            os.kill(os.getpid(), signal.SIGKILL)
        return rename(self, target)

    type(folder).rename = dying
    write(folder)


@pytest.mark.parametrize("moment", [1, 2])
def test_what_a_killed_process_left_is_cleared_away(tmp_path, moment):
    write(tmp_path / "it", "old")
    process = multiprocessing.get_context("fork").Process(
        target=_die, args=(tmp_path / "it", moment)
    )
    process.start()
    process.join()
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(OSError, match="full"):
        fail(tmp_path / "it")
    assert (tmp_path / "it/one").read_text() == "old"
    write(tmp_path / "it")
    assert [path.name for path in tmp_path.iterdir()] == ["it"]
    assert (tmp_path / "it/one").read_text() == "new"


def test_what_a_process_is_writing_is_left_alone(tmp_path):
    with replacing_folder(tmp_path / "it", KNOWN) as scratch:
        (scratch / "one").write_text("first")
        write(tmp_path / "it", "second")
        assert (scratch / "one").exists()


def test_leftovers_with_something_else_in_them_stay(tmp_path):
    with replacing_folder(tmp_path / "it", KNOWN) as scratch:
        pass
    scratch.mkdir()
    (scratch / "thesis").write_text("years")
    write(tmp_path / "it")
    assert (scratch / "thesis").exists()


def test_a_process_inside_the_folder_stays_inside(tmp_path, monkeypatch):
    write(tmp_path / "it", "old")
    monkeypatch.chdir(tmp_path / "it")
    write(real_folder("."))
    with open("one", encoding="utf-8") as file:
        assert file.read() == "new"
