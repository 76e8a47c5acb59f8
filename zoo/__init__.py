"""The catalogue: one file an entry, found by its name, imported when it is asked for.

Listing reads file names and first docstring lines only: no TensorFlow, no network.
"""

import ast
import difflib
import fnmatch
import importlib
import pathlib

_FOLDER = pathlib.Path(__file__).parent
_OWN = {"entry"}  # the one module here that is not an entry


def names(pattern="*"):
    """Names of the entries that match a shell pattern, sorted.

    >>> names("gpt*")
    """
    stems = (path.stem for path in _FOLDER.glob("*.py"))
    found = {stem for stem in stems if not stem.startswith("_")} - _OWN
    return sorted(fnmatch.filter(found, pattern))


def describe(name):
    """First line of an entry's docstring."""
    return ast.get_docstring(ast.parse(code(name))).partition("\n")[0]


def code(name):
    """The source of an entry's file."""
    _check(name)
    return (_FOLDER / f"{name}.py").read_text("utf-8")


def get(name):
    """The `Entry` called `name`.

    Raises:
        ValueError: if there is none; the message names the nearest.
    """
    import dataclasses

    _check(name)
    return dataclasses.replace(importlib.import_module(f"zoo.{name}").entry, name=name)


def _check(name):
    known = names()
    if name in known:
        return
    near = difflib.get_close_matches(str(name), known, n=3, cutoff=0.4)
    hint = f"Did you mean {' or '.join(near)}?" if near else "See `python -m zoo list`."
    raise ValueError(f"`name` must be an entry of the zoo. {hint} Received: {name!r}")
