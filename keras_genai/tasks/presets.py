"""Presets: a model in a folder of plain data, nothing in it that can run.

`config.json` names the class and its arguments, `model.safetensors` holds the weights,
or several such files of large ones, `tokenizer.json` the tokenizer, `README.md` says
what it is, and `manifest.json` the sha256 of each. A folder is written beside its place
and moved there whole; it is read only if every file but the card is what the manifest
says, and no weight takes memory before all names and shapes have been compared.
Weights may be stored in 16 bits, or in 8 as `keras_genai.files.int8` says; the model
is of the dtype that its arguments say.

Other formats make themselves known by `add_format`; their folders get a manifest too
when we write them, and need none to be read.
"""

import collections
import dataclasses
import functools
import importlib
import json
import pathlib
import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import ml_dtypes
import numpy as np
import pydantic

from keras_genai import registry
from keras_genai.data.tokenizer import Tokenizer
from keras_genai.files import int8, plain, shards
from keras_genai.files.folders import real_folder, replacing_folder
from keras_genai.files.paths import AnyPath, as_path
from keras_genai.files.tensors import is_finite
from keras_genai.files.text import read_text
from keras_genai.tasks import cards, manifests, sizes
from keras_genai.tasks.filling import build_filled
from keras_genai.tasks.manifests import CONFIG, MANIFEST, TOKENIZER
from keras_genai.tasks.overrides import overridden
from keras_genai.tasks.refusals import PresetError, as_preset_error, listed

if TYPE_CHECKING:
    from keras_genai.tasks.base import Task

FORMAT = 1
OWN_FORMAT = "keras_genai"
ADAPTER = "adapter_config.json"  # PEFT's, which are not read
LARGEST_CONFIG = 4 * 2**20  # bytes
# These call `add_format` when they are imported, which waits until a folder asks.
_KNOWN_FORMATS = ("keras_genai.convert.huggingface",)
_formats: dict[str, "Format"] = {}
_DTYPES = {"bfloat16": ml_dtypes.bfloat16}  # those that NumPy does not know by name


class Config(pydantic.BaseModel):
    """The schema of config.json; unknown keys are refused."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    format: int
    model: str = pydantic.Field(max_length=100)
    config: dict
    tables: list[str] = pydantic.Field(default=[], max_length=10_000)


@dataclasses.dataclass(frozen=True)
class Format:
    """A kind of folder other than our own; see `add_format`."""

    recognizes: Callable
    read: Callable
    write: Callable


def add_format(name, recognizes, read, write):
    """Teaches `from_preset` and `save` another kind of folder.

    Args:
        name: str, what `save_to_preset(format=...)` calls it.
        recognizes: `recognizes(config)`, whether a folder with this config.json, a
            dict, is of this kind.
        read: `read(folder, **overrides)` that returns the model.
        write: `write(model, folder, max_shard_size)` into an empty folder.
    """
    _formats[name] = Format(recognizes, read, write)


def _all_formats():
    for module in _KNOWN_FORMATS:
        importlib.import_module(module)
    return _formats


def save(
    model,
    folder,
    card=None,
    format=OWN_FORMAT,
    max_shard_size=shards.LARGEST_SHARD,
):
    """Writes `model`, a `Task`, as a preset.

    Args:
        model: built `Task`.
        folder: path. A preset that is there already is replaced; through a link, the
            folder that it leads to.
        card: str or `None` (that of `cards`), the text of README.md. One that a person
            has changed stays as it is.
        format: str, `"keras_genai"`, or `"huggingface"` for transformers.
        max_shard_size: int or str, see `keras_genai.files.shards.write`.

    Raises:
        PresetError: if `folder` holds something that is not of a preset, if a weight
            is not finite, or if no file could bring the model back. What was in
            `folder` is then as it was.
        ValueError: if there is no such format, if it cannot hold the model, or if
            `max_shard_size` is no size.
    """
    _check_format(model, format)
    folder = check_target(folder)
    names = manifests.Names(*manifests.own_names(folder))
    kept = manifests.edited_card(folder)
    write = _write if format == OWN_FORMAT else _formats[format].write
    with replacing_folder(folder, names) as scratch:
        write(model, scratch, max_shard_size)
        manifests.seal(scratch, card or cards.card(model), kept)


def check_target(folder):
    """Refuses a folder that `save` would refuse, before hours are spent on a model.

    Args:
        folder: path; need not exist. Nothing is written.

    Returns:
        absolute `pathlib.Path` without links: where the preset will be.

    Raises:
        PresetError: if it is a file or cannot be written to, or if anything is in it
            that is not of a preset.
    """
    with as_preset_error():
        folder = real_folder(folder)
        manifests.own_names(folder)
    return folder


def from_preset(folder: AnyPath, **overrides: Any) -> "Task":
    """Opens a preset, ours or a published one.

    Args:
        folder: path of a folder that `save_to_preset` wrote, or of a Hugging Face one;
            or a name on the Hugging Face hub, `"gpt2"` or `"owner/name@revision"`,
            which is downloaded once.
        **overrides: constructor arguments that replace the stored ones, for
            instance `dropout=0.1` or `dtype="mixed_bfloat16"`. For a published folder
            also `task="SequenceClassifier"`, a head that config.json does not name; it
            begins anew.

    Returns:
        The model, weights and tokenizer in place.

    Raises:
        PresetError: if a file is missing, damaged or foreign, or if weights and
            architecture do not match. Nothing has been loaded then.
    """
    place = find_folder(folder)
    sealed = (place / MANIFEST).exists()
    sums = manifests.read_manifest(place) if sealed else {}
    if (place / CONFIG).exists():
        manifests.check(place, sums, sums.keys() & {CONFIG})
        content = read_json(place / CONFIG, LARGEST_CONFIG)
        for format in () if _is_own(content) else _all_formats().values():
            if format.recognizes(content):
                manifests.check(place, sums, sums.keys() - {manifests.CARD})
                return format.read(place, **overrides)
    if not sealed and (place / ADAPTER).exists():
        raise PresetError(
            f"{place} is an adapter of PEFT, which is not read: there, "
            "`merge_and_unload()` and `save_pretrained` make a whole model of it"
        )
    if not sealed:
        raise PresetError(f"{place} is not a preset folder: it has no {MANIFEST}")
    if any(name not in manifests.Names() for name in sums):
        raise PresetError(f"{place / MANIFEST} names files that are not a preset's")
    if TOKENIZER not in sums and (place / TOKENIZER).exists():
        raise PresetError(f"{place / TOKENIZER} is not in the manifest")
    manifests.check(place, sums, [CONFIG])
    return _open(place, sums, _validate(content, place / CONFIG), overrides)


def find_folder(name: AnyPath) -> pathlib.Path:
    """The folder of a path, or of a name on the Hugging Face hub.

    Args:
        name: path or str.

    Returns:
        `pathlib.Path`.

    Raises:
        PresetError: if it is neither, or if the hub cannot be reached.
    """
    with as_preset_error():
        folder = as_path(name, "folder")
    if folder.exists() or not re.fullmatch(
        r"[\w-][\w.-]*(/[\w.-]+)?(@[\w.-]+)?", str(name)
    ):
        return folder
    try:
        import huggingface_hub
    except ImportError:
        raise PresetError(
            f"{name} is not a folder; to look for it on the hub, "
            'pip install "keras_genai[hub]"'
        ) from None
    repository, _, revision = str(name).partition("@")
    try:
        found = huggingface_hub.snapshot_download(
            repository,
            revision=revision or None,
            # Also the dense layers behind a sentence embedder.
            allow_patterns=[*manifests.DATA, "*_Dense/model.safetensors"],
        )
    except Exception as error:  # many kinds, from several libraries
        reason = str(error).partition("\n")[0][:200]
        raise PresetError(
            f"{name} is neither a folder nor to be had from the hub: {reason}"
        ) from None
    return as_path(found)


def read_json(path, limit=plain.LARGEST):
    """The content of a JSON file, as `keras_genai.files.plain.read_json`.

    Raises:
        PresetError: for everything that may be wrong with it.
    """
    with as_preset_error():
        return plain.read_json(path, limit)


def _check_format(model, format):
    if format != OWN_FORMAT and format not in _all_formats():
        raise ValueError(
            f"`format` must be one of {', '.join([OWN_FORMAT, *_formats])}. "
            f"Received: {format!r}"
        )
    if format != OWN_FORMAT and model.changes:
        raise ValueError(
            f"`format` must be {OWN_FORMAT!r} for a model with adapters that are not "
            f"merged, or with 8-bit weights. Received: {format!r}"
        )
    if not registry.is_registered(model):
        raise PresetError(
            f"{type(model).__name__} cannot be saved as a preset: another class of "
            "this name would be found when it is opened. Give it a name of its own"
        )


def _write(model, folder, max_shard_size):
    if model.tokenizer is not None:
        with as_preset_error():
            _check_ids(model.tokenizer, model)
    tables = model.get_tables()
    weights = model.preset_weights()
    config = registry.to_plain(model)["config"]
    sizes.check_config(config, len(weights) + len(tables))
    tensors = {
        path: shards.Stored(
            tuple(variable.shape),
            np.dtype(_DTYPES.get(variable.dtype, variable.dtype)),
            functools.partial(_finite, path, variable),
        )
        for path, variable in weights.items()
    }
    tensors |= {path: shards.Stored.of(table) for path, table in tables.items()}
    content = Config(
        format=FORMAT, model=type(model).__name__, config=config, tables=sorted(tables)
    )
    text = json.dumps(content.model_dump(), indent=1, ensure_ascii=False)
    (folder / CONFIG).write_bytes(text.encode("utf-8"))
    shards.write(folder, tensors, max_shard_size)
    if model.tokenizer is not None:
        (folder / TOKENIZER).write_bytes(model.tokenizer.to_json().encode("utf-8"))


def _finite(path, variable):
    array = np.asarray(variable.numpy())  # also of a single number
    if not is_finite(array):
        raise PresetError(f"`{path}` is not finite; nothing was written")
    return array


def _is_own(content):
    """Whether config.json is of this format, so that no other has to be imported."""
    return isinstance(content, dict) and {"format", "model"} <= content.keys()


def _validate(content, path):
    try:
        config = Config.model_validate(content)
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"]))[:80] or "it"
        raise PresetError(f"{path}: {where}: {first['msg']}") from None
    if config.format != FORMAT:
        raise PresetError(
            f"{path}: `format` must be {FORMAT}. Received: {config.format}"
        )
    return config


def _open(folder, sums, config, overrides):
    """The model of a preset of ours; numbers are read once all else is checked."""

    @as_preset_error(folder / CONFIG)
    def build():
        from keras_genai.tasks.base import Task  # which imports this module

        cls = registry.lookup(config.model, Task)
        sizes.check_config(config.config, len(tensors) + len(tables))
        return cls.from_config(overridden(cls, config.config, overrides))

    def find_readers(model):
        _compare(model, tensors, folder)
        manifests.check(folder, sums, sums.keys() - {CONFIG, manifests.CARD})
        return {path: tensor.read for path, tensor in tensors.items()}

    try:
        with as_preset_error():
            tensors = shards.read(folder)
            _check_files(folder, sums, tensors)
            tables = _take(tensors, config.tables, folder)
            tensors = int8.joined(tensors)
            model = build_filled(build, find_readers, sizes.Allowance(tensors.values()))
            if tables:
                model.set_tables({name: table.read() for name, table in tables.items()})
    except PresetError:
        # Damage explains all the rest.
        manifests.check(folder, sums, filter(shards.is_file_of, sums))
        raise
    if TOKENIZER in sums:
        with as_preset_error(folder / TOKENIZER):
            text = read_text(folder / TOKENIZER, plain.LARGEST)
            tokenizer = Tokenizer.from_json(text)
            _check_ids(tokenizer, model)
            model.tokenizer = tokenizer
    return model


def _check_files(folder, sums, tensors):
    """Raises if the manifest names other files of weights than those that were read."""
    named = {name for name in sums if shards.is_file_of(name)} - {shards.INDEX}
    read = {tensor.path.name for tensor in tensors.values()}
    if named != (read or {shards.WEIGHTS}):
        raise PresetError(
            f"{folder / MANIFEST} names other files than the weights are in"
        )


def _check_ids(tokenizer, model):
    """Raises if the model has no row for an id of its tokenizer."""
    rows = getattr(model, "vocabulary_size", None)
    size = tokenizer.written.vocabulary_size
    if rows is not None and size > rows:
        raise ValueError(
            f"`tokenizer` must have ids below {rows}, the rows of {model.name}. "
            f"Received: ids up to {size - 1}"
        )


def _take(tensors, names, folder):
    """Removes the tables from among the tensors."""
    missing = sorted(set(names) - tensors.keys())
    if missing:
        raise PresetError(
            f"{folder / shards.WEIGHTS} lacks the tables {listed(missing)}"
        )
    return {name: tensors.pop(name) for name in set(names)}


def _compare(model, tensors, folder):
    """Raises if names, shapes and kinds of numbers are not exactly the model's."""
    weights = model.preset_weights()
    problems = collections.defaultdict(list)
    problems["missing"] = sorted(weights.keys() - tensors.keys())
    problems["surplus"] = sorted(tensors.keys() - weights.keys())
    for path in sorted(weights.keys() & tensors.keys()):
        tensor, weight = tensors[path], weights[path]
        if tensor.shape != tuple(weight.shape):
            problems["wrong shape"].append(
                f"{path} {tensor.shape} for {tuple(weight.shape)}"
            )
        elif not _is_kind(tensor.numpy_dtype, weight.dtype):
            problems["wrong dtype"].append(f"{path} {tensor.dtype} for {weight.dtype}")
    text = "; ".join(
        f"{kind}: {listed(found)}" for kind, found in problems.items() if found
    )
    if text:
        raise PresetError(
            f"{folder / shards.WEIGHTS} does not fit {model.name}: {text}"
        )


def _is_kind(stored, wanted):
    """Floats may become floats of another width; everything else is as it is."""
    if keras.backend.is_float_dtype(wanted):
        return stored is not None and (stored.kind in "fV")
    return stored == np.dtype(wanted)
