"""Checkpoints that are whole or absent: atomic, checksummed, exactly resumable.

A checkpoint is a folder `step-00000028`: `state.npz` holds the arrays, `log.jsonl` the
log up to there, and `manifest.json` their checksums, names, shapes, dtypes and what
else the run needs. It appears by one rename, when all of it has reached the disk.
"""

import contextlib
import dataclasses
import json
import os
import re

import keras
import numpy as np
import pydantic

from keras_genai import compat
from keras_genai.checks import check_integer
from keras_genai.files.paths import as_path
from keras_genai.files.writing import file_hash, sync_folder, text_hash
from keras_genai.training import archive, environment
from keras_genai.training.archive import ARRAYS, LOG, MANIFEST, DamagedError
from keras_genai.training.errors import TrainingError, writing

STALE = ".stale-"  # folders on their way in or out; only a killed process leaves one


def optimizers(model):
    """Every optimizer that is an attribute of `model`, by name, in sorted order.

    Returns:
        dict of str to `keras.optimizers.Optimizer`, each optimizer once.
    """
    found = {}
    for name, value in sorted(vars(model).items()):
        known = any(value is other for other in found.values())
        if isinstance(value, keras.optimizers.Optimizer) and not known:
            found[name] = value
    return found


def averages(model):
    """Pairs of a weight and its moving average, for optimizers with `use_ema`.

    Returns:
        list of `(variable, average)`; empty when nothing is averaged.
    """
    pairs = []
    for optimizer in optimizers(model).values():
        inner = getattr(optimizer, "inner_optimizer", optimizer)
        if getattr(inner, "use_ema", False):
            pairs += zip(
                compat.trained_variables(inner),
                compat.moving_averages(inner),
                strict=True,
            )
    return pairs


def state_variables(model):
    """All state of a training run by stable keys: weights, seeds, slots, metrics.

    Keys count positions, because Keras numbers names anew in every process.

    Returns:
        dict of str to `keras.Variable`.
    """
    groups = {"model": model.variables, "metric": model.metrics_variables}
    for name, optimizer in optimizers(model).items():
        groups[f"optimizer-{name}"] = optimizer.variables
    return {
        f"{group}.{index:05d}": variable
        for group, variables in groups.items()
        for index, variable in enumerate(variables)
    }


@dataclasses.dataclass(frozen=True)
class Restored:
    """What came back from a checkpoint.

    Attributes:
        step: int. Finished optimizer steps.
        extra: dict, as given to `Checkpointer.save`.
        metrics: list of arrays, the metric variables inside a partial epoch.
        log: bytes of log.jsonl at that step, or `None` if it was not stored.
        messages: tuple of str, one line each: damage found, changed machine.
    """

    step: int
    extra: dict
    metrics: list
    log: bytes | None
    messages: tuple


class Checkpointer:
    """Writes, rotates and restores the checkpoints of one run.

    Args:
        folder: path. Created if needed.
        keep: int >= 1. So many of the newest checkpoints stay.
        identity: str. Hash of the run's configuration: checkpoints of another one are
            not restored.
        schema: pydantic model that the `extra` of checkpoints must fit, or `None`.
        writes: bool. If `False`, another process does: here nothing is written, moved
            or removed.
        replicas: int, of the model; a change is said when it goes on.
    """

    def __init__(
        self, folder, keep=3, identity="", schema=None, writes=True, replicas=1
    ):
        check_integer("keep", keep, 1)
        self.folder = as_path(folder, "folder")
        self.keep = keep
        self.identity = identity
        self.schema = schema
        self.writes = writes
        self.environment = environment.describe(replicas)
        if writes:
            self.folder.mkdir(parents=True, exist_ok=True)
            for path in self.folder.glob(f"{STALE}*"):
                archive.remove(path)

    def steps(self):
        """The steps that have a checkpoint folder, oldest first."""
        return _numbered(self.folder, "step-")

    def save(self, step, model, extra, log=None):
        """Writes the whole training state of `model` after `step` steps.

        Args:
            step: int. Finished steps.
            model: a compiled model whose optimizers and metrics are built.
            extra: dict, JSON. Anything else: callback states, seconds.
            log: bytes of log.jsonl up to here, or `None`.

        Raises:
            TrainingError: if a weight or optimizer variable is not finite, or the
                disk refuses. Earlier checkpoints are untouched in both cases.
        """
        variables = state_variables(model)
        arrays = {key: variable.numpy() for key, variable in variables.items()}
        self._refuse_poison(step, variables, arrays)
        if not self.writes:
            return
        extra = {"step": step} | extra
        self._write(_name("step-", step), variables, arrays, extra, log)
        for old in self.steps()[: -self.keep]:
            self._retire(_name("step-", old))
        self._retire_best()

    def save_best(self, step, model):
        """Writes the weights for use (averaged ones where there are averages)."""
        variables = _weights(model)
        averaged = {id(variable): average for variable, average in averages(model)}
        arrays = {
            key: averaged.get(id(variable), variable).numpy()
            for key, variable in variables.items()
        }
        self._refuse_poison(step, variables, arrays)
        if self.writes:
            self._write(_name("best-", step), variables, arrays, {"step": step})

    def restore_best(self, step, model):
        """Puts the weights of `save_best(step)` into `model`; raises as `read_best`."""
        arrays = self.read_best(step, model)
        for key, variable in _weights(model).items():
            variable.assign(arrays[key])

    def read_best(self, step, model):
        """The weights of `save_best(step)`, by key; `model` says which there must be.

        Raises:
            TrainingError: if they are missing or damaged.
        """
        try:
            arrays, *_ = self._read("best-", step, _weights(model))
        except DamagedError as reason:
            name = _name("best-", step)
            raise TrainingError(
                f"The best weights, {name}, are lost: {reason}"
            ) from None
        return arrays

    def restore(self, model):
        """Puts the newest sound checkpoint into `model`.

        Nothing is assigned before checksum, keys, shapes and dtypes all agree.

        Returns:
            `Restored`, or `None` if there is no checkpoint at all.

        Raises:
            TrainingError: if there are checkpoints and none can be used.
        """
        variables = state_variables(model)
        reasons = {}
        for step in reversed(self.steps()):
            name = _name("step-", step)
            try:
                arrays, log, manifest = self._read("step-", step, variables)
            except DamagedError as reason:
                reasons[name] = reason
                continue
            for key, variable in variables.items():
                variable.assign(arrays[key])
            return self._restored(manifest, arrays, log, reasons)
        if not reasons:
            return None
        first = {str(reason): name for name, reason in reversed(reasons.items())}
        listed = "; ".join(f"{name}: {reason}" for reason, name in first.items())
        raise TrainingError(
            f"No checkpoint in {self.folder} can be used, and nothing was changed "
            f"({listed}). Use --fresh to start over or --out for another folder",
            exit_code=2,
        )

    def _read(self, prefix, step, variables):
        """What one checkpoint of this run holds, or `DamagedError`."""
        found = archive.read(self.folder / _name(prefix, step), variables)
        manifest = found[-1]
        if manifest.identity != self.identity:
            raise DamagedError("it is of another run")
        if manifest.extra.get("step") != step:
            raise DamagedError("its manifest is of another step")
        if self.schema is not None and prefix == "step-":
            try:
                self.schema.model_validate(manifest.extra)
            except pydantic.ValidationError as error:
                place = ".".join(map(str, error.errors()[0]["loc"]))
                raise DamagedError(f"`{place}` of {MANIFEST} is odd") from None
        return found

    def _restored(self, manifest, arrays, log, reasons):
        step = manifest.extra["step"]
        name = _name("step-", step)
        messages = []
        for damaged, reason in reasons.items():
            messages.append(
                f"checkpoint {damaged} is damaged ({reason}); going on from {name}"
            )
            if self.writes:
                self._put_aside(damaged)
        changed = environment.differences(manifest.environment, self.environment)
        if changed:
            messages.append(
                f"results may differ in the last bits from here on: {changed}"
            )
        metrics = [arrays[key] for key in arrays if key.startswith("metric.")]
        return Restored(step, manifest.extra, metrics, log, tuple(messages))

    def _put_aside(self, damaged):
        """Out of the way, or rotation would count it among the newest."""
        with writing(self.folder):
            os.replace(self.folder / damaged, self._free(f"damaged-{damaged}"))

    def _refuse_poison(self, step, variables, arrays):
        bad = archive.not_finite(arrays)
        if bad is not None:
            raise TrainingError(
                f"Stopped at step {step}: `{variables[bad].path}` is not finite. "
                f"This state was not saved; {self.newest()}"
            )

    def newest(self):
        """Which checkpoint a new start would use, as half a sentence."""
        steps = self.steps()
        if not steps:
            return "there is no checkpoint yet"
        return f"the newest checkpoint is {_name('step-', steps[-1])}"

    def _write(self, name, variables, arrays, extra, log=None):
        temporary = self.folder / f"{STALE}{name}"
        try:
            archive.remove(temporary)
            temporary.mkdir()
            _write_arrays(temporary / ARRAYS, arrays)
            paths = {key: variable.path for key, variable in variables.items()}
            content = {
                "arrays": {
                    key: [paths.get(key, key), list(array.shape), array.dtype.name]
                    for key, array in arrays.items()
                },
                "sha256": file_hash(temporary / ARRAYS),
                "identity": self.identity,
                "environment": self.environment,
                "extra": extra,
            }
            if log is not None:
                content["log_sha256"] = _write_log(temporary / LOG, log)
            _write_json(temporary / MANIFEST, content)
            sync_folder(temporary)
            if (self.folder / name).exists():
                self._retire(name)
            os.replace(temporary, self.folder / name)
            sync_folder(self.folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                archive.remove(temporary)
            raise TrainingError(
                f"Cannot write {self.folder / name}: {error.strerror or error}. "
                f"Earlier checkpoints are intact; {self.newest()}"
            ) from error

    def _retire(self, name):
        leaving = self._free(f"{STALE}old-{name}")
        os.replace(self.folder / name, leaving)
        archive.remove(leaving)

    def _retire_best(self):
        """Best weights stay as long as a kept checkpoint refers to them."""
        wanted = set()
        for step in self.steps():
            with contextlib.suppress(DamagedError):
                manifest = archive.read_manifest(self.folder / _name("step-", step))
                best = manifest.extra.get("best")
                wanted.add(str(best.get("step")) if isinstance(best, dict) else "")
        for step in _numbered(self.folder, "best-"):
            if str(step) not in wanted:
                self._retire(_name("best-", step))

    def _free(self, name):
        path, count = self.folder / name, 1
        while path.exists():
            count += 1
            path = self.folder / f"{name}-{count}"
        return path


def _name(prefix, step):
    return f"{prefix}{step:08d}"


def _weights(model):
    """What `save_best` keeps, by key: the model's own variables."""
    found = state_variables(model).items()
    return {key: variable for key, variable in found if key.startswith("model.")}


def _numbered(folder, prefix):
    found = (
        path
        for path in folder.glob(f"{prefix}*")
        if re.fullmatch("[0-9]{8,}", path.name.removeprefix(prefix))
        and any((path / name).exists() for name in (ARRAYS, MANIFEST))
    )
    numbers = {path.name: int(path.name.removeprefix(prefix)) for path in found}
    return sorted(step for name, step in numbers.items() if name == _name(prefix, step))


def _write_arrays(path, arrays):
    plain = {
        key: array.view(archive.on_disk(array.dtype)) for key, array in arrays.items()
    }
    with open(path, "wb") as file:
        np.savez(file, **plain)
        file.flush()
        os.fsync(file.fileno())


def _write_log(path, log):
    """Writes bytes; returns their sha256."""
    with open(path, "wb") as file:
        file.write(log)
        file.flush()
        os.fsync(file.fileno())
    return file_hash(path)


def _write_json(path, content):
    """Writes `content` with its own checksum."""
    text = json.dumps(content, sort_keys=True)
    whole = json.dumps({"content": content, "sha256": text_hash(text)}, indent=1)
    with open(path, "w", encoding="utf-8") as file:
        file.write(whole)
        file.flush()
        os.fsync(file.fileno())
