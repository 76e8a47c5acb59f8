"""The folder of a run: whose it is, what is in the way, what begins anew."""

import os
import shutil

import keras
import pytest
from linear_run import Poisoned, go

from keras_genai.training import TrainingError
from keras_genai.training.folder import RunFolder


@pytest.mark.slow
def test_a_run_whose_checkpoints_are_gone_is_not_begun_anew(half, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(half, run)
    for gone in (*(run / "checkpoints").glob("step-*"), run / "checkpoints"):
        shutil.rmtree(gone)
        before = (run / "log.jsonl").read_bytes()
        with pytest.raises(TrainingError, match="has no checkpoint any more"):
            go(run, steps=12)
        assert (run / "log.jsonl").read_bytes() == before
    assert go(run, fresh=True).resumed_from is None


def test_a_run_that_died_before_its_first_checkpoint_says_that_it_begins_again(
    tmp_path,
):
    with pytest.raises(TrainingError, match="Stopped at step 6"):
        go(tmp_path, splits=type("S", (), {"train": Poisoned(), "validation": None}))
    said = []
    go(tmp_path, say=said.append)
    assert said == [f"{tmp_path} has no checkpoint yet: beginning again with step 0"]


@pytest.mark.parametrize(
    "name", ["curve.png", "result.json", "log.jsonl", ".writing-curve.png"]
)
def test_a_folder_in_place_of_a_file_is_refused_before_training(name, half, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(half, run)
    (run / name).unlink(missing_ok=True)
    (run / name).mkdir()
    with pytest.raises(TrainingError, match="is in the way") as error:
        go(run, steps=12, callbacks=[Never()])
    assert error.value.exit_code == 2


class Never(keras.callbacks.Callback):
    def on_train_begin(self, logs=None):
        raise AssertionError("trained")


def test_a_waiting_file_in_the_run_folder_does_not_block(half, tmp_path):
    for name in ("log.jsonl", ".lock", "config.json"):
        run = tmp_path / name
        shutil.copytree(half, run)
        (run / name).unlink()
        os.mkfifo(run / name)
        if name == ".lock":
            assert go(run).steps == 8
        else:
            with pytest.raises(TrainingError):
                go(run)


@pytest.mark.slow
def test_fresh_never_follows_a_link(tmp_path):
    run, outside = tmp_path / "run", tmp_path / "outside"
    go(run)
    shutil.move(run / "checkpoints", outside)
    (run / "checkpoints").symlink_to(outside)
    shared = tmp_path / "shared"
    shared.mkdir()
    (shared / "config.json").write_text("mine")
    (run / "preset").symlink_to(shared)
    assert go(run, steps=4, fresh=True).resumed_from is None
    assert (shared / "config.json").read_text() == "mine"
    assert (outside / "step-00000008" / "state.npz").exists()
    assert not (run / "checkpoints").is_symlink()


def test_arguments_are_looked_at_before_an_earlier_run_is_cleared(tmp_path):
    go(tmp_path, steps=4)
    unbuilt = keras.Sequential([keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="must be built"):
        go(tmp_path, unbuilt, fresh=True)
    assert go(tmp_path, steps=4).resumed_from == 4


@pytest.mark.slow
def test_a_claimed_folder_stays_locked_after_the_training(tmp_path):
    with RunFolder(tmp_path).claim({"seed": 0}) as run:
        go(run)
        with pytest.raises(TrainingError, match="Another process is training"):
            go(tmp_path, fresh=True)
        with pytest.raises(ValueError, match="which takes `fingerprint`"):
            go(run, fresh=True)
    with pytest.raises(ValueError, match="claimed: False"):
        go(run)


def test_two_processes_cannot_train_in_one_folder(tmp_path):
    with (
        RunFolder(tmp_path).claim({}),
        pytest.raises(TrainingError, match="Another process is training"),
        RunFolder(tmp_path).claim({}),
    ):
        pass


def test_a_foreign_folder_is_refused_and_left_alone(tmp_path):
    (tmp_path / "config.json").write_text('{"model": "someone else\'s"}')
    for fresh in (False, True):
        with pytest.raises(TrainingError, match="not a run folder of keras_genai"):
            go(tmp_path, fresh=fresh)
    assert [path.name for path in tmp_path.iterdir()] == ["config.json"]


def test_a_path_that_cannot_be_written_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "run"):
        with pytest.raises(TrainingError) as error:
            go(path)
        assert error.value.exit_code == 2
        assert "\n" not in str(error.value)


def test_another_run_is_refused_naming_every_difference(tmp_path):
    go(tmp_path, fingerprint={"entry": "x", "config": {"depth": 2, "width": 8}})
    with pytest.raises(TrainingError) as error:
        go(tmp_path, fingerprint={"entry": "x", "config": {"depth": 3}}, seed=1)
    for part in (
        "config.depth is 2 there and 3 here",
        "config.width is 8 there and absent here",
        "seed is 0 there and 1 here",
        "--out",
        "--fresh",
    ):
        assert part in str(error.value)
    assert "entry" not in str(error.value)


def test_fresh_removes_what_a_run_wrote_and_nothing_else(tmp_path):
    go(tmp_path, save_every=2)
    mine = [
        tmp_path / "notes.txt",
        tmp_path / "checkpoints" / "step-00000008" / "notes.txt",
        tmp_path / "preset" / "notes.txt",
    ]
    mine[2].parent.mkdir()
    for path in mine:
        path.write_text("mine")
    outcome = go(tmp_path, steps=4, fresh=True, fingerprint={"other": 1})
    assert (outcome.resumed_from, outcome.steps) == (None, 4)
    assert [record["step"] for record in outcome.history] == [4]
    assert all(path.read_text() == "mine" for path in mine)
    kept = [path.name for path in (tmp_path / "checkpoints").glob("*/state.npz")]
    assert len(kept) == 1
