"""What a run is made with, as plain values that two starts can compare."""

import dataclasses
import functools
import inspect
import math
import os

from keras_genai import compat
from keras_genai.training.content import content_hash, is_array

LONGEST = 80  # characters of a value in a line of text


def describe(value):
    """A JSON-able description of what an object was made with.

    Two objects with the same description do the same: numbers and texts are
    themselves, functions their names and arguments, objects of Keras and of this
    library their class and config, arrays a hash.
    """
    if value is None or isinstance(value, bool | int | str | float):
        return _number(value) if isinstance(value, float) else value
    if isinstance(value, dict | list | tuple | set | frozenset):
        return _collection(value)
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if is_array(value) or isinstance(value, bytes):
        return {"sha256": content_hash(value)}
    if isinstance(value, functools.partial):
        arguments = describe({"args": value.args, **value.keywords})
        return {"function": _name(value.func), **arguments}
    if inspect.isroutine(value) or inspect.isclass(value):
        return _function(value)
    if not hasattr(value, "__dict__") and not hasattr(value, "get_config"):
        return {"class": type(value).__name__}
    return {"class": type(value).__name__, **_config(value)}


def _number(value):
    """A float as JSON has it."""
    return value if math.isfinite(value) else str(value)


def _collection(values):
    """What is in a dict or a list; a dict may be Keras' description of an object."""
    if not isinstance(values, dict):
        return [describe(item) for item in values]
    if values.keys() >= {"class_name", "config"}:
        return {"class": values["class_name"], **_nameless(values["config"])}
    return {str(key): describe(item) for key, item in values.items()}


def _config(value):
    """The arguments of an object."""
    if dataclasses.is_dataclass(value):
        fields = dataclasses.fields(value)
        return {each.name: describe(getattr(value, each.name)) for each in fields}
    if hasattr(value, "get_config"):
        # Keras' losses leave their arguments out of their config.
        return {**_of_keras(value), **describe(compat.function_arguments(value))}
    public = (item for item in vars(value).items() if not item[0].startswith("_"))
    return {key: describe(item) for key, item in public}


def _of_keras(value):
    try:
        return _nameless(value.get_config())
    except (NotImplementedError, TypeError, ValueError):  # of a user's own class
        return {}


def _nameless(config):
    """A config without the name, which Keras numbers anew."""
    if not isinstance(config, dict):  # that of a function is its name
        return {"config": describe(config)}
    return {key: describe(item) for key, item in config.items() if key != "name"}


def _function(value):
    """A function's name, and what was given to the function that made it."""
    if not inspect.isfunction(value) or value.__closure__ is None:
        return _name(value)
    given = inspect.getclosurevars(value).nonlocals
    closure = {key: describe(item) for key, item in given.items() if item is not value}
    return {"function": _name(value), **closure}


def _name(function):
    name = getattr(function, "__qualname__", type(function).__name__)
    return f"{getattr(function, '__module__', '')}.{name}"


def changes(before, now):
    """What differs between two descriptions: (before, now) by dotted names.

    What one of them lacks is `"absent"`; values are shortened for a line of text.
    """
    before, now = dict(_flat(before)), dict(_flat(now))
    pairs = {
        name: (before.get(name, "absent"), now.get(name, "absent"))
        for name in sorted(before.keys() | now.keys())
    }
    return {name: (_short(a), _short(b)) for name, (a, b) in pairs.items() if a != b}


def _flat(value, prefix=""):
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else key)
    else:
        yield prefix, value


def _short(value):
    text = " ".join(str(value).split())
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 4]} ..."
