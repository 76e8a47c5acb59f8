"""The catalogue: one file an entry, found by its name, imported when it is asked for.

Listing reads file names and first docstring lines only: no TensorFlow, no network.
Entries of your own are found in the folders that the environment variable
`KERAS_GENAI_ZOO` names, and are used like all others.
"""

import ast
import difflib
import fnmatch
import importlib
import importlib.util
import os
import pathlib
import sys

from keras_genai.files.paths import as_path

PLACES = "KERAS_GENAI_ZOO"  # environment variable: folders, as in PATH
_FOLDER = pathlib.Path(__file__).parent
_OWN = {"entry"}  # the one module here that is not an entry


def names(pattern="*"):
    """Names of the entries that match a shell pattern, sorted.

    >>> names("gpt*")
    """
    return sorted(fnmatch.filter(_files(), pattern))


def file(name):
    """The path of an entry's file; its recorded results lie in `results` beside it.

    Raises:
        ValueError: if there is no such entry; the message names the nearest.
    """
    _check(name)
    return _files()[name]


def records(name):
    """The folder of the measured results of an entry: `results`, beside its file."""
    return file(name).parent / "results"


def record(name):
    """The path of the measured result of an entry, which may not exist."""
    return records(name) / f"{name}.json"


def _files():
    """Paths of all entries by name; where two have one name, this package's counts."""
    given = os.environ.get(PLACES, "").split(os.pathsep)
    folders = *(as_path(place, PLACES) for place in given if place), _FOLDER
    return {
        path.stem: path
        for folder in folders
        for path in folder.glob("*.py")
        if not path.stem.startswith("_") and path.stem not in _OWN
    }


def describe(name):
    """First line of an entry's docstring."""
    return ast.get_docstring(ast.parse(code(name))).partition("\n")[0]


def code(name):
    """The source of an entry's file."""
    return file(name).read_text("utf-8")


def get(name):
    """The `Entry` called `name`.

    Raises:
        ValueError: if there is none; the message names the nearest.
    """
    import dataclasses

    return dataclasses.replace(_module(file(name)).entry, name=name)


def _module(path):
    """The module of an entry's file, imported once."""
    name = f"zoo.{path.stem}"
    if path.parent == _FOLDER or name in sys.modules:
        return importlib.import_module(name)
    spec = importlib.util.spec_from_file_location(name, path)
    sys.modules[name] = module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module


def _check(name):
    known = _files()
    if name in known:
        return
    near = difflib.get_close_matches(str(name), sorted(known), n=3, cutoff=0.4)
    hint = f"Did you mean {' or '.join(near)}?" if near else "See `python -m zoo list`."
    raise ValueError(f"`name` must be an entry of the zoo. {hint} Received: {name!r}")
