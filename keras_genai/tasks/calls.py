"""The arguments of a call, by name, of methods that hand them on to Keras."""

import inspect


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
