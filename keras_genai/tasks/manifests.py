"""The manifest of a preset: which files are its own, and the sha256 of each.

README.md is listed and not checked: hubs and people edit it. Text counts as the same
with Windows' line ends, which git may have given it. A file may be a link, as in the
hub's cache: what it holds is checked.
"""

import fnmatch
import hashlib
import pathlib
import re

from keras_genai.files.folders import foreign
from keras_genai.files.plain import parse_json
from keras_genai.files.shards import INDEX, WEIGHTS, is_file_of
from keras_genai.files.text import read_bytes, read_text
from keras_genai.files.writing import file_hash, text_hash
from keras_genai.tasks.refusals import PresetError, as_preset_error, listed

CONFIG, TOKENIZER = "config.json", "tokenizer.json"
CARD, MANIFEST = "README.md", "manifest.json"
# Data in the formats that are read here: what is taken from a hub, and all that a
# folder of ours can hold.
DATA = (
    *("*.json", "vocab.txt", "merges.txt", "spiece.model", CARD),
    *("source.spm", "target.spm", "sentencepiece.bpe.model", "tokenizer.model"),
    "chat_template.jinja",
    *("model.safetensors", "model-*.safetensors"),
)
OWN = frozenset({CONFIG, TOKENIZER, CARD})  # and those of the weights
_TEXT = ("*.json", "*.txt", "*.md")
_LARGEST = 2**20  # bytes


class Names:
    """Names of the files that a preset of ours may have, beside others.

    Args:
        *others: str.
    """

    def __init__(self, *others):
        self._names = {MANIFEST, *OWN, *others}

    def __contains__(self, name):
        return name in self._names or is_file_of(name)


def read_manifest(folder):
    """The sha256 of each file by its name.

    Args:
        folder: `pathlib.Path`.

    Raises:
        PresetError: if there is no manifest, or if it is none that `seal` wrote.
    """
    path = folder / MANIFEST
    if not path.exists():
        raise PresetError(f"{folder} is not a preset folder: it has no {MANIFEST}")
    with as_preset_error(f"{path} is damaged"):
        content = parse_json(read_text(path, _LARGEST))
        if not _is_manifest(content):
            raise ValueError('it must be {"sha256": {name: sha256}}')
        return content["sha256"]


def seal(folder, card, kept=None):
    """Adds the card and the manifest to a folder that is otherwise complete.

    Args:
        folder: `pathlib.Path`.
        card: str. Text of README.md.
        kept: bytes or `None`. What README.md holds instead: what a person made of it.
            It stays known as edited.
    """
    (folder / CARD).write_bytes(card.encode("utf-8") if kept is None else kept)
    for path in folder.iterdir():  # the safetensors package hides what it writes
        path.chmod(0o644)
    sums = {path.name: file_hash(path) for path in sorted(folder.iterdir())}
    sums[CARD] = text_hash(card)
    lines = ",\n".join(f'  "{name}": "{sums[name]}"' for name in sums)
    text = '{\n "sha256": {\n' + lines + "\n }\n}"
    (folder / MANIFEST).write_bytes(text.encode("utf-8"))


def check(folder, sums, names):
    """Compares files with their manifest.

    Args:
        folder: `pathlib.Path`.
        sums: dict that `read_manifest` returned.
        names: collection of str. Which files.

    Raises:
        PresetError: if one is missing, no regular file, or not what the manifest says.
    """
    for name in sorted(names):
        path = folder / name
        if not path.is_file():
            raise PresetError(f"{path} is missing or not a regular file")
        if not _is_same(path, sums[name]):
            raise PresetError(f"{path} is damaged: its sha256 is not the manifest's")


def edited_card(folder):
    """README.md as bytes if a person changed it since it was written, else `None`."""
    path = folder / CARD
    if not (folder / MANIFEST).exists() or not path.is_file():
        return None
    if _is_same(path, read_manifest(folder).get(CARD)):
        return None
    return read_bytes(path)


def own_names(folder):
    """The names of a folder's files, all of which are a preset's.

    Args:
        folder: `pathlib.Path`; need not exist.

    Returns:
        set of str, empty for a folder that is empty or does not exist.

    Raises:
        PresetError: if anything is in it that no manifest of ours names, or a link or
            folder that has such a name.
    """
    if not folder.exists() or not any(folder.iterdir()):
        return set()
    try:
        names = {*read_manifest(folder), MANIFEST}
    except PresetError:
        raise PresetError(
            f"{folder} is not empty and not a preset; nothing was changed"
        ) from None
    others = foreign(folder, names)
    if others:
        raise PresetError(
            f"{folder} holds what is not part of a preset: {listed(others, 4)}; "
            "nothing was changed. Move that elsewhere, or save to another folder"
        )
    return names


def _is_manifest(content):
    if not isinstance(content, dict) or content.keys() != {"sha256"}:
        return False
    sums = content["sha256"]
    return (
        isinstance(sums, dict)
        and CONFIG in sums
        and bool({WEIGHTS, INDEX} & sums.keys())
        and all(_is_data(name) and _is_sum(value) for name, value in sums.items())
    )


def _is_data(name):
    plain = pathlib.PurePath(name).name == name and "\\" not in name
    return plain and any(fnmatch.fnmatchcase(name, pattern) for pattern in DATA)


def _is_sum(value):
    return isinstance(value, str) and re.fullmatch("[0-9a-f]{64}", value) is not None


def _is_same(path, expected):
    if file_hash(path) == expected:
        return True
    if not any(fnmatch.fnmatchcase(path.name, pattern) for pattern in _TEXT):
        return False
    content = read_bytes(path, 2**30).replace(b"\r\n", b"\n")
    return hashlib.sha256(content).hexdigest() == expected
