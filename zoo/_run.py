"""Runs an entry's recipe: what `train.py` and `python -m zoo verify` share."""

import datetime
import importlib
import os
import platform
import subprocess

import keras
import numpy as np
import tensorflow as tf

from keras_genai import training
from keras_genai.files.paths import as_path
from keras_genai.files.text import lines, read_text
from keras_genai.files.writing import write_bytes, write_text
from keras_genai.modalities.base import target_of
from keras_genai.tasks import presets
from keras_genai.training import workers
from keras_genai.training.folder import PLOT, RESULT, SAMPLE
from keras_genai.training.followed import run_folder
from keras_genai.training.samples import Samples
from zoo import _cards
from zoo.entry import Result, kept


def run(entry, settings, folder, say=print, strategy=None):
    """Trains an entry, saves it, scores it, and lets it write.

    The folder belongs to this process from before the training until all is written.
    The preset is saved first: whatever stops the scoring, nothing learned is lost, and
    the same command scores again.

    Args:
        entry: `Entry`.
        settings: `Settings`.
        folder: path of the run folder.
        say: function of one str, for lines the user should see.
        strategy: `tf.distribute.Strategy`, or `None`: one replica. Of several workers,
            only the chief leaves files.

    Returns:
        The `Result`; its files lie in `folder`.

    Raises:
        TrainingError: if a package is missing that the scoring needs, and as
            `keras_genai.training.train`.
    """
    _check_packages(entry, settings)
    strategy = strategy or tf.distribute.get_strategy()
    _check_batch(settings.batch_size, strategy)
    run = run_folder(as_path(folder, "folder"), strategy)
    presets.check_target(run.path / "preset")
    with training.short_of_memory(), workers.lost(strategy):
        training.deterministic(settings.seed)
        splits = settings.splits()
        with strategy.scope():
            model = _compiled_model(entry, settings, splits, say)
        with run.claim(settings.fingerprint(model, splits), settings.fresh):
            preset = run.path / "preset"
            outcome = _learn(model, splits, run, settings, say)
            facts = {"data": splits.name}
            card = _cards.card(model, entry, facts)
            model.save_to_preset(preset, card=card)
            figures = settings.evaluate(model, splits)
            sample = settings.sample(model, splits)
            result = _result(model, settings, outcome, figures, sample)
            _write(run.path, model, result, sample, settings.plot(model, splits))
            card = _card(model, entry, splits.name, result)
            model.save_to_preset(preset, card=card)
            workers.meet(strategy)  # none leaves while another still needs it
    return result


def _check_batch(size, strategy):
    count = strategy.num_replicas_in_sync
    if size % count:
        raise ValueError(
            f"`--batch-size` must be a multiple of the {count} replicas. "
            f"Received: {size}"
        )


def _check_packages(entry, settings):
    """Refuses now what would stop the scoring after hours of training."""
    if settings.tensorboard:
        training.require_tensorboard()
    for name in entry.needs:
        try:
            importlib.import_module(name)
        except ImportError:
            raise training.TrainingError(
                f"{entry.name} is scored with {name}, which is not installed: "
                'python -m pip install "keras_genai[eval]"',
                exit_code=2,
            ) from None


def _compiled_model(entry, settings, splits, say):
    model = settings.build(splits)
    size = kept(model).count_params()
    say(f"{entry.name} on {splits.name}" + (f", {size:,} parameters" if size else ""))
    model.compile(**entry.recipe.compile(steps=settings.steps))
    if model.optimizer is not None and not model.optimizer.built:
        model.optimizer.build(model.trainable_variables)
    return model


def _learn(model, splits, run, settings, say):
    if model.counts_tokens:
        return training.count(model, splits, run, say=say)
    options = settings.training()
    if settings.entry.feed is not None:
        # What a model draws to learn from takes minutes, in vain where it has learned.
        best = options["restore_best"]
        outcome = training.reopen(model, run, settings.steps, best, say)
        if outcome is not None:
            return outcome
        splits = settings.fed(model, splits)
    samples = Samples(
        run.path,
        lambda model: settings.sample(model, splits),
        options["log_every"],
        settings.steps,
        settings.tensorboard,
    )
    own = settings.callbacks(splits, run.path / "samples")
    callbacks = [*own, samples]
    return training.train(model, splits, run, say=say, callbacks=callbacks, **options)


def _write(folder, model, result, sample, plot):
    """The files of a scored run."""
    (folder / "samples").mkdir(exist_ok=True)
    write_text(folder / RESULT, result.model_dump_json(indent=1))
    target_of(model).write(folder / SAMPLE, sample)
    if plot is not None:
        write_bytes(folder / PLOT, plot)


def _card(model, entry, data, result):
    """The text of a preset's README.md."""
    versions = ", ".join(f"{name} {value}" for name, value in result.versions.items())
    figures = {result.metric: result.value, **result.other}
    facts = {
        "data": data,
        **{name: f"{value:,.4f}" for name, value in figures.items()},
        "trained": f"{result.steps:,} steps, {result.seconds:,.0f} s, "
        f"seed {result.seed}",
        "on": f"{result.hardware}, {result.cores} cores, {versions}",
    }
    return _cards.card(model, entry, facts, result.sample)


def _result(model, settings, outcome, figures, sample):
    (metric, value), *others = figures.items()
    target = target_of(model)
    said = target.said(sample)
    return Result(
        metric=metric,
        value=value,
        other=dict(others),
        parameters=kept(model).count_params(),
        seed=settings.seed,
        steps=outcome.steps,
        seconds=round(outcome.seconds, 1),
        sample=said,
        file="" if said else f"{SAMPLE}{target.suffix}",
        hardware=_hardware(),
        cores=os.cpu_count(),
        versions={
            "python": platform.python_version(),
            "tensorflow": tf.__version__,
            "keras": keras.__version__,
            "numpy": np.__version__,
        },
        commit=_commit(),
        date=datetime.date.today().isoformat(),
    )


def _hardware():
    devices = tf.config.list_physical_devices("GPU")
    if devices:
        return tf.config.experimental.get_device_details(devices[0])["device_name"]
    try:
        names = (line for line in lines(read_text("/proc/cpuinfo")))
        return next(
            line.split(":")[1].strip() for line in names if "model name" in line
        )
    except (OSError, ValueError, StopIteration):
        return platform.processor() or platform.machine()


def _commit():
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=os.path.dirname(__file__),
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()
