"""Puts a layer in the place of another, inside a model that is built."""

import contextlib

import keras


def replace(model, choose):
    """Replaces sub-layers that are attributes of `model` or of one of its layers.

    The order of the model's weights stays. What was compiled before is forgotten.

    Args:
        model: built `keras.Model`.
        choose: function of a layer that returns the layer to stand in its place, or
            `None` to leave it. It is asked once for each layer.

    Returns:
        int. How many layers were replaced.
    """
    chosen = {}
    for parent in model._flatten_layers():
        for name, old in list(vars(parent).items()):
            if not isinstance(old, keras.layers.Layer):
                continue
            if id(old) not in chosen:
                chosen[id(old)] = (old, choose(old))
            new = chosen[id(old)][1]
            if new is not None:
                if parent._tracker.is_in_store("layers", old):
                    parent._tracker.replace_tracked_value("layers", old, new)
                setattr(parent, name, new)
    forget_compiled(model)
    return sum(new is not None for _, new in chosen.values())


def forget_compiled(model):
    """Lets `fit`, `evaluate`, `predict` and `generate` be traced anew."""
    for layer in model._flatten_layers():
        vars(layer).get("_compiled_loops", {}).clear()
        if isinstance(layer, keras.Model):
            layer.train_function = None
            layer.test_function = None
            layer.predict_function = None


def name_scopes(names):
    """Context in which new weights get paths that begin with `names`, a list of str."""
    stack = contextlib.ExitStack()
    for name in names:
        stack.enter_context(keras.name_scope(name))
    return stack
