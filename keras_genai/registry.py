"""The one table from a class name in a file to a class in this library."""

import importlib
import math
from typing import Any, TypeVar

import keras
import numpy as np

from keras_genai.backend import check_backend
from keras_genai.standins import modules_of_classes

__all__ = [
    "from_plain",
    "is_registered",
    "lookup",
    "register",
    "to_plain",
]

check_backend()

Class = TypeVar("Class", bound=type)
_classes: dict[str, type] = {}
# What Keras' own files may name and our configs may not: their arguments reach Keras'
# deserializer, and none of our configs needs them.
_KERAS_PARTS = (
    keras.layers.Layer,
    keras.losses.Loss,
    keras.metrics.Metric,
    keras.optimizers.Optimizer,
)


def register(cls: Class) -> Class:
    """Class decorator: makes `cls` known to our presets and to Keras' own files.

    Raises:
        ValueError: if another class already has this name.
    """
    if not _is_ours(cls):
        _find(cls.__name__)
    known = _classes.setdefault(cls.__name__, cls)
    if known is not cls:
        raise ValueError(
            f"`{cls.__name__}` is already registered by {known.__module__}. "
            f"Received another one from {cls.__module__}"
        )
    return keras.saving.register_keras_serializable(package="keras_genai")(cls)


def adopt(cls: type) -> None:
    """Makes a user's class of a task known when it is defined, without a decorator.

    The last one of its name counts, since a notebook defines its classes again and
    again. Names of this library stay its own.
    """
    if not _is_ours(cls) and cls.__name__ not in modules_of_classes():
        _classes[cls.__name__] = cls


def _is_ours(cls):
    return cls.__module__.partition(".")[0] == "keras_genai"


def lookup(name: str, kind: type = object) -> type:
    """The registered class called `name`; what it may name is in this library.

    Args:
        name: str.
        kind: class. What it must be a subclass of.

    Raises:
        ValueError: if no such class is registered.
    """
    cls = _find(name) if isinstance(name, str) else None
    if cls is None or not issubclass(cls, kind):
        for own in modules_of_classes():
            _find(own)
        known = sorted(
            key for key, value in _classes.items() if issubclass(value, kind)
        )
        raise ValueError(
            f"`class` must be one of {known}. Received: {str(name)[:80]!r}"
        )
    return cls


def _find(name):
    """The class called `name` or `None`; one of this library is imported if need be."""
    if name not in _classes and name in modules_of_classes():
        importlib.import_module(modules_of_classes()[name])
    return _classes.get(name)


def is_registered(value: object) -> bool:
    """Whether the class of `value` itself, not one of its name, is in the table."""
    return _classes.get(type(value).__name__) is type(value)


def to_plain(value: Any) -> Any:
    """A JSON-able copy of a config: registered objects become `{"class", "config"}`.

    Args:
        value: finite numbers, strings, lists, dicts, and objects of registered classes
            that have `get_config()`; layers and losses of Keras are none of them.

    Raises:
        ValueError: if there is anything else in it, which no file could bring back.
    """
    if is_registered(value) and _is_part(type(value)):
        config = value.get_config()
        config.pop("tokenizer", None)  # a model's, which has a file of its own
        return {"class": type(value).__name__, "config": to_plain(config)}
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"A number in a config must be finite. Received: {value}")
    if value is None or isinstance(value, bool | int | float | str):
        return value
    cls = type(value)
    raise ValueError(
        "A config must hold numbers, strings, and objects of classes that "
        f"`keras_genai.registry.register` knows. Received: {cls.__module__}."
        f"{cls.__qualname__}"
    )


def from_plain(value: Any) -> Any:
    """The inverse of `to_plain`; only classes in this table can come back.

    Raises:
        ValueError: if a class is not in it, or is a layer or a loss of Keras.
    """
    if isinstance(value, dict) and value.keys() == {"class", "config"}:
        return _make(value["class"], value["config"])
    if isinstance(value, dict):
        return {key: from_plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_plain(item) for item in value]
    return value


def _make(name, config):
    cls = lookup(name)
    if not _is_part(cls) or not isinstance(config, dict):
        raise ValueError(
            "`class` must be of a model or of a plain part of one, and `config` a "
            f"dict. Received: {name!r} with a {type(config).__name__}"
        )
    config = from_plain(config)
    # A model also has changes to be made to it after it was constructed.
    return cls.from_config(config) if hasattr(cls, "from_config") else cls(**config)


def _is_part(cls):
    return issubclass(cls, keras.Model) or not issubclass(cls, _KERAS_PARTS)
