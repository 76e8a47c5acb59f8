"""What a run does beside surviving: steps, validation, guard, folder, display."""

import io
import json
import math
import os
import shutil
import signal
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from tiny_run import Loader, Splits

from keras_genai import training
from keras_genai.data.windows import Stream
from keras_genai.networks.rnn import RNN
from keras_genai.tasks.truncated import TruncatedLM
from keras_genai.training import TrainingError, checkpoint
from keras_genai.training.callbacks import Clock, NumericGuard
from keras_genai.training.curve import draw_curve
from keras_genai.training.display import Progress, require_tensorboard
from keras_genai.training.folder import RunFolder
from keras_genai.training.interrupt import Interrupt
from keras_genai.training.log import TIMING_FIELDS, read_log


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


@pytest.mark.slow
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


def test_a_finished_run_carries_nothing_on_whether_it_was_trained_now_or_before(
    tmp_path,
):
    stream = Stream(np.arange(50, dtype="int32") % 5, length=4, batch_size=2)
    found = []
    for _ in range(2):
        training.deterministic(0)
        sizes = dict(vocabulary_size=5, embedding_dim=3, units=4, num_layers=1)
        model = TruncatedLM(RNN(**sizes), lanes=2)
        model.compile(keras.optimizers.SGD(0.1))
        model.optimizer.build(model.trainable_variables)
        go(tmp_path, model, types.SimpleNamespace(train=stream, validation=None))
        found.append({each.path: each.numpy() for each in model.weights})
    first, second = found
    assert any("lanes" in path for path in first)
    for path, value in first.items():
        np.testing.assert_array_equal(value, second[path])


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
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


@pytest.mark.slow
def test_a_run_whose_best_weights_are_lost_can_still_finish(tmp_path):
    go(tmp_path, validate_every=4, restore_best=True)
    for path in tmp_path.glob("checkpoints/best-*/state.npz"):
        path.write_bytes(b"")
    said = []
    for steps, best in ((8, None), (12, 12)):
        outcome = go(
            tmp_path, steps=steps, validate_every=4, restore_best=True, say=said.append
        )
        assert (outcome.best and outcome.best["step"]) == best
    assert "are lost: sha256 of state.npz differs; what follows" in said[0]


@pytest.mark.slow
def test_early_stopping_stays_stopped_after_a_restart(tmp_path):
    def stopping():
        stop = training.EarlyStopping("val_loss", patience=1, mode="max")
        return go(tmp_path, steps=100, validate_every=4, callbacks=[stop])

    first, again = stopping(), stopping()
    assert first.steps == again.steps == again.resumed_from < 100


@pytest.mark.slow
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


def cut(path):
    path.write_bytes(path.read_bytes()[:-30])


def replace_first_line(content):
    def harm(path):
        rest = path.read_bytes().split(b"\n", 1)[1]
        path.write_bytes(content + b"\n" + rest)

    return harm


HARM = {
    "cut": cut,
    "bytes": replace_first_line(b'{"step": \x00\xff}'),
    "number": replace_first_line(b"123"),
    "deep": replace_first_line(b"[" * 100_000),
    "digit": lambda path: path.write_bytes(path.read_bytes().replace(b"4", b"5", 1)),
    "empty": lambda path: path.write_bytes(b""),
    "missing": lambda path: path.unlink(),
    "garbage": lambda path: path.write_bytes(bytes(range(256)) * 20),
}


def without_times(path):
    records = [json.loads(line) for line in path.read_text().splitlines()]
    return [{k: r[k] for k in r if k not in TIMING_FIELDS} for r in records]


@pytest.fixture(scope="module")
def half(tmp_path_factory):
    """A run of 8 of 12 steps."""
    folder = tmp_path_factory.mktemp("half") / "run"
    go(folder)
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("harm", HARM.values(), ids=HARM)
def test_a_damaged_log_is_mended_and_the_run_goes_on(harm, half, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(half, run)
    before = without_times(run / "log.jsonl")
    harm(run / "log.jsonl")
    said = []
    outcome = go(run, steps=12, say=said.append)
    assert said[0] == (
        f"{run / 'log.jsonl'} was changed or lost lines; they are back from the "
        "checkpoint"
    )
    assert without_times(run / "log.jsonl")[:2] == before
    assert [record["step"] for record in outcome.history] == [4, 8, 12]


def test_lines_that_are_no_records_are_passed_over_and_named(tmp_path):
    path = tmp_path / "log.jsonl"
    path.write_bytes(b'{"step": 1, "loss": "x"}\n123\n{"loss": 1}\n\xff\n{"step": 2')
    said = []
    assert read_log(path, said.append) == [{"step": 1, "loss": "x"}]
    assert said == [
        f"{path} has lines that are no records and are passed over: 2, 3, 4"
    ]
    draw_curve(read_log(path, said.append), tmp_path / "curve.png")


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


def adam(rate):
    return linear(keras.optimizers.Adam(rate))


@pytest.mark.slow
def test_a_new_learning_rate_is_taken_and_said(tmp_path):
    go(tmp_path, adam(1e-2), steps=4)
    said, model = [], adam(1e-4)
    outcome = go(tmp_path, model, say=said.append)
    assert said[:2] == [
        f"from step 4 on, optimizer.learning_rate was {float(np.float32(1e-2))} and is "
        f"{float(np.float32(1e-4))}",
        "the learning rate goes on from 0.01 at 0.0001",
    ]
    assert outcome.history[-1]["learning_rate"] == pytest.approx(1e-4)


@pytest.mark.slow
def test_a_new_loss_scale_is_taken_and_said(tmp_path):
    def scaled(scale, steps, say=print):
        inner = keras.optimizers.SGD(0.1)
        model = linear(keras.optimizers.LossScaleOptimizer(inner, scale))
        model.optimizer.build(model.trainable_variables)
        go(tmp_path, model, steps=steps, say=say)
        return float(model.optimizer.dynamic_scale)

    scaled(8.0, 4)
    said = []
    assert scaled(4.0, 8, said.append) == 4.0
    assert said[0].endswith("optimizer.initial_scale was 8.0 and is 4.0")


@pytest.mark.slow
def test_another_optimizer_is_refused_because_its_slots_mean_something_else(tmp_path):
    go(tmp_path, linear(keras.optimizers.Adam(0.1)), steps=4)
    with pytest.raises(TrainingError, match=r"`optimizer.class` was Adam and is AdamW"):
        go(tmp_path, linear(keras.optimizers.AdamW(0.1)))


def test_a_schedule_that_jumps_with_the_number_of_steps_is_said(tmp_path):
    def cosine(steps, say=print):
        rate = keras.optimizers.schedules.CosineDecay(0.1, steps)
        go(tmp_path, linear(keras.optimizers.SGD(rate)), steps=steps, say=say)

    cosine(8)
    said = []
    cosine(16, said.append)
    assert said[0].endswith("decay_steps was 8 and is 16")
    assert said[1] == "the learning rate goes on from 0 at 0.05"


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["plateau", "schedule"])
def test_a_rate_that_a_callback_changed_is_kept(kind, tmp_path):
    def rates(folder, steps):
        if kind == "plateau":
            change = keras.callbacks.ReduceLROnPlateau(
                "loss", factor=0.5, patience=1, min_delta=100.0, min_lr=0.04
            )
        else:
            change = keras.callbacks.LearningRateScheduler(lambda n, _: 0.1 / (n + 1))
        said = []
        model = linear(keras.optimizers.SGD(0.1))
        history = go(
            folder, model, steps=steps, callbacks=[change], say=said.append
        ).history
        assert not any("rate" in line for line in said)
        return [record["learning_rate"] for record in history]

    whole = rates(tmp_path / "whole", 16)
    rates(tmp_path / "parts", 12)
    assert rates(tmp_path / "parts", 16) == whole
    assert whole[-1] < whole[0]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": 10**30}, "`steps` must be an int from 1 to 2,147,483,647"),
        ({"steps": 0}, "`steps` must be an int >= 1"),
        ({"log_every": 0}, "`log_every`"),
        ({"save_every": 0}, "`save_every`"),
        ({"save_seconds": -1}, "`save_seconds`"),
        ({"validation_steps": 1.5}, "`validation_steps`"),
        ({"steps_per_execution": 2**31}, "`steps_per_execution`"),
        ({"keep": 0}, "`keep`"),
        ({"seed": "x"}, "`seed`"),
        ({"splits": "x"}, "`splits` must be `Splits`"),
        ({"model": "x"}, "`model` must be a `keras.Model`"),
    ],
)
def test_arguments_that_cannot_be_are_refused_in_one_line(options, message, tmp_path):
    with pytest.raises((ValueError, TypeError), match=message) as error:
        go(tmp_path / "run", **options)
    assert "\n" not in str(error.value)


def test_a_large_number_of_steps_at_once_is_cut_to_the_interval(tmp_path):
    model = linear()
    go(tmp_path, model, steps_per_execution=2**31 - 1)
    assert model.steps_per_execution == 4


def test_arguments_are_looked_at_before_an_earlier_run_is_cleared(tmp_path):
    go(tmp_path, steps=4)
    unbuilt = keras.Sequential([keras.layers.Dense(1)])
    with pytest.raises(ValueError, match="must be built"):
        go(tmp_path, unbuilt, fresh=True)
    assert go(tmp_path, steps=4).resumed_from == 4


def test_too_little_memory_is_one_line(tmp_path):
    class Hungry(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise tf.errors.ResourceExhaustedError(None, None, "OOM\nwith many lines")

    with pytest.raises(TrainingError, match="not enough memory") as error:
        go(tmp_path, callbacks=[Hungry()])
    assert error.value.exit_code == 2


def test_a_claimed_folder_stays_locked_after_the_training(tmp_path):
    with RunFolder(tmp_path).claim({"seed": 0}) as run:
        go(run)
        with pytest.raises(TrainingError, match="Another process is training"):
            go(tmp_path, fresh=True)
        with pytest.raises(ValueError, match="which takes `fingerprint`"):
            go(run, fresh=True)
    with pytest.raises(ValueError, match="claimed: False"):
        go(run)


@pytest.mark.slow
def test_a_run_goes_on_when_nobody_listens(tmp_path):
    def gone(line):
        raise BrokenPipeError

    assert go(tmp_path, steps=4).steps == 4
    assert go(tmp_path, say=gone).steps == 8


def test_counting_refuses_what_it_does_not_know(tmp_path):
    with pytest.raises(TypeError, match="fresch"):
        training.count(linear(), Splits, tmp_path, fresch=True)
    with pytest.raises(ValueError, match="must be one that counts"):
        training.count(linear(), Splits, tmp_path)


def test_a_lost_terminal_stops_the_run_as_a_request_does():
    before = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    try:
        with Interrupt(lambda line: None) as interrupt:
            signal.raise_signal(signal.SIGHUP)
            assert interrupt.signal_number == signal.SIGHUP
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # under nohup
        with Interrupt(lambda line: None) as interrupt:
            signal.raise_signal(signal.SIGHUP)
            assert interrupt.signal_number is None
    finally:
        signal.signal(signal.SIGHUP, before)


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


def test_tensorboard_says_what_to_install(monkeypatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(TrainingError, match=r"pip install .*\[tensorboard\]"):
        require_tensorboard()


def test_intervals_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ValueError, match="multiple of `log_every`"):
        go(tmp_path, validate_every=6)
    assert not list(tmp_path.iterdir())
