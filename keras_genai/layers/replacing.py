"""Puts a layer in the place of another, inside a model that is built."""

import contextlib

import keras

from keras_genai import compat


def replace(model, choose):
    """Replaces sub-layers of `model` wherever it holds them.

    That is in attributes of `model` or of one of its layers, in lists, tuples and dicts
    there, and in the graph of a functional or sequential model. The order of the
    model's weights stays. What was compiled before is forgotten.

    Args:
        model: built `keras.Model`.
        choose: function of a layer that returns the layer to stand in its place, or
            `None` to leave it. It is asked once for each layer.

    Returns:
        int. How many layers were replaced.
    """
    parents = compat.layers_inside(model)
    new = {id(layer): choose(layer) for layer in parents if layer is not model}
    pairs = [(layer, new[id(layer)]) for layer in parents if new.get(id(layer))]
    new = {id(old): layer for old, layer in pairs}
    for parent in parents:
        for old, layer in pairs:
            compat.replace_tracked(parent, old, layer)
        for name, value in list(vars(parent).items()):
            changed = _changed(value, new)
            if changed is not value:
                setattr(parent, name, changed)
    for old, layer in pairs:
        compat.take_nodes(layer, old)
    for parent in parents:
        if isinstance(parent, keras.Model):
            compat.read_graph(parent)
    forget_compiled(model)
    return len(pairs)


def _changed(value, new):
    """`value` with other layers in it: a list or dict is changed in place."""
    if isinstance(value, keras.layers.Layer):
        return new.get(id(value), value)
    if type(value) is tuple:
        changed = tuple(_changed(item, new) for item in value)
        same = all(a is b for a, b in zip(changed, value, strict=True))
        return value if same else changed
    if isinstance(value, list | dict):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for place, item in list(items):
            changed = _changed(item, new)
            if changed is not item:
                value[place] = changed
    return value


def forget_compiled(model):
    """Lets `fit`, `evaluate`, `predict` and `generate` be traced anew."""
    for layer in compat.layers_inside(model):
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
