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
            f"`name` must be a class of keras_genai, one of {sorted(_classes)}. "
            f"Received: {name=}"
        )
    return _classes[name]
