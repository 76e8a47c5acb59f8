"""The arguments of a call, by name, of methods that hand them on to Keras."""

import inspect

import keras


def arguments(method, model, args, kwargs, defaults=False):
    """What a method of Keras is called with.

    Args:
        method: function of `keras.Model`.
        model: the model.
        args, kwargs: tuple and dict, of the call.
        defaults: bool. Whether those that were not given are there by their defaults.

    Returns:
        dict by the names of the method's arguments: those that were given, or all.

    Raises:
        TypeError: if they do not fit it.
    """
    bound = inspect.signature(method).bind(model, *args, **kwargs)
    if defaults:
        bound.apply_defaults()
    return {name: value for name, value in bound.arguments.items() if name != "self"}


def compile_arguments(model, args, kwargs, own=("loss", "loss_weights", "metrics")):
    """What `compile` is called with, of a task that has a loss of its own.

    Args:
        model: the task.
        args, kwargs: tuple and dict, of the call.
        own: names of arguments that must be `None`.

    Returns:
        dict by the names of the method's arguments.

    Raises:
        ValueError: if one of `own` is given.
    """
    given = arguments(keras.Model.compile, model, args, kwargs)
    for name in own:
        if given.get(name) is not None:
            raise ValueError(
                f"`{name}` must be None: {type(model).__name__} has its own. "
                f"Received: {name}={given[name]!r}"
            )
    return given
