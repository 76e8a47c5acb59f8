"""The callbacks of a run: numeric guard, isolation, best weights, saving.

All of them share one `Clock`, which the first in the list, `Stepper`, moves.
"""

import contextlib
import dataclasses
import math
import time

import keras
import tensorflow as tf

from keras_genai.training import checkpoint
from keras_genai.training.errors import RunStoppedError, TrainingError


@dataclasses.dataclass
class Clock:
    """Where a run is.

    Attributes:
        step: int. Finished steps, over all restarts.
        total: int. Steps after which the run is complete.
        interval: int. Steps per log line, which is one epoch of `fit`.
        stride: int. Steps per call of the train function.
        before: float. Seconds spent before this process took over.
        began: float. When this process began, in `time.monotonic`.
    """

    step: int
    total: int
    interval: int
    stride: int = 1
    before: float = 0.0
    began: float = dataclasses.field(default_factory=time.monotonic)

    @property
    def seconds(self):
        return self.before + time.monotonic() - self.began

    @property
    def at_boundary(self):
        return self.step % self.interval == 0 or self.step >= self.total


class Stepper(keras.callbacks.Callback):
    """Counts steps, ends each interval at its step, and puts restored state back.

    Args:
        clock: `Clock`.
        restored: `keras_genai.training.checkpoint.Restored` or `None`.
        others: callbacks by name that have `get_state` and `set_state`.
    """

    def __init__(self, clock, restored, others):
        super().__init__()
        self.clock = clock
        self.restored = restored
        self.others = others
        self.closing = False

    def on_epoch_begin(self, epoch, logs=None):
        # `fit` has just reset the metrics, and `on_train_begin` the callbacks.
        if self.restored is None:
            return
        if self.clock.step % self.clock.interval:
            metrics = self.model.metrics_variables
            for variable, value in zip(metrics, self.restored.metrics, strict=True):
                variable.assign(value)
        for name, callback in self.others.items():
            if name in self.restored.extra["callbacks"]:
                callback.set_state(self.restored.extra["callbacks"][name])
        self.restored = None

    def on_train_batch_end(self, batch, logs=None):
        self.clock.step += self.clock.stride
        if self.clock.at_boundary:
            # The first interval after a restart and the last of a run can be
            # shorter than `steps_per_epoch`; this ends them inside one `fit`.
            self.closing = self.model.stop_training = True

    def on_epoch_end(self, epoch, logs=None):
        if self.closing:
            self.closing = self.model.stop_training = False


class NumericGuard(keras.callbacks.Callback):
    """Stops a run whose loss, weights or loss scale are no longer usable.

    The loss is looked at after every step, the trainable weights after every
    interval; `Checkpointer.save` refuses any state that is not finite, so a poisoned
    one is never saved. A loss can be finite while kernels are not: relu(NaN) is 0.

    Args:
        clock: `Clock`.
        checkpointer: `Checkpointer`, to name the checkpoint to go on from.

    Raises:
        TrainingError: from within `fit`.
    """

    def __init__(self, clock, checkpointer):
        super().__init__()
        self.clock = clock
        self.checkpointer = checkpointer

    def on_train_begin(self, logs=None):
        self.scales = [
            optimizer.dynamic_scale
            for optimizer in checkpoint.optimizers(self.model).values()
            if isinstance(optimizer, keras.optimizers.LossScaleOptimizer)
        ]
        weights = [
            variable.value
            for variable in self.model.trainable_variables
            if "float" in keras.backend.standardize_dtype(variable.dtype)
        ]

        @tf.function(autograph=False)
        def finite():
            return tf.reduce_all(
                [tf.reduce_all(tf.math.is_finite(weight)) for weight in weights]
            )

        self.finite = finite

    def on_train_batch_end(self, batch, logs=None):
        for name, value in (logs or {}).items():
            if name.endswith("loss") and not math.isfinite(value):
                self._stop(f"`{name}` is {value}")
        for scale in self.scales:
            value = float(keras.ops.convert_to_numpy(scale))
            if value < 1:
                self._stop(f"the loss scale fell to {value:.3g}")

    def on_epoch_end(self, epoch, logs=None):
        if not self.finite():
            self._stop("a weight is not finite")

    def _stop(self, reason):
        raise TrainingError(
            f"Stopped at step {self.clock.step}: {reason}. This state was not saved; "
            f"{self.checkpointer.newest()}. A lower learning rate or clipping helps"
        )


class Isolation(keras.callbacks.Callback):
    """Validates averaged weights, and keeps validation from changing the training.

    Seeds, carried states, statistics and metrics are put back exactly afterwards, and
    so are the weights where an optimizer averages them (`use_ema=True`).
    """

    def on_test_begin(self, logs=None):
        self.stack = contextlib.ExitStack()
        self.stack.enter_context(apart(self.model))

    def on_test_end(self, logs=None):
        self.stack.close()


@contextlib.contextmanager
def apart(model):
    """Context in which a model has its averaged weights; after it all is as before.

    Args:
        model: `keras.Model`. Its seeds, carried states, statistics, metrics and, where
            an optimizer averages them, weights are put back.
    """
    pairs = checkpoint.averages(model)
    weights = {id(variable) for variable in model.trainable_variables}
    touched = [weight for weight, _ in pairs]
    touched += [v for v in model.variables if id(v) not in weights]
    touched += model.metrics_variables
    kept = [(variable, variable.numpy()) for variable in touched]
    for variable, average in pairs:
        variable.assign(average)
    try:
        yield
    finally:
        for variable, value in kept:
            variable.assign(value)


class KeepBest(keras.callbacks.Callback):
    """Remembers the step of the lowest `monitor`, and its weights if asked.

    Args:
        clock: `Clock`.
        checkpointer: `Checkpointer`.
        save: bool. Also write the weights, the averaged ones under `use_ema`.
        monitor: str. A key of the logs; intervals without it are passed over.
    """

    def __init__(self, clock, checkpointer, save=False, monitor="val_loss"):
        super().__init__()
        self.clock = clock
        self.checkpointer = checkpointer
        self.save = save
        self.monitor = monitor
        self.best = None

    def get_state(self):
        return self.best

    def set_state(self, state):
        self.best = state

    def on_epoch_end(self, epoch, logs=None):
        value = (logs or {}).get(self.monitor)
        if value is None or not math.isfinite(value):
            return
        if self.best is None or value < self.best["value"]:
            self.best = {"step": self.clock.step, "value": value, "kept": self.save}
            if self.save:
                self.checkpointer.save_best(self.clock.step, self.model)


class EarlyStopping(keras.callbacks.EarlyStopping):
    """Keras' `EarlyStopping`, with counters that survive a restart.

    Intervals without validation are passed over. Best weights are the business of
    `train(..., keep_best=True)`.

    Args:
        monitor: str. A key of the logs.
        patience: int. Validations without improvement before the run stops.
        min_delta: float. A smaller improvement counts as none.
        mode: `"auto"`, `"min"` or `"max"`.
    """

    def __init__(self, monitor="val_loss", patience=3, min_delta=0.0, mode="auto"):
        super().__init__(monitor, min_delta, patience, mode=mode)

    def get_state(self):
        return {"wait": self.wait, "best": self.best, "best_epoch": self.best_epoch}

    def set_state(self, state):
        self.wait = state["wait"]
        self.best = state["best"]
        self.best_epoch = state["best_epoch"]

    def get_monitor_value(self, logs):
        return (logs or {}).get(self.monitor)


class SaveEvery(keras.callbacks.Callback):
    """Saves every so many steps or seconds, at the end, and when asked to stop.

    Args:
        clock: `Clock`.
        save: function of one bool, whether a callback ended the run, that writes
            the checkpoint.
        steps: int or `None`. Most steps between two checkpoints.
        seconds: float or `None`. Most seconds between two checkpoints.
        interrupt: `Interrupt` or `None`.
        agree: function of an int that returns the largest of all workers', or `None`
            without others. What the clock or a signal asks for then waits for the end
            of an interval, so that all save at the same step.

    Raises:
        RunStoppedError: from within `fit`, after a requested stop was saved.
    """

    def __init__(
        self, clock, save, steps=None, seconds=None, interrupt=None, agree=None
    ):
        super().__init__()
        self.clock = clock
        self.save = save
        self.steps = steps or math.inf
        self.seconds = seconds or math.inf
        self.interrupt = interrupt
        self.agree = agree
        self.last_step = clock.step
        self.last_time = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        # At a boundary, validation and the log line still have to come.
        if not self.clock.at_boundary:
            alone = self.agree is None
            self._act(self._asked() if alone else 0, alone and self._late())

    def on_epoch_end(self, epoch, logs=None):
        asked, late = self._asked(), self._late()
        if self.agree is not None:
            asked, late = self.agree(asked), self.agree(int(late))
        final = self.clock.step >= self.clock.total
        self._act(asked, late or final, self.model.stop_training)

    def _asked(self):
        """int: the number of the signal that asked to stop, or 0."""
        return (self.interrupt is not None and self.interrupt.signal_number) or 0

    def _late(self):
        return time.monotonic() - self.last_time >= self.seconds

    def _act(self, asked, due, stopped=False):
        steps = self.clock.step - self.last_step
        if due or stopped or asked or steps >= self.steps:
            self.save(stopped)
            self.last_step, self.last_time = self.clock.step, time.monotonic()
        if asked:
            raise RunStoppedError(
                f"Stopped and saved at step {self.clock.step} of {self.clock.total}; "
                "the same command goes on from there",
                asked,
            )
