"""The arguments of a call, by name, of methods that hand them on to Keras."""

import inspect


def arguments(method, model, args, kwargs):
    """What a method of Keras is called with.

    Args:
        method: function of `keras.Model`.
        model: the model.
        args, kwargs: tuple and dict, of the call.

    Returns:
        dict by the names of the method's arguments: those that were given.

    Raises:
        TypeError: if they do not fit it.
    """
    given = inspect.signature(method).bind(model, *args, **kwargs).arguments
    return {name: value for name, value in given.items() if name != "self"}
