"""A checkpoint is whole or it is not used."""

import hashlib
import io
import json
import os
import pathlib
import shutil
import zipfile

import keras
import numpy as np
import pytest

from keras_genai.training import TrainingError, archive, checkpoint
from keras_genai.training.checkpoint import Checkpointer


def small_model(units=3, dtype="float32"):
    model = keras.Sequential(
        [
            keras.Input((2,)),
            keras.layers.Dense(units, dtype=dtype, name="kept"),
            keras.layers.Dropout(0.5, seed=1),
        ]
    )
    model.compile(keras.optimizers.Adam(0.1, use_ema=True), "mse")
    model.optimizer.build(model.trainable_variables)
    for index, variable in enumerate(checkpoint.state_variables(model).values()):
        variable.assign(np.full(variable.shape, index + 1))
    return model


def values(model):
    variables = checkpoint.state_variables(model)
    return {key: variable.numpy() for key, variable in variables.items()}


def clear(model):
    for variable in checkpoint.state_variables(model).values():
        variable.assign(np.zeros(variable.shape))


def assert_equal(left, right):
    assert left.keys() == right.keys()
    for key in left:
        assert left[key].dtype == right[key].dtype
        assert left[key].tobytes() == right[key].tobytes()


@pytest.fixture
def saved(tmp_path):
    """Three checkpoints of the same model."""
    model, checkpointer = small_model(), Checkpointer(tmp_path)
    for step in (2, 4, 6):
        checkpointer.save(step, model, {"step_in_words": f"step {step}"})
    return checkpointer, model


def test_weights_seeds_slots_averages_and_metrics_come_back(saved):
    checkpointer, model = saved
    before = values(model)
    assert {key.split(".")[0] for key in before} == {
        "model",
        "metric",
        "optimizer-optimizer",
    }
    paths = [v.path for v in checkpoint.state_variables(model).values()]
    for part in ("seed_generator_state", "momentum", "average", "iteration"):
        assert any(part in path for path in paths)
    clear(model)
    restored = checkpointer.restore(model)
    assert (restored.step, restored.messages) == (6, ())
    assert restored.extra["step_in_words"] == "step 6"
    assert_equal(values(model), before)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_small_floats_survive_bit_for_bit(dtype, tmp_path):
    model = small_model(dtype=dtype)
    kernel = model.get_layer("kept").kernel
    kernel.assign(np.linspace(-3, 3, 6).reshape(2, 3))
    before = values(model)
    Checkpointer(tmp_path).save(1, model, {})
    clear(model)
    Checkpointer(tmp_path).restore(model)
    assert keras.backend.standardize_dtype(kernel.dtype) == dtype
    assert_equal(values(model), before)


@pytest.mark.parametrize("name", [checkpoint.ARRAYS, checkpoint.MANIFEST])
def test_a_flipped_bit_anywhere_is_noticed(name, saved, tmp_path):
    checkpointer, model = saved
    path = tmp_path / "step-00000006" / name
    sound = path.read_bytes()
    variables = checkpoint.state_variables(model)
    for position in np.linspace(0, len(sound) - 1, 60).astype(int):
        damaged = bytearray(sound)
        damaged[position] ^= 1 << (position % 8)
        path.write_bytes(damaged)
        if name == checkpoint.MANIFEST and sound[position : position + 1].isspace():
            continue  # white space between values means nothing
        with pytest.raises(checkpoint.DamagedError):
            archive.read(path.parent, variables)
    assert checkpointer.steps() == [2, 4, 6]


@pytest.mark.parametrize("name", [checkpoint.ARRAYS, checkpoint.MANIFEST])
@pytest.mark.parametrize("harm", ["truncate", "empty", "zero", "remove"])
def test_a_damaged_checkpoint_is_passed_over_and_named(name, harm, saved, tmp_path):
    checkpointer, model = saved
    path = tmp_path / "step-00000006" / name
    content = path.read_bytes()
    half = len(content) // 2
    if harm == "remove":
        path.unlink()
    else:
        kept = {"truncate": content[:half], "empty": b"", "zero": content[:half]}[harm]
        path.write_bytes(kept + (b"\0" * half if harm == "zero" else b""))
    restored = checkpointer.restore(model)
    assert restored.step == 4
    assert restored.messages[0].startswith("checkpoint step-00000006 is damaged (")
    assert restored.messages[0].endswith("going on from step-00000004")


def test_damaged_checkpoints_do_not_push_sound_ones_out(saved, tmp_path):
    checkpointer, model = saved
    for step in (4, 6):
        (tmp_path / f"step-{step:08d}" / checkpoint.ARRAYS).write_bytes(b"")
    checkpointer.restore(model)
    checkpointer.save(4, model, {})
    assert checkpointer.steps() == [2, 4]


def test_when_none_is_sound_the_run_stops_and_nothing_changes(saved, tmp_path):
    checkpointer, model = saved
    for step in (2, 4, 6):
        (tmp_path / f"step-{step:08d}" / checkpoint.ARRAYS).write_bytes(b"")
    clear(model)
    before, files = values(model), sorted(tmp_path.rglob("*"))
    with pytest.raises(TrainingError, match=r"No checkpoint in .* can be used"):
        checkpointer.restore(model)
    assert_equal(values(model), before)
    assert sorted(tmp_path.rglob("*")) == files


def test_another_architecture_is_refused_by_name_before_anything_is_assigned(
    saved, tmp_path
):
    other = small_model(units=4)
    before = values(other)
    with pytest.raises(TrainingError, match=r"/kept/kernel` is .*\(2, 3\) there"):
        Checkpointer(tmp_path).restore(other)
    assert_equal(values(other), before)


def test_the_newest_stay_and_foreign_files_are_never_touched(tmp_path):
    model, checkpointer = small_model(), Checkpointer(tmp_path, keep=2)
    checkpointer.save(1, model, {})
    (tmp_path / "step-00000001" / "notes.txt").write_text("mine")
    (tmp_path / "step-final").mkdir()
    for step in (2, 3, 4):
        checkpointer.save(step, model, {})
    assert checkpointer.steps() == [3, 4]
    assert (tmp_path / "step-final").exists()
    assert [path.read_text() for path in tmp_path.rglob("notes.txt")] == ["mine"]


def test_what_a_killed_process_left_is_cleared_away(saved, tmp_path):
    _, model = saved
    shutil.copytree(tmp_path / "step-00000006", tmp_path / ".stale-step-00000008")
    assert Checkpointer(tmp_path).restore(model).step == 6
    assert not (tmp_path / ".stale-step-00000008").exists()


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_state_that_is_not_finite_is_never_saved(bad, saved):
    checkpointer, model = saved
    kernel = model.get_layer("kept").kernel
    kernel.assign(np.where(np.eye(2, 3), bad, kernel.numpy()))
    with pytest.raises(TrainingError, match=r"kept/kernel` is not finite.*00000006"):
        checkpointer.save(8, model, {})
    assert checkpointer.steps() == [2, 4, 6]


def test_a_full_disk_ends_in_one_line_and_older_checkpoints_stay(
    saved, tmp_path, monkeypatch
):
    checkpointer, model = saved

    def full(_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", full)
        with pytest.raises(TrainingError, match=r"No space left on device\. Earlier"):
            checkpointer.save(8, model, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "step-00000002",
        "step-00000004",
        "step-00000006",
    ]
    assert checkpointer.restore(model).step == 6


def test_everything_is_on_the_disk_before_the_rename(saved, monkeypatch):
    checkpointer, model = saved
    calls = []

    def recorded(name):
        original = getattr(os, name)

        def call(*arguments):
            calls.append(name)
            return original(*arguments)

        monkeypatch.setattr(os, name, call)

    recorded("fsync")
    recorded("replace")
    checkpointer.save(8, model, {})
    # arrays, manifest, their folder; the rename; the parent; then the rotation.
    assert calls[:5] == ["fsync", "fsync", "fsync", "replace", "fsync"]


def test_best_weights_are_the_averaged_ones_and_stay_while_referred_to(tmp_path):
    model, checkpointer = small_model(), Checkpointer(tmp_path, keep=1)
    variable, average = checkpoint.averages(model)[0]
    assert not np.array_equal(variable, average)
    best = average.numpy()
    checkpointer.save_best(3, model)
    checkpointer.save(3, model, {"best": {"step": 3}})
    checkpointer.save_best(5, model)
    assert {path.name for path in tmp_path.glob("best-*")} == {
        "best-00000003",
        "best-00000005",
    }
    checkpointer.restore_best(3, model)
    np.testing.assert_array_equal(variable, best)
    checkpointer.save(5, model, {"best": {"step": 5}})
    assert [path.name for path in tmp_path.glob("best-*")] == ["best-00000005"]


def test_a_changed_machine_is_reported(saved, tmp_path):
    _, model = saved
    other = Checkpointer(tmp_path)
    other.environment = {**other.environment, "cores": 999}
    (message,) = other.restore(model).messages
    assert "cores was" in message
    assert "and is 999" in message


def test_nothing_in_a_checkpoint_is_a_pickle(saved, tmp_path):
    names = {path.name for path in pathlib.Path(tmp_path).rglob("*") if path.is_file()}
    assert names == {checkpoint.ARRAYS, checkpoint.MANIFEST}
    with np.load(tmp_path / "step-00000006" / checkpoint.ARRAYS) as file:
        assert all(file[key].dtype != object for key in file.files)


def manifest_of(folder):
    return json.loads((folder / checkpoint.MANIFEST).read_text())["content"]


def rewrite(folder, key, content, compression=zipfile.ZIP_STORED):
    """Puts other bytes in place of one array, and makes the checksums right again."""
    with zipfile.ZipFile(folder / checkpoint.ARRAYS) as old:
        members = {name: old.read(name) for name in old.namelist()}
    members[f"{key}.npy"] = content
    with zipfile.ZipFile(folder / checkpoint.ARRAYS, "w", compression) as new:
        for name, data in members.items():
            new.writestr(name, data)
    reseal(folder, {})


def reseal(folder, changes):
    sha256 = hashlib.sha256((folder / checkpoint.ARRAYS).read_bytes()).hexdigest()
    content = {**manifest_of(folder), "sha256": sha256, **changes}
    content = {key: value for key, value in content.items() if value != "none"}
    checkpoint._write_json(folder / checkpoint.MANIFEST, content)


def npy(array):
    file = io.BytesIO()
    np.save(file, array)
    return file.getvalue()


def huge_header():
    return npy(np.zeros((2, 3), "float32")).replace(b"(2, 3), }   ", b"(10**12,), }")


KERNEL = "model.00000"
CRAFTED = {
    "another shape": lambda f: rewrite(f, KERNEL, npy(np.zeros((3, 2), "float32"))),
    "another dtype": lambda f: rewrite(f, KERNEL, npy(np.zeros((2, 3), "U1"))),
    "a pickle": lambda f: rewrite(f, KERNEL, b"\x80\x04."),
    "NaN": lambda f: rewrite(f, KERNEL, npy(np.full((2, 3), np.nan, "float32"))),
    "a huge header": lambda f: rewrite(f, KERNEL, huge_header()),
    "compressed": lambda f: rewrite(
        f, KERNEL, npy(np.zeros(10**6)), zipfile.ZIP_DEFLATED
    ),
    "surplus": lambda f: rewrite(f, "../evil", npy(np.zeros(2))),
    "a bare array": lambda f: (
        (f / checkpoint.ARRAYS).write_bytes(npy(np.zeros(3))),
        reseal(f, {}),
    ),
    "no extra": lambda f: reseal(f, {"extra": "none"}),
    "no environment": lambda f: reseal(f, {"environment": "none"}),
    "a step in words": lambda f: reseal(f, {"extra": {"step": "six"}}),
    "another step": lambda f: reseal(f, {"extra": {"step": 4}}),
    "another run": lambda f: reseal(f, {"identity": "other"}),
    "arrays as ints": lambda f: reseal(f, {"arrays": {KERNEL: 5}}),
    "null": lambda f: checkpoint._write_json(f / checkpoint.MANIFEST, None),
    "deep": lambda f: (f / checkpoint.MANIFEST).write_text("[" * 100_000),
    "a manifest that waits": lambda f: waiting(f / checkpoint.MANIFEST),
    "arrays that wait": lambda f: waiting(f / checkpoint.ARRAYS),
}


def waiting(path):
    path.unlink()
    os.mkfifo(path)


@pytest.mark.parametrize("craft", CRAFTED.values(), ids=CRAFTED)
def test_a_crafted_checkpoint_is_passed_over_whole(craft, saved, tmp_path):
    checkpointer, model = saved
    before = values(model)
    craft(tmp_path / "step-00000006")
    clear(model)
    restored = checkpointer.restore(model)
    assert restored.step == 4
    assert len(restored.messages) == 1
    assert "\n" not in restored.messages[0]
    assert len(restored.messages[0]) < 500
    assert_equal(values(model), before)


def test_checkpoints_of_an_odd_name_are_left_alone(saved, tmp_path):
    checkpointer, model = saved
    for name in ("step-\u00b2", "step-99999999999999999999999", "step-7"):
        shutil.copytree(tmp_path / "step-00000006", tmp_path / name)
    assert checkpointer.restore(model).step == 6


def test_rotation_does_not_follow_links(tmp_path):
    model, checkpointer = small_model(), Checkpointer(tmp_path / "run", keep=1)
    checkpointer.save(1, model, {})
    elsewhere = tmp_path / "large disk"
    shutil.move(tmp_path / "run" / "step-00000001", elsewhere)
    (tmp_path / "run" / "step-00000001").symlink_to(elsewhere)
    checkpointer.save(2, model, {})
    assert checkpointer.steps() == [2]
    assert (elsewhere / checkpoint.ARRAYS).exists()


def test_the_log_comes_back_with_its_checkpoint(tmp_path):
    model, checkpointer = small_model(), Checkpointer(tmp_path)
    checkpointer.save(1, model, {}, log=b'{"step": 1}\n')
    assert checkpointer.restore(model).log == b'{"step": 1}\n'
    (tmp_path / "step-00000001" / "log.jsonl").write_bytes(b"")
    with pytest.raises(TrainingError, match=r"sha256 of log.jsonl differs"):
        checkpointer.restore(model)
