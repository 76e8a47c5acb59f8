"""Presets: a model in a folder of plain data, nothing in it that can run.

`config.json` names the class and its arguments, `model.safetensors` holds the
weights, `tokenizer.json` the tokenizer, `README.md` says what it is, and
`manifest.json` the sha256 of each. A folder is written beside its place and
moved there whole; it is read only if every file is what the manifest says.

Other formats make themselves known by `add_format`; their folders get a manifest too
when we write them, and need none to be read.
"""

import dataclasses
import hashlib
import json
import pathlib
import re
import shutil
import tempfile
from collections.abc import Callable

import pydantic
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from keras_genai import registry
from keras_genai.data.tokenizers import Tokenizer
from keras_genai.tasks import cards

FORMAT = 1
CONFIG, WEIGHTS, TOKENIZER = "config.json", "model.safetensors", "tokenizer.json"
CARD, MANIFEST = "README.md", "manifest.json"
OWN_FORMAT = "keras_genai"
LARGEST_JSON = 64 * 2**20  # bytes; a tokenizer of 250,000 tokens takes 20 MB
# What is taken from the hub: data in the formats that are read here, nothing else.
_HUB_FILES = (
    *("*.json", "vocab.txt", "merges.txt", "spiece.model", "README.md"),
    *("model.safetensors", "model-*.safetensors"),
)
_formats = {}


class PresetError(ValueError):
    """A preset folder cannot be read; the message is one line."""


class Config(pydantic.BaseModel):
    """The schema of config.json; unknown keys are refused."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    format: int
    model: str = pydantic.Field(max_length=100)
    config: dict
    tables: list[str] = []


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
        write: `write(model, folder)` into an empty folder.
    """
    _formats[name] = Format(recognizes, read, write)


def save(model, folder, card=None, format=OWN_FORMAT):
    """Writes `model`, a `Task`, as a preset.

    Args:
        model: built `Task`.
        folder: path. A preset that is there already is replaced.
        card: str or `None` (that of `cards`), the text of README.md.
        format: str, `"keras_genai"`, or `"huggingface"` for transformers.

    Raises:
        PresetError: if `folder` holds something that is not a preset.
        ValueError: if there is no such format, or if it cannot hold the model.
    """
    if format != OWN_FORMAT and format not in _formats:
        raise ValueError(
            f"`format` must be one of {', '.join([OWN_FORMAT, *_formats])}. "
            f"Received: {format!r}"
        )
    if format != OWN_FORMAT and model.changes:
        raise ValueError(
            f"`format` must be {OWN_FORMAT!r} for a model with adapters that are not "
            f"merged, or with 8-bit weights. Received: {format!r}"
        )
    folder = pathlib.Path(folder)
    if folder.exists() and any(folder.iterdir()) and not (folder / MANIFEST).exists():
        raise PresetError(
            f"{folder} is not empty and not a preset; nothing was changed"
        )
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix=".preset-", dir=folder.parent))
    try:
        (_write if format == OWN_FORMAT else _formats[format].write)(model, scratch)
        _seal(scratch, card or cards.card(model))
        old = scratch.with_name(f"{scratch.name}-old")
        if folder.exists():
            folder.rename(old)
        scratch.chmod(0o755)
        scratch.rename(folder)
        shutil.rmtree(old, ignore_errors=True)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def from_preset(folder, **overrides):
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
    folder = find_folder(folder)
    if (folder / MANIFEST).is_file():
        _check_manifest(folder, known=None)
    if (folder / CONFIG).is_file():
        config = read_json(folder / CONFIG)
        for format in _formats.values():
            if format.recognizes(config):
                return format.read(folder, **overrides)
    _check_manifest(folder)
    try:
        config = Config.model_validate_json(_read(folder / CONFIG))
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        where = ".".join(map(str, first["loc"])) or CONFIG
        raise PresetError(f"{folder / CONFIG}: {where}: {first['msg']}") from None
    if config.format != FORMAT:
        raise PresetError(
            f"{folder / CONFIG}: `format` must be {FORMAT}. Received: {config.format}"
        )
    _refuse_paths(config.config, folder / CONFIG)
    arrays = _load_arrays(folder / WEIGHTS)
    model = registry.lookup(config.model).from_config({**config.config, **overrides})
    tables = {name: _take(arrays, name, folder) for name in config.tables}
    if tables:
        model.set_tables(tables)
    _assign(model, arrays, folder)
    if (folder / TOKENIZER).exists():
        model.tokenizer = Tokenizer.from_json(_read(folder / TOKENIZER))
    return model


def find_folder(name):
    """The folder of a path, or of a name on the Hugging Face hub.

    Args:
        name: path or str.

    Returns:
        `pathlib.Path`.

    Raises:
        PresetError: if it is neither, or if the hub cannot be reached.
    """
    folder = pathlib.Path(name)
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
            repository, revision=revision or None, allow_patterns=list(_HUB_FILES)
        )
    except Exception as error:  # many kinds, from several libraries
        reason = str(error).splitlines()[0][:200]
        raise PresetError(
            f"{name} is neither a folder nor to be had from the hub: {reason}"
        ) from None
    return pathlib.Path(found)


def read_json(path):
    """The content of a JSON file of reasonable size.

    Raises:
        PresetError: if it is too large, or not JSON.
    """
    try:
        return json.loads(_read(path))
    except (OSError, ValueError, RecursionError) as error:
        if isinstance(error, PresetError):
            raise
        raise PresetError(f"{path} cannot be read as JSON: {error}") from None


def _write(model, folder):
    tables = model.get_tables()
    arrays = {
        path: variable.numpy() for path, variable in model.preset_weights().items()
    }
    config = Config(
        format=FORMAT,
        model=type(model).__name__,
        config=registry.to_plain(model.get_config()),
        tables=sorted(tables),
    )
    (folder / CONFIG).write_text(config.model_dump_json(indent=1), "utf-8")
    save_file({**arrays, **tables}, folder / WEIGHTS)
    if model.tokenizer is not None:
        (folder / TOKENIZER).write_text(model.tokenizer.to_json(), "utf-8")


def _seal(folder, card):
    """Adds the card and the manifest."""
    (folder / CARD).write_text(card, "utf-8")
    for path in folder.iterdir():  # the safetensors package hides what it writes
        path.chmod(0o644)
    sums = {path.name: _sha256(path) for path in sorted(folder.iterdir())}
    (folder / MANIFEST).write_text(json.dumps({"sha256": sums}, indent=1), "utf-8")


def _check_manifest(folder, known=frozenset({CONFIG, WEIGHTS, TOKENIZER, CARD})):
    if not (folder / MANIFEST).is_file():
        raise PresetError(f"{folder} is not a preset folder: it has no {MANIFEST}")
    try:
        sums = json.loads(_read(folder / MANIFEST))["sha256"]
        valid = isinstance(sums, dict) and sums.keys() >= {CONFIG, WEIGHTS}
        valid = valid and all(pathlib.PurePath(name).name == name for name in sums)
        valid = valid and (known is None or sums.keys() <= known)
    except (ValueError, KeyError, TypeError):
        valid = False
    if not valid:
        raise PresetError(f"{folder / MANIFEST} is damaged")
    for name, expected in sums.items():
        path = folder / name
        if path.is_symlink() or not path.is_file():
            raise PresetError(f"{path} is missing or not a plain file")
        if _sha256(path) != expected:
            raise PresetError(f"{path} is damaged: its sha256 is not the manifest's")
    if TOKENIZER not in sums and (folder / TOKENIZER).exists():
        raise PresetError(f"{folder / TOKENIZER} is not in the manifest")


def _refuse_paths(value, where):
    """No value of a config may be a path or a URL."""
    if isinstance(value, dict):
        for item in value.values():
            _refuse_paths(item, where)
    elif isinstance(value, list):
        for item in value:
            _refuse_paths(item, where)
    elif isinstance(value, str) and any(mark in value for mark in ("/", "\\", "..")):
        raise PresetError(f"{where}: no value may be a path. Received: {value!r}")


def _load_arrays(path):
    try:
        return load_file(path)
    except (SafetensorError, OSError, ValueError, KeyError) as error:
        raise PresetError(f"{path} cannot be read: {error}") from None


def _assign(model, arrays, folder):
    weights = model.preset_weights()
    missing = sorted(weights.keys() - arrays.keys())
    surplus = sorted(arrays.keys() - weights.keys())
    wrong = [
        f"{path} {arrays[path].shape} for {tuple(weights[path].shape)}"
        for path in sorted(weights.keys() & arrays.keys())
        if arrays[path].shape != tuple(weights[path].shape)
    ]
    problems = (("missing", missing), ("surplus", surplus), ("wrong shape", wrong))
    text = "; ".join(f"{kind}: {', '.join(names)}" for kind, names in problems if names)
    if text:
        raise PresetError(f"{folder / WEIGHTS} does not fit {model.name}: {text}")
    for path, variable in weights.items():
        variable.assign(arrays[path])


def _take(arrays, name, folder):
    if name not in arrays:
        raise PresetError(f"{folder / WEIGHTS} lacks the table `{name}`")
    return arrays.pop(name)


def _read(path):
    if path.stat().st_size > LARGEST_JSON:
        raise PresetError(f"{path} is larger than {LARGEST_JSON} bytes")
    return path.read_text("utf-8")


def _sha256(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
