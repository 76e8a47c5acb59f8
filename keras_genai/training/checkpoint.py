"""Checkpoints that are whole or absent: atomic, checksummed, exactly resumable.

A checkpoint is a folder `step-00000028` with `state.npz`, the arrays, and
`manifest.json`, their checksum, names, shapes, dtypes and what else the run needs.
It appears by one rename after everything in it has reached the disk.
"""

import contextlib
import dataclasses
import hashlib
import json
import os
import pathlib
import zipfile

import keras
import numpy as np

from keras_genai.training import environment
from keras_genai.training.errors import TrainingError

ARRAYS = "state.npz"
MANIFEST = "manifest.json"
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
                inner._trainable_variables,
                inner._model_variables_moving_average,
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
        messages: tuple of str, one line each: damage found, changed machine.
    """

    step: int
    extra: dict
    metrics: list
    messages: tuple


class DamagedError(Exception):
    """A checkpoint folder that must not be used; the message says why."""


class Checkpointer:
    """Writes, rotates and restores the checkpoints of one run.

    Args:
        folder: path. Created if needed.
        keep: int >= 1. So many of the newest checkpoints stay.
        identity: str. Hash of the run's configuration, recorded in manifests.
    """

    def __init__(self, folder, keep=3, identity=""):
        if keep < 1:
            raise ValueError(f"`keep` must be an int >= 1. Received: {keep=}")
        self.folder = pathlib.Path(folder)
        self.keep = keep
        self.identity = identity
        self.environment = environment.describe()
        self.folder.mkdir(parents=True, exist_ok=True)
        for path in self.folder.glob(f"{STALE}*"):
            _remove(path)

    def steps(self):
        """The steps that have a checkpoint folder, oldest first."""
        return _numbered(self.folder, "step-")

    def save(self, step, model, extra):
        """Writes the whole training state of `model` after `step` steps.

        Args:
            step: int. Finished steps.
            model: a compiled model whose optimizers and metrics are built.
            extra: dict, JSON. Anything else: callback states, length of the log.

        Raises:
            TrainingError: if a weight or optimizer variable is not finite, or the
                disk refuses. Earlier checkpoints are untouched in both cases.
        """
        variables = state_variables(model)
        arrays = {key: variable.numpy() for key, variable in variables.items()}
        self._refuse_poison(step, variables, arrays)
        self._write(_name("step-", step), variables, arrays, {"step": step} | extra)
        for old in self.steps()[: -self.keep]:
            self._retire(_name("step-", old))
        self._retire_best()

    def save_best(self, step, model):
        """Writes the weights for use (averaged ones where there are averages)."""
        variables = {key: v for key, v in state_variables(model).items() if _own(key)}
        averaged = {id(variable): average for variable, average in averages(model)}
        arrays = {
            key: averaged.get(id(variable), variable).numpy()
            for key, variable in variables.items()
        }
        self._refuse_poison(step, variables, arrays)
        self._write(_name("best-", step), variables, arrays, {"step": step})

    def restore_best(self, step, model):
        """Puts the weights of `save_best(step)` into `model`.

        Raises:
            TrainingError: if they are missing or damaged.
        """
        variables = {key: v for key, v in state_variables(model).items() if _own(key)}
        name = _name("best-", step)
        try:
            arrays, _ = _read(self.folder / name, variables)
        except DamagedError as reason:
            raise TrainingError(
                f"The best weights, {name}, are lost: {reason}"
            ) from None
        for key, variable in variables.items():
            variable.assign(arrays[key])

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
                arrays, content = _read(self.folder / name, variables)
            except DamagedError as reason:
                reasons[name] = reason
                continue
            for key, variable in variables.items():
                variable.assign(arrays[key])
            return self._restored(content, arrays, reasons)
        if not reasons:
            return None
        first = {str(reason): name for name, reason in reversed(reasons.items())}
        listed = "; ".join(f"{name}: {reason}" for reason, name in first.items())
        raise TrainingError(
            f"No checkpoint in {self.folder} can be used, and nothing was changed "
            f"({listed}). Use --fresh to start over or --out for another folder",
            exit_code=2,
        )

    def _restored(self, content, arrays, reasons):
        step = content["extra"]["step"]
        name = _name("step-", step)
        messages = []
        for damaged, reason in reasons.items():
            messages.append(
                f"checkpoint {damaged} is damaged ({reason}); going on from {name}"
            )
            # Out of the way, or rotation would count it among the newest.
            os.replace(self.folder / damaged, self._free(f"damaged-{damaged}"))
        changed = environment.differences(content["environment"], self.environment)
        if changed:
            messages.append(
                f"results may differ in the last bits from here on: {changed}"
            )
        metrics = [arrays[key] for key in arrays if key.startswith("metric.")]
        return Restored(step, content["extra"], metrics, tuple(messages))

    def _refuse_poison(self, step, variables, arrays):
        for key, array in arrays.items():
            if key.startswith("metric.") or "float" not in array.dtype.name:
                continue
            if not np.isfinite(array).all():
                raise TrainingError(
                    f"Stopped at step {step}: `{variables[key].path}` is not finite. "
                    f"This state was not saved; {self.newest()}"
                )

    def newest(self):
        """Which checkpoint a new start would use, as half a sentence."""
        steps = self.steps()
        if not steps:
            return "there is no checkpoint yet"
        return f"the newest checkpoint is {_name('step-', steps[-1])}"

    def _write(self, name, variables, arrays, extra):
        temporary = self.folder / f"{STALE}{name}"
        try:
            _remove(temporary)
            temporary.mkdir()
            _write_arrays(temporary / ARRAYS, arrays)
            content = {
                "arrays": {
                    key: [variables[key].path, list(array.shape), array.dtype.name]
                    for key, array in arrays.items()
                },
                "sha256": _file_hash(temporary / ARRAYS),
                "identity": self.identity,
                "environment": self.environment,
                "extra": extra,
            }
            _write_json(temporary / MANIFEST, content)
            sync_folder(temporary)
            if (self.folder / name).exists():
                self._retire(name)
            os.replace(temporary, self.folder / name)
            sync_folder(self.folder)
        except OSError as error:
            with contextlib.suppress(OSError):
                _remove(temporary)
            raise TrainingError(
                f"Cannot write {self.folder / name}: {error.strerror or error}. "
                f"Earlier checkpoints are intact; {self.newest()}"
            ) from error

    def _retire(self, name):
        leaving = self._free(f"{STALE}old-{name}")
        os.replace(self.folder / name, leaving)
        _remove(leaving)

    def _retire_best(self):
        """Best weights stay as long as a kept checkpoint refers to them."""
        wanted = set()
        for step in self.steps():
            try:
                manifest = _read_manifest(self.folder / _name("step-", step))
            except DamagedError:
                continue
            wanted.add((manifest["extra"].get("best") or {}).get("step"))
        for step in set(_numbered(self.folder, "best-")) - wanted:
            self._retire(_name("best-", step))

    def _free(self, name):
        path, count = self.folder / name, 1
        while path.exists():
            count += 1
            path = self.folder / f"{name}-{count}"
        return path


def _name(prefix, step):
    return f"{prefix}{step:08d}"


def _own(key):
    return key.startswith("model.")


def _numbered(folder, prefix):
    numbers = (
        path.name.removeprefix(prefix)
        for path in folder.glob(f"{prefix}*")
        if any((path / name).exists() for name in (ARRAYS, MANIFEST))
    )
    return sorted(int(number) for number in numbers if number.isdigit())


def _write_arrays(path, arrays):
    # npz knows no bfloat16 or float8: those travel as integers of their size.
    plain = {
        key: array if array.dtype.kind != "V" else array.view(f"u{array.itemsize}")
        for key, array in arrays.items()
    }
    with open(path, "wb") as file:
        np.savez(file, **plain)
        file.flush()
        os.fsync(file.fileno())


def _write_json(path, content):
    text = json.dumps(content, sort_keys=True)
    whole = json.dumps({"content": content, "sha256": _text_hash(text)}, indent=1)
    with open(path, "w", encoding="utf-8") as file:
        file.write(whole)
        file.flush()
        os.fsync(file.fileno())


def _read_manifest(path):
    try:
        whole = json.loads((path / MANIFEST).read_text("utf-8"))
        content = whole["content"]
        text = json.dumps(content, sort_keys=True)
        if _text_hash(text) != whole["sha256"]:
            raise DamagedError(f"sha256 of {MANIFEST} differs")
    except OSError as error:
        raise DamagedError(f"{MANIFEST}: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise DamagedError(f"{MANIFEST} is not readable") from None
    return content


def _read(path, variables):
    """Arrays by key and the manifest's content, or `DamagedError`; assigns nothing."""
    content = _read_manifest(path)
    try:
        if _file_hash(path / ARRAYS) != content["sha256"]:
            raise DamagedError(f"sha256 of {ARRAYS} differs")
        _compare(content["arrays"], variables)
        with np.load(path / ARRAYS, allow_pickle=False) as file:
            if set(file.files) != set(variables):
                raise DamagedError(f"{ARRAYS} and {MANIFEST} name different arrays")
            arrays = {key: file[key] for key in variables}
    except OSError as error:
        raise DamagedError(f"{ARRAYS}: {error.strerror or error}") from None
    except (ValueError, KeyError, zipfile.BadZipFile):
        raise DamagedError(f"{ARRAYS} is not readable") from None
    for key, (_, _, dtype) in content["arrays"].items():
        if arrays[key].dtype.name != dtype:
            arrays[key] = arrays[key].view(variables[key].numpy().dtype)
    return arrays, content


def _compare(stored, variables):
    if set(stored) != set(variables):
        raise DamagedError(
            f"it holds {len(stored)} variables of another kind, the model has "
            f"{len(variables)}"
        )
    for key, variable in variables.items():
        path, shape, dtype = stored[key]
        here = (list(variable.shape), keras.backend.standardize_dtype(variable.dtype))
        if (shape, dtype) != here:
            raise DamagedError(
                f"`{path}` is {dtype} {tuple(shape)} there and {here[1]} "
                f"{tuple(here[0])} here"
            )


def _file_hash(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _text_hash(text):
    return hashlib.sha256(text.encode()).hexdigest()


def sync_folder(path):
    """Makes renames inside `path` survive a power loss."""
    if os.name == "nt":  # folders cannot be opened there
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove(path):
    """Removes a folder of ours, but nothing that someone else put into it."""
    if not path.exists():
        return
    for name in (ARRAYS, MANIFEST):
        (path / name).unlink(missing_ok=True)
    if not any(path.iterdir()):
        path.rmdir()
