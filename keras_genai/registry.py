"""The one table from a class name in a file to a class in this library."""

import keras

_classes = {}


def register(cls):
    """Class decorator: makes `cls` known to our presets and to Keras' own files.

    Raises:
        ValueError: if another class already has this name.
    """
    known = _classes.setdefault(cls.__name__, cls)
    if known is not cls:
        raise ValueError(
            f"`{cls.__name__}` is already registered by {known.__module__}. "
            f"Received another one from {cls.__module__}"
        )
    return keras.saving.register_keras_serializable(package="keras_genai")(cls)


def lookup(name):
    """The registered class called `name`; nothing is imported by its dotted name.

    Raises:
        ValueError: if no such class is registered.
    """
    if name not in _classes:
        raise ValueError(
            f"`class` must be one of {sorted(_classes)}. Received: {name!r}"
        )
    return _classes[name]


def to_plain(value):
    """A JSON-able copy of a config: registered objects become `{"class", "config"}`.

    Args:
        value: numbers, strings, lists, dicts, and objects of registered classes
            that have `get_config()`.
    """
    if type(value).__name__ in _classes:
        return {"class": type(value).__name__, "config": to_plain(value.get_config())}
    if isinstance(value, dict):
        return {key: to_plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [to_plain(item) for item in value]
    return value


def from_plain(value):
    """The inverse of `to_plain`; only classes in this table can come back."""
    if isinstance(value, dict) and value.keys() == {"class", "config"}:
        return lookup(value["class"])(**from_plain(value["config"]))
    if isinstance(value, dict):
        return {key: from_plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [from_plain(item) for item in value]
    return value
