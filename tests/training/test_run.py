"""What a run does beside surviving: steps, validation, guard, folder, display."""

import io
import json
import math
import signal

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_run import Loader, Splits

from keras_genai import training
from keras_genai.training import TrainingError, checkpoint
from keras_genai.training.callbacks import Clock, NumericGuard
from keras_genai.training.display import Progress, TensorBoard
from keras_genai.training.folder import RunFolder
from keras_genai.training.interrupt import Interrupt


def linear(optimizer=None, **compile_options):
    training.deterministic(0)
    model = keras.Sequential(
        [keras.Input((6,)), keras.layers.Dense(1, name="only")], name="linear"
    )
    model.compile(optimizer or keras.optimizers.Adam(0.1), "mse", **compile_options)
    return model


def go(folder, model=None, splits=Splits, steps=8, **options):
    model = linear() if model is None else model
    options = {"log_every": 4, "progress": False, "say": lambda line: None} | options
    return training.train(model, splits, folder, steps, **options)


class Steps(keras.callbacks.Callback):
    """Remembers the optimizer's step count at the end of every interval."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(int(self.model.optimizer.iterations))


@pytest.mark.parametrize("steps", [8, 9, 11])
def test_exactly_the_asked_number_of_steps_runs(steps, tmp_path):
    counted, model = Steps(), linear(steps_per_execution=4)
    assert go(tmp_path, model, steps=steps, callbacks=[counted]).steps == steps
    assert counted.seen == [4, 8, steps][: math.ceil(steps / 4)]


def test_a_longer_run_goes_on_from_a_shorter_one(tmp_path):
    go(tmp_path, steps=6)
    outcome = go(tmp_path, steps=10)
    assert (outcome.steps, outcome.resumed_from) == (10, 6)
    assert [record["step"] for record in outcome.history] == [4, 6, 8, 10]


def test_a_finished_run_is_not_trained_again(tmp_path):
    first, second = linear(), linear()
    go(tmp_path, first)
    said = []
    outcome = go(tmp_path, second, say=said.append)
    assert said == [f"{tmp_path} is already trained: 8 steps"]
    assert outcome.steps == outcome.resumed_from == 8
    np.testing.assert_array_equal(
        first.get_layer("only").kernel, second.get_layer("only").kernel
    )


def test_validation_sees_averaged_weights_and_changes_nothing(tmp_path):
    def averaging():
        return linear(keras.optimizers.SGD(0.05, use_ema=True, ema_momentum=0.9))

    often, never = averaging(), averaging()
    one = go(tmp_path / "a", often, validate_every=4)
    two = go(tmp_path / "b", never)
    np.testing.assert_array_equal(
        often.get_layer("only").kernel, never.get_layer("only").kernel
    )
    assert [r["loss"] for r in one.history] == [r["loss"] for r in two.history]
    # The model ends with its averages, so evaluating it gives the last line again.
    after = never.evaluate(Splits.validation.epoch(), verbose=0)
    assert after == one.history[-1]["val_loss"] == two.history[-1]["val_loss"]


def test_validation_does_not_use_up_the_noise_of_training(tmp_path):
    class Always(keras.layers.Dropout):
        def call(self, inputs, training=None):
            return super().call(inputs, training=True)

    def noisy(folder, **options):
        training.deterministic(0)
        layers = [Always(0.5, seed=2), keras.layers.Dense(1, name="only")]
        model = keras.Sequential([keras.Input((6,)), *layers])
        model.compile("sgd", "mse")
        return [r["loss"] for r in go(tmp_path / folder, model, **options).history]

    assert noisy("often", validate_every=4) == noisy("once")


def test_validation_is_capped(tmp_path):
    class Once(Loader):
        def epoch(self):
            endless = self.dataset().take(3)
            return endless.concatenate(endless.map(self.forbidden))

        def forbidden(self, x, y):
            return x * float("nan"), y

    splits = type("S", (), {"train": Loader(), "validation": Once()})
    assert math.isfinite(go(tmp_path, splits=splits, validation_steps=3).best["value"])


def test_the_best_weights_come_back_at_the_end(tmp_path):
    class Worse(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            if epoch == 2:
                self.model.optimizer.learning_rate = 5.0

    model = linear()
    outcome = go(
        tmp_path,
        model,
        steps=16,
        validate_every=4,
        restore_best=True,
        callbacks=[Worse()],
    )
    values = [record["val_loss"] for record in outcome.history]
    assert outcome.best["value"] == min(values) < values[-1]
    assert outcome.best["step"] == 4 * (1 + values.index(min(values)))
    assert model.evaluate(Splits.validation.epoch(), verbose=0) == min(values)


def test_early_stopping_stays_stopped_after_a_restart(tmp_path):
    def stopping():
        stop = training.EarlyStopping("val_loss", patience=1, mode="max")
        return go(tmp_path, steps=100, validate_every=4, callbacks=[stop])

    first, again = stopping(), stopping()
    assert first.steps == again.steps == again.resumed_from < 100


def test_a_stock_callback_that_forgets_is_named(tmp_path):
    said = []
    for steps in (4, 8):
        stop = keras.callbacks.EarlyStopping("loss", patience=9)
        go(tmp_path, steps=steps, callbacks=[stop], say=said.append)
    assert "EarlyStopping has no get_state: its counters start over" in said


def test_a_log_line_says_step_losses_rate_and_speed(tmp_path):
    go(tmp_path)
    last = json.loads((tmp_path / "log.jsonl").read_text().splitlines()[-1])
    assert list(last) == [
        "step",
        "loss",
        "val_loss",
        "learning_rate",
        "seconds",
        "examples_per_second",
    ]
    assert last["learning_rate"] == pytest.approx(0.1)
    assert (tmp_path / "curve.png").read_bytes().startswith(b"\x89PNG")


class Poisoned(Loader):
    """Batches that are fine up to step 5 and NaN from there on."""

    def dataset(self, start=0):
        def poison(step, batch):
            bad = tf.where(step >= 5, float("nan"), 0.0)
            return batch[0] + bad, batch[1]

        numbers = tf.data.Dataset.counter(start)
        return tf.data.Dataset.zip(numbers, super().dataset(start)).map(poison)


@pytest.fixture
def poisoned():
    return type("S", (), {"train": Poisoned(), "validation": None})


def test_a_loss_that_is_not_finite_stops_the_run(poisoned, tmp_path):
    with pytest.raises(TrainingError, match=r"Stopped at step 6: `loss` is nan") as e:
        go(tmp_path, splits=poisoned, save_every=2)
    assert "the newest checkpoint is step-00000004" in str(e.value)
    assert max((tmp_path / "checkpoints").iterdir()).name == "step-00000004"


def test_poisoned_weights_under_a_finite_loss_are_never_saved(poisoned, tmp_path):
    class Quiet(keras.Sequential):
        def train_step(self, data):
            super().train_step(data)
            return {"loss": tf.constant(0.5)}

    model = Quiet([keras.Input((6,)), keras.layers.Dense(1, name="only")])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    with pytest.raises(TrainingError, match="only/kernel` is not finite"):
        go(tmp_path, model, splits=poisoned, save_every=1)
    assert max((tmp_path / "checkpoints").iterdir()).name == "step-00000005"


def test_a_loss_scale_below_one_stops_the_run(tmp_path):
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1))
    model = linear(optimizer)
    optimizer.build(model.trainable_variables)
    guard = NumericGuard(Clock(3, 9, 3), checkpoint.Checkpointer(tmp_path))
    guard.set_model(model)
    guard.on_train_begin()
    guard.on_train_batch_end(0, {"loss": 1.0})
    optimizer.dynamic_scale.assign(0.5)
    with pytest.raises(TrainingError, match=r"the loss scale fell to 0\.5"):
        guard.on_train_batch_end(0, {"loss": 1.0})


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


@pytest.fixture
def python_handles_ctrl_c():
    """As in a terminal; a job in the background may have been told to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("python_handles_ctrl_c")
def test_the_second_ctrl_c_stops_at_once():
    said = []
    with Interrupt(said.append) as interrupt:
        signal.raise_signal(signal.SIGINT)
        assert interrupt.signal_number == signal.SIGINT
        assert len(said) == 1
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


class Terminal(io.StringIO):
    def isatty(self):
        return True


def show(stream):
    clock = Clock(0, 100, 50)
    progress = Progress(clock, stream)
    progress.on_train_begin()
    for _ in range(100):
        clock.step += 1
        progress.on_train_batch_end(0, {"loss": 0.5, "accuracy": 1.0})
    progress.close()
    return stream.getvalue()


def test_a_terminal_gets_one_bar():
    text = show(Terminal())
    assert text.count("\n") == 1
    assert f"100/100 [{'=' * 24}] loss 0.5000" in text.split("\r")[-1]


def test_a_file_gets_occasional_lines():
    first, last = show(io.StringIO()).splitlines()
    assert first == "  1/100 loss 0.5000"
    assert last.startswith("100/100 loss 0.5000")
    assert last.endswith("0:00 left")


def test_tensorboard_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TrainingError, match=r"pip install .*\[tensorboard\]"):
        TensorBoard(tmp_path, Clock(0, 1, 1))


def test_intervals_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ValueError, match="multiple of `log_every`"):
        go(tmp_path, validate_every=6)
    assert not list(tmp_path.iterdir())
