"""Runs an entry's recipe: what `train.py` and `python -m zoo verify` share."""

import datetime
import os
import pathlib
import platform
import subprocess

import keras
import numpy as np
import tensorflow as tf

from keras_genai import training
from keras_genai.evaluation.pictures import png
from keras_genai.tasks import cards
from zoo.entry import Result


def run(entry, settings, folder, say=print):
    """Trains an entry, scores it, lets it write, and saves it.

    Args:
        entry: `Entry`.
        settings: `Settings`.
        folder: path of the run folder.
        say: function of one str, for lines the user should see.

    Returns:
        The `Result`; its files lie in `folder`.
    """
    folder = pathlib.Path(folder)
    training.deterministic(settings.seed)
    splits = settings.splits()
    model = settings.build(splits)
    size = model.count_params()
    say(f"{entry.name} on {splits.name}" + (f", {size:,} parameters" if size else ""))
    model.compile(**entry.recipe.compile(steps=settings.steps))
    if model.optimizer is not None:
        model.optimizer.build(model.trainable_variables)
    learn = training.count if getattr(model, "counts_tokens", False) else training.train
    outcome = learn(
        model,
        splits,
        folder,
        fingerprint=settings.fingerprint(model, splits),
        say=say,
        **settings.training(),
    )
    figures = entry.evaluate(model, splits)
    sample = settings.sample(model, splits)
    result = _result(model, settings, outcome, figures, sample)
    _write(folder / "result.json", result.model_dump_json(indent=1).encode())
    if result.picture:
        _write(folder / result.picture, png(sample))
    else:
        _write(folder / "samples/sample.txt", f"{sample}\n".encode())
    if (plot := settings.plot(model, splits)) is not None:
        _write(folder / "samples/plot.png", plot)
    model.save_to_preset(
        folder / "preset", card=_card(model, entry, splits.name, result)
    )
    return result


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
    return cards.card(model, entry.name, entry.paper, facts, result.sample)


def _result(model, settings, outcome, figures, sample):
    (metric, value), *others = figures.items()
    is_text = isinstance(sample, str)
    return Result(
        metric=metric,
        value=value,
        other=dict(others),
        parameters=model.count_params(),
        seed=settings.seed,
        steps=outcome.steps,
        seconds=round(outcome.seconds, 1),
        sample=sample if is_text else "",
        picture="" if is_text else "samples/sample.png",
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
        lines = pathlib.Path("/proc/cpuinfo").read_text("utf-8").splitlines()
        return next(
            line.split(":")[1].strip() for line in lines if "model name" in line
        )
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def _commit():
    try:
        answer = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=12"],
            cwd=pathlib.Path(__file__).parent,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return answer.stdout.strip()


def _write(path, content):
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.tmp")
    temporary.write_bytes(content)
    temporary.replace(path)
