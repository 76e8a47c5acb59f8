"""What a run does beside surviving: steps, validation, best weights, arguments."""

import math
import types

import keras
import numpy as np
import pytest
import tensorflow as tf
from linear_run import go, linear
from marks import slow_but
from tiny_run import Loader, Splits

from keras_genai import training
from keras_genai.data.windows import Stream
from keras_genai.networks.rnn import RNN
from keras_genai.tasks.truncated import TruncatedLM
from keras_genai.training import RunFolder, TrainingError, reopen
from keras_genai.training.run import prepare


class Steps(keras.callbacks.Callback):
    """Remembers the optimizer's step count at the end of every interval."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(int(self.model.optimizer.iterations))


@pytest.mark.parametrize("steps", slow_but([11], [8, 9, 11]))
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


@pytest.mark.slow
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


@pytest.mark.slow
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
def test_a_run_that_has_ended_is_opened_without_its_data(tmp_path):
    whole = go(tmp_path, linear(), steps=4, validate_every=4, restore_best=True)
    model = linear()
    prepare(model, Splits.train.dataset())  # the metrics, which other models make
    said = []
    with RunFolder(tmp_path).claim({"seed": 0}) as run:
        again = reopen(model, run, 4, restore_best=True, say=said.append)
        assert reopen(model, run, 5) is None
        damaged = next(run.checkpoints.glob("step-*/state.npz"))
        damaged.write_bytes(b"")
        with pytest.raises(TrainingError, match="No checkpoint"):
            reopen(model, run, 4)
    assert said == [f"{tmp_path} is already trained: 4 steps"]
    assert again.steps == again.resumed_from == 4
    assert (again.history, again.best) == (whole.history, whole.best)
    assert model.evaluate(Splits.validation.epoch(), verbose=0) == whole.best["value"]


@pytest.mark.slow
def test_a_stock_callback_that_forgets_is_named(tmp_path):
    said = []
    for steps in (4, 8):
        stop = keras.callbacks.EarlyStopping("loss", patience=9)
        go(tmp_path, steps=steps, callbacks=[stop], say=said.append)
    assert "EarlyStopping has no get_state: its counters start over" in said


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


@pytest.mark.slow
def test_too_little_memory_is_one_line(tmp_path):
    class Hungry(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            raise tf.errors.ResourceExhaustedError(None, None, "OOM\nwith many lines")

    with pytest.raises(TrainingError, match="not enough memory") as error:
        go(tmp_path, callbacks=[Hungry()])
    assert error.value.exit_code == 2


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


def test_intervals_that_do_not_fit_are_refused(tmp_path):
    with pytest.raises(ValueError, match="multiple of `log_every`"):
        go(tmp_path, validate_every=6)
    assert not list(tmp_path.iterdir())
