"""Arguments by name for a task and the networks in it, wherever each belongs."""

from keras_genai import registry
from keras_genai.declared import OF_KERAS, Declared, fields


def overridden(cls, config, overrides):
    """A task's config in which some arguments are other ones.

    Args:
        cls: the class of the task.
        config: dict, plain, as `registry.to_plain` writes it.
        overrides: dict. `dtype` is that of all parts; every other name is the task's
            own field, or that of each of its networks that has one of this name;
            `"text_encoder.depth"` is that of the network in one field.

    Returns:
        dict, a new config.

    Raises:
        ValueError: if neither the task nor a network has such an argument.
    """
    config = dict(config)
    for argument, value in overrides.items():
        only, _, key = argument.rpartition(".")
        parts = [
            name
            for name in _networks(config)
            if only in ("", name) and (key == "dtype" or _has(config[name], key))
        ]
        own = key in fields(cls) or key in OF_KERAS or not issubclass(cls, Declared)
        own = own and not only
        if not own and not parts:
            raise ValueError(
                f"`{argument}` must be an argument of {cls.__name__} or of "
                f"{' or '.join(config[name]['class'] for name in _networks(config))}. "
                f"Received: {argument}={value!r}"
            )
        for name in parts:
            inner = config[name]
            config[name] = {**inner, "config": {**inner["config"], key: value}}
        if own:
            config[key] = value
    return config


def _networks(config):
    """The arguments of a plain config that are models themselves."""
    return [
        name
        for name, value in config.items()
        if isinstance(value, dict)
        and value.keys() == {"class", "config"}
        and _is_declared(value["class"])
    ]


def _is_declared(name):
    try:
        return issubclass(registry.lookup(name), Declared)
    except ValueError:  # whoever makes it says so
        return False


def _has(value, key):
    return key in fields(registry.lookup(value["class"]))
