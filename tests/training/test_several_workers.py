"""Several processes that train together: one writes, all go on from what it wrote."""

import json
import os
import pathlib
import subprocess
import sys
import time

import pytest
import tensorflow as tf
from linear_run import go, linear
from tiny_run import Splits as Tiny
from two_workers import free_ports

from keras_genai import training
from keras_genai.training import environment, strategy, workers
from keras_genai.training.callbacks import Clock, SaveEvery
from keras_genai.training.checkpoint import Checkpointer
from keras_genai.training.followed import FollowedFolder, run_folder

HERE = pathlib.Path(__file__)
LINEAR = {"cluster": {"worker": ["a:1", "b:2"]}, "task": {"type": "worker", "index": 1}}


@pytest.mark.parametrize("name", ["mirored", "mirrored:", "mirrored:0", "mirrored:65"])
def test_a_strategy_that_is_none_is_refused(name):
    with pytest.raises(ValueError, match=r"must be 'mirrored'.* Received: mir"):
        strategy.named(name)


@pytest.mark.parametrize(
    "changes",
    [
        {"cluster": {}},
        {"cluster": {"worker": []}},
        {"cluster": {"worker": ["a:1", "b"]}},
        {"cluster": {"worker": ["a:1", "b:2"], "ps": ["c:3"]}},
        {"task": {"type": "worker"}},
        {"task": {"type": "worker", "index": 2}},
        {"task": {"type": "worker", "index": "1"}},
        {"task": {"type": "chief", "index": 0}},
    ],
)
def test_a_cluster_that_cannot_form_is_refused(changes):
    strategy.check_cluster(json.dumps(LINEAR))
    with pytest.raises(training.TrainingError, match="TF_CONFIG must be JSON"):
        strategy.check_cluster(json.dumps(LINEAR | changes))


def test_without_a_cluster_there_are_no_workers(monkeypatch):
    monkeypatch.delenv("TF_CONFIG", raising=False)
    with pytest.raises(training.TrainingError, match="needs TF_CONFIG") as caught:
        strategy.named("multiworker")
    assert caught.value.exit_code == 2


def test_one_process_is_its_own_chief():
    alone = strategy.named(None)
    assert workers.is_chief(alone)
    assert workers.meet(alone, 7) == [7]
    workers.check_together(alone, 7, "folder")
    with pytest.raises(tf.errors.UnavailableError), workers.lost(alone):
        raise tf.errors.UnavailableError(None, None, "of something else")


def test_another_worker_that_is_lost_is_a_reason_to_begin_again(monkeypatch):
    monkeypatch.setattr(workers, "on_several_workers", lambda strategy: True)
    with (
        pytest.raises(training.TrainingError, match="Another worker is gone") as caught,
        workers.lost(None),
    ):
        raise tf.errors.UnavailableError(None, None, "no heartbeat")
    assert caught.value.exit_code == workers.RESTART == 75


def test_workers_that_begin_apart_are_refused(monkeypatch):
    monkeypatch.setattr(workers, "meet", lambda strategy, number: [number, 0])
    workers.check_together(None, 0, "folder")
    with pytest.raises(training.TrainingError, match="at the steps 40, 0"):
        workers.check_together(None, 40, "folder")


def test_workers_that_write_different_rollouts_are_refused(monkeypatch):
    monkeypatch.setattr(workers, "meet", lambda strategy, number: [number, 5])
    with pytest.raises(training.TrainingError, match="the same rollouts"):
        workers.check_alike(None, "rollouts", "a text")
    monkeypatch.setattr(workers, "meet", lambda strategy, number: [number, number])
    workers.check_alike(None, "rollouts", "a text")


def test_who_follows_reads_and_writes_nothing(tmp_path, monkeypatch):
    go(tmp_path, steps=4)
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    monkeypatch.setattr(workers, "is_chief", lambda strategy: False)
    run = run_folder(tmp_path, None)
    assert isinstance(run, FollowedFolder)
    model = linear()
    with run.claim({"seed": 0}):
        outcome = training.train(
            model, Tiny, run, 8, log_every=4, progress=False, say=print
        )
        assert outcome.resumed_from == 4
        assert [record["step"] for record in outcome.history] == [4, 8]
    assert {p: p.stat().st_mtime_ns for p in tmp_path.rglob("*")} == before
    assert not run.path.exists()


def test_who_follows_leaves_damage_where_it_is(tmp_path):
    go(tmp_path, steps=8, save_every=4)
    folder = tmp_path / "checkpoints"
    identity = json.loads((folder / "step-00000008/manifest.json").read_text())
    (folder / "step-00000008/state.npz").write_bytes(b"")
    model = linear()
    training.run.prepare(model, Tiny.train.dataset(0))
    followed = Checkpointer(folder, 3, identity["content"]["identity"], writes=False)
    assert followed.restore(model).step == 4
    followed.save(12, model, {})
    followed.save_best(12, model)
    names = sorted(path.name for path in folder.iterdir())
    assert names == ["step-00000004", "step-00000008"]


def test_a_change_of_replicas_is_said():
    one, two = environment.describe(), environment.describe(2)
    assert environment.differences(two, one) == "replicas was 2 and is 1"
    assert environment.differences(one, one) == ""


def test_several_workers_save_when_one_of_them_is_asked():
    saved, asked = [], []

    def agree(number):
        asked.append(number)
        return 15 if len(asked) == 3 else number

    clock = Clock(step=0, total=100, interval=10)
    saver = SaveEvery(clock, saved.append, 1000, 0.0, agree=agree)
    saver.set_model(linear())
    saver.seconds = 1e9
    clock.step = 5
    saver.on_train_batch_end(0)  # the clock of one worker is no reason
    clock.step = 10
    saver.on_epoch_end(0)
    assert not saved
    clock.step = 20
    with pytest.raises(training.RunStoppedError, match="saved at step 20"):
        saver.on_epoch_end(1)
    assert saved == [False]


@pytest.mark.slow
def test_two_workers_learn_as_two_replicas_and_survive_a_loss(tmp_path):
    unbroken = _finished(tmp_path / "unbroken", 12)
    assert unbroken[0] == unbroken[1]
    assert _finished(tmp_path / "lost", 8)[0][:2] == unbroken[0][:2]
    first, second = _started(tmp_path / "lost", 12, slowly=True)
    while "going on" not in (tmp_path / "1.txt").read_text():
        time.sleep(0.1)
    second.kill()
    assert first.wait(120) == workers.RESTART
    second.wait()
    assert _finished(tmp_path / "lost", 12) == unbroken


def _started(folder, steps, slowly=False):
    """Two processes that train together."""
    cluster = {"worker": [f"127.0.0.1:{port}" for port in free_ports(2)]}
    paths = [str(HERE.parent), str(HERE.parents[1])]
    code = f"import sys; sys.path[:0] = {paths!r}; import test_several_workers"
    call = f"test_several_workers.main({str(folder)!r}, {steps}, {slowly})"
    found = []
    for index in range(2):
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": cluster, "task": task})
        with open(folder.parent / f"{index}.txt", "w", encoding="utf-8") as file:
            found.append(
                subprocess.Popen(
                    [sys.executable, "-c", f"{code}; {call}"],
                    cwd=HERE.parents[2],
                    env={**os.environ, "TF_CONFIG": config},
                    stdout=file,
                    stderr=file,
                )
            )
    return found


def _finished(folder, steps):
    """The losses that each of two printed last, the last of which is validation's."""
    codes = [process.wait(240) for process in _started(folder, steps)]
    texts = [(folder.parent / f"{index}.txt").read_text() for index in range(2)]
    assert codes == [0, 0], texts[0][-2000:]
    return [json.loads(text.splitlines()[-1]) for text in texts]


def main(folder, steps, slowly):
    """What each worker runs, which ends as train.py does."""
    try:
        _train(folder, steps, slowly)
    except training.TrainingError as error:
        os._exit(error.exit_code)


def _train(folder, steps, slowly):
    import keras
    import numpy as np
    from flat import flat

    from keras_genai.data.loading import DataLoader, Splits
    from keras_genai.networks.gpt import GPT
    from keras_genai.tasks.language import CausalLM

    class Slow(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            time.sleep(3 if slowly else 0)

    several = strategy.named("multiworker")
    training.deterministic(0)
    with several.scope():
        model = flat(
            CausalLM, GPT, vocabulary_size=5, context=6, depth=1, width=8, num_heads=2
        )
        model.compile(keras.optimizers.Adam(0.01), jit_compile=False)
        model.optimizer.build(model.trainable_variables)
    tokens = np.random.default_rng(0).integers(0, 5, (24, 7)).astype("int32")
    loader = DataLoader((tokens[:, :-1], tokens[:, 1:]), 4)
    found = go(
        pathlib.Path(folder),
        model,
        Splits(loader, DataLoader((tokens[:8, :-1], tokens[:8, 1:]), 4)),
        steps,
        callbacks=[Slow()],
        say=lambda line: print(line, flush=True),
    )
    losses = [record["loss"] for record in found.history]
    print(json.dumps([*losses, found.history[-1]["val_loss"]]), flush=True)
