"""One training run in one folder: start it, kill it, start it again, same bits."""

import contextlib
import dataclasses
import functools
import math

import keras

from keras_genai import compat, replicas
from keras_genai.files.text import read_bytes
from keras_genai.modalities.base import target_of
from keras_genai.training import checkpoint, environment, workers
from keras_genai.training.callbacks import (
    Clock,
    Isolation,
    KeepBest,
    NumericGuard,
    SaveEvery,
    Stepper,
)
from keras_genai.training.checkpoint import Checkpointer
from keras_genai.training.compiled import Compiled, learning_rates
from keras_genai.training.curve import draw_curve
from keras_genai.training.display import Progress, TensorBoard, require_tensorboard
from keras_genai.training.errors import TrainingError, short_of_memory, writing
from keras_genai.training.folder import RunFolder, claimed
from keras_genai.training.followed import run_folder
from keras_genai.training.interrupt import Interrupt
from keras_genai.training.log import JSONLog, mend, read_log, sound_lines
from keras_genai.training.rollouts import Rollouts
from keras_genai.training.settings import RunSettings, check_run
from keras_genai.training.state import RunState


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What a run came to.

    Attributes:
        steps: int. Finished steps, over all restarts.
        seconds: float. Time spent training, over all restarts.
        history: list of dict, the records of log.jsonl.
        resumed_from: int or `None`. The step this process started from.
        best: dict or `None`. `step` and `value` of the lowest validation loss.
    """

    steps: int
    seconds: float
    history: list
    resumed_from: int | None = None
    best: dict | None = None


def deterministic(seed):
    """Makes initial weights a function of the seed; call before building a model.

    Deterministic kernels are switched on by `train` for as long as it runs: Keras
    refuses `jit_compile=True` to a model that is compiled while they are on.

    Args:
        seed: int.
    """
    keras.utils.set_random_seed(seed)


def train(
    model,
    splits,
    folder,
    steps,
    seed=0,
    fingerprint=None,
    fresh=False,
    callbacks=(),
    tensorboard=False,
    say=print,
    **settings,
):
    """Trains `model` up to `steps` steps in `folder`, going on where it stopped.

    The same call after a crash reaches the same weights and logged losses, bit for
    bit, on the same machine with the same versions and threads. At the end the
    model holds the averaged weights if its optimizers average (`use_ema`).

    Args:
        model: compiled and built `Task` or `keras.Model`.
        splits: `Splits`: `train.dataset(start)` is a pure function of the step.
        folder: path of the run folder.
        steps: int. Total number of optimizer steps, restarts included.
        seed: int. Part of the run's identity; apply it with `deterministic`.
        fingerprint: dict, JSON. Everything else that decides the results, without
            the number of steps.
        fresh: bool. Start over: removes the files of an earlier run in `folder`.
        callbacks: Keras callbacks. Those with `get_state` and `set_state` (JSON)
            survive restarts; an epoch is one log interval.
        tensorboard: bool. Also write event files, into `folder/tensorboard`.
        say: function of one str, for lines the user should see.
        **settings: see `RunSettings`: `log_every`, `save_every`, `validate_every`,
            `restore_best`, ...

    Returns:
        `Outcome`.

    Raises:
        ValueError: if an argument is out of range, or if the model is not ready, or
            made under a strategy that it cannot be trained under.
        TrainingError: when the run cannot start or go on; one line.
        RunStoppedError: after SIGINT or SIGTERM, everything saved.
    """
    check_run(splits, steps, seed)
    settings = RunSettings.of(settings)
    settings.check(steps)
    if tensorboard:
        require_tensorboard()
    say = _patient(say)
    strategy = workers.strategy_of(model)
    workers.check(model)
    with short_of_memory(), workers.lost(strategy), environment.deterministic_ops():
        probe = splits.train.dataset(0)
        prepare(model, probe)
        compiled = Compiled(model)
        make = functools.partial(run_folder, strategy=strategy)
        with claimed(folder, fingerprint, seed, fresh, make) as run:
            checkpointer = _checkpointer(run, strategy, settings.keep)
            workers.meet(strategy)  # or `fresh` were still removing files
            restored = _restore(run, model, checkpointer, compiled, say)
            stride = settings.steps_per_execution or model.steps_per_execution
            every = [each.every for each in callbacks if isinstance(each, Rollouts)]
            clock = _clock(restored, steps, settings.log_every, stride, every)
            keeps = settings.keep_best or settings.restore_best
            best = KeepBest(clock, checkpointer, save=keeps)
            best.best = _sound_best(restored, checkpointer, model, say)
            workers.check_together(strategy, clock.step, run.checkpoints.parent)
            if restored and _has_ended(restored, steps):
                _say_trained(run, restored, say)
            else:
                if restored:
                    _name_forgetful(callbacks, say)
                    say(f"going on from step {clock.step} of {steps}")
                others = [*callbacks]
                if tensorboard:
                    others.append(TensorBoard(run.path / "tensorboard", clock))
                if settings.progress:
                    others.append(Progress(clock))
                kept = read_bytes(run.log)
                unit, count = target_of(model).unit(probe.element_spec)
                count *= splits.train.batch_size
                log = JSONLog(run.log, clock, kept, unit, count)
                with log, Interrupt(say) as interrupt:
                    parts = _Parts(
                        clock, run, checkpointer, compiled, log, best, interrupt
                    )
                    own = _assemble(parts, restored, others, settings, strategy)
                    _fit(model, splits, clock, own, settings)
            workers.meet(strategy)  # or the best weights were still being written
            _finish(model, checkpointer, best.best if settings.restore_best else None)
            return Outcome(
                steps=clock.step,
                seconds=clock.seconds,
                history=_history(run, say),
                resumed_from=restored.step if restored else None,
                best=best.best,
            )


def reopen(model, run, steps, restore_best=False, say=print):
    """Puts the weights of a run that has ended into a model, without its data.

    Args:
        model: compiled and built `Task` whose optimizers and metrics are built.
        run: `RunFolder` that is claimed.
        steps: int. Total number of optimizer steps.
        restore_best: bool. Whether the run ends with its best weights.
        say: as in `train`.

    Returns:
        `Outcome`, as `train` returns it for a run that has ended; or `None` if steps
        remain, and then nothing was looked at that `train` does not restore.

    Raises:
        TrainingError: as `train`.
    """
    say = _patient(say)
    with short_of_memory(), environment.deterministic_ops():
        checkpointer = _checkpointer(run, workers.strategy_of(model))
        if max(checkpointer.steps(), default=0) < steps:
            return None
        restored = _restore(run, model, checkpointer, Compiled(model), say)
        if not _has_ended(restored, steps):  # the newest checkpoint was damaged
            return None
        _say_trained(run, restored, say)
        best = _sound_best(restored, checkpointer, model, say)
        _finish(model, checkpointer, best if restore_best else None)
        return Outcome(
            steps=restored.step,
            seconds=restored.extra["seconds"],
            history=_history(run, say),
            resumed_from=restored.step,
            best=best,
        )


def _checkpointer(run, strategy, keep=3):
    replicas = strategy.num_replicas_in_sync
    with writing(run.checkpoints):
        return Checkpointer(
            run.checkpoints, keep, run.identity, RunState, run.writes, replicas
        )


def _has_ended(restored, steps):
    """Whether a run was at its end when a checkpoint was written."""
    return restored.step >= steps or restored.extra["stopped"]


def _say_trained(run, restored, say):
    say(f"{run.path} is already trained: {restored.step} steps")


def _history(run, say):
    """The records of a run's log, from which its curve is drawn."""
    history = read_log(run.log, say)
    with writing(run.curve):
        draw_curve(history, run.curve, run.path.name)
    return history


def _patient(say):
    """`say` that does not end a run when nobody listens any more."""

    def told(line):
        with contextlib.suppress(OSError):
            say(line)

    return told


def prepare(model, dataset):
    """Builds optimizers and metrics, which must exist before anything is restored.

    Args:
        model: compiled and built `keras.Model`.
        dataset: `tf.data.Dataset`, one batch of which is looked at.

    Raises:
        ValueError: if the model or one of its optimizers is not built.
    """
    if not isinstance(model, keras.Model):
        raise ValueError(
            f"`model` must be a `keras.Model`. Received: {type(model).__name__}"
        )
    if not model.built or not model.compiled:
        raise ValueError(
            "`model` must be built and compiled. "
            f"Received: {model.built=}, {model.compiled=}"
        )
    compat.build_from_batch(model, next(iter(dataset.take(1))))
    for name, optimizer in checkpoint.optimizers(model).items():
        if not optimizer.built:
            raise ValueError(
                f"`model.{name}` must be built in `compile`: its slots have to exist "
                f"before a checkpoint can fill them. Received: {optimizer!r}"
            )


@dataclasses.dataclass(frozen=True)
class _Parts:
    clock: Clock
    run: RunFolder
    checkpointer: Checkpointer
    compiled: Compiled
    log: JSONLog
    best: KeepBest
    interrupt: Interrupt


def _assemble(parts, restored, others, settings, strategy):
    """All callbacks, in the order in which an interval's end needs them."""
    several = replicas.on_several_workers(strategy)
    clock, checkpointer = parts.clock, parts.checkpointer
    kept = {
        f"{index}-{type(callback).__name__}": callback
        for index, callback in enumerate(others)
        if hasattr(callback, "get_state")
    }
    apart = settings.save_every, settings.save_seconds
    agree = functools.partial(workers.any_of, strategy) if several else None
    saver = SaveEvery(clock, None, *apart, parts.interrupt, agree)

    def save(stopped):
        extra = {
            "seconds": clock.seconds,
            "best": parts.best.best,
            "stopped": stopped,
            "callbacks": {name: each.get_state() for name, each in kept.items()},
            "compiled": parts.compiled.given,
            "rates": learning_rates(saver.model),
        }
        checkpointer.save(clock.step, saver.model, extra, parts.log.saved())
        parts.run.mark_saved()

    saver.save = save
    return [
        Stepper(clock, restored, kept),
        NumericGuard(clock, checkpointer),
        Isolation(),
        *others,
        parts.best,
        parts.log,
        saver,
    ]


def _fit(model, splits, clock, callbacks, settings):
    compat.forget_epoch(model)
    if model.steps_per_execution != clock.stride:
        model.steps_per_execution = clock.stride
        model.make_train_function(force=True)
        model.make_test_function(force=True)
    epochs = math.ceil(clock.total / clock.interval)
    apart = max((settings.validate_every or clock.total) // clock.interval, 1)
    strategy = workers.strategy_of(model)
    validation = splits.validation and _same_pass(splits.validation)
    if validation is not None and settings.validation_steps:
        validation = validation.take(settings.validation_steps)
    if validation is not None:
        validation = workers.shared(validation, strategy)
    try:
        model.fit(
            workers.shared(splits.train.dataset(clock.step), strategy),
            initial_epoch=clock.step // clock.interval,
            epochs=epochs,
            steps_per_epoch=clock.interval,
            shuffle=False,
            validation_data=validation,
            validation_freq=_Validated(apart, epochs),
            callbacks=callbacks,
            verbose=0,
        )
    finally:
        for callback in callbacks:
            if isinstance(callback, Progress):
                callback.close()


def _same_pass(loader):
    """A pass that a resumed run sees as the uninterrupted one would: always the same.

    Loaders that have only `epoch` must give that by themselves.
    """
    return getattr(loader, "evaluation", loader.epoch)()


class _Validated(list):
    """Every so many epochs and the last, as the list Keras wants, never written out."""

    def __init__(self, apart, last):
        super().__init__([last])
        self.apart = apart

    def __contains__(self, epoch):
        return epoch % self.apart == 0 or super().__contains__(epoch)


def _finish(model, checkpointer, best):
    """Leaves the weights for use in the model: averaged ones, or the best.

    What is carried between batches is forgotten, whether `fit` was run or the run was
    already at its end.
    """
    forget = getattr(model, "reset_states", None)
    if forget is not None:
        forget()
    for variable, average in checkpoint.averages(model):
        variable.assign(average)
    if best is not None and best["kept"]:
        checkpointer.restore_best(best["step"], model)


def _restore(run, model, checkpointer, compiled, say):
    """Brings model and log to the newest checkpoint; tells what a person should know.

    Returns:
        `Restored`, or `None` at the beginning of a run.
    """
    restored = checkpointer.restore(model)
    if restored is None:
        _begin(run, say)
        return None
    for message in restored.messages:
        say(message)
    kept = restored.log
    if kept is None:  # a checkpoint of an earlier version
        present = read_bytes(run.log) if run.log.exists() else b""
        kept = sound_lines(present, restored.step)
    mend(run.log, kept, say if run.writes else lambda line: None)
    for line in compiled.reconcile(restored):
        say(line)
    run.mark_saved()
    return restored


def _sound_best(restored, checkpointer, model, say):
    """The best step so far, unless its weights were kept and can no longer be read."""
    best = restored.extra["best"] if restored else None
    if best is not None and best["kept"]:
        try:
            checkpointer.read_best(best["step"], model)
        except TrainingError as error:
            say(f"{error}; what follows is compared among itself")
            return None
    return best


def _begin(run, say):
    """Starts the log of a run without checkpoint, unless there has been one."""
    if run.has_saved:
        raise TrainingError(
            f"{run.path} has no checkpoint any more, although its run had some, so it "
            "cannot go on; nothing was changed. Put them back, or use --fresh to "
            "start over or --out for another folder",
            exit_code=2,
        )
    if run.log.exists() and run.log.stat().st_size:
        say(f"{run.path} has no checkpoint yet: beginning again with step 0")
    mend(run.log, b"", say)


def _name_forgetful(callbacks, say):
    for callback in callbacks:
        if hasattr(callback, "monitor") and not hasattr(callback, "get_state"):
            name = type(callback).__name__
            say(f"{name} has no get_state: its counters start over")


def _clock(restored, steps, log_every, stride, every=()):
    step = restored.step if restored else 0
    # Calls of the train function must end at the end of every interval, and where a
    # callback acts every so many steps.
    common = math.gcd(step, steps, log_every, *every)
    return Clock(
        step=step,
        total=steps,
        interval=log_every,
        stride=_largest_divisor(common, stride),
        before=restored.extra["seconds"] if restored else 0.0,
    )


def _largest_divisor(number, most):
    """The largest divisor of `number` that is not above `most`."""
    small = [d for d in range(1, math.isqrt(number) + 1) if number % d == 0]
    return max(d for s in small for d in (s, number // s) if d <= most)
