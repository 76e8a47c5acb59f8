"""Puts a layer in the place of another, inside a model that is built."""

import contextlib

import keras
from keras.src.ops.function import map_graph
from keras.src.utils.tracking import DotNotTrackScope


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
    parents = model._flatten_layers()
    new = {id(layer): choose(layer) for layer in parents if layer is not model}
    pairs = [(layer, new[id(layer)]) for layer in parents if new.get(id(layer))]
    new = {id(old): layer for old, layer in pairs}
    for parent in parents:
        for old, layer in pairs:
            if parent._tracker.is_in_store("layers", old):
                parent._tracker.replace_tracked_value("layers", old, layer)
        for name, value in list(vars(parent).items()):
            changed = _changed(value, new)
            if changed is not value:
                setattr(parent, name, changed)
    for old, layer in pairs:
        _take_nodes(layer, old)
    for parent in parents:
        if isinstance(parent, keras.Model) and hasattr(parent, "_nodes_by_depth"):
            _read_graph(parent)
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


def _take_nodes(layer, old):
    """Makes `layer` what `old` is in the graph of functional models."""
    layer._inbound_nodes = old._inbound_nodes
    layer._outbound_nodes = old._outbound_nodes
    for node in layer._inbound_nodes:
        node.operation = layer
        for tensor in node.outputs:
            history = tensor._keras_history
            tensor._keras_history = history._replace(operation=layer)


def _read_graph(model):
    """Lets a functional model see what its graph is made of now."""
    with DotNotTrackScope():
        graph = map_graph(model._inputs, model._outputs)
        model._nodes, model._nodes_by_depth = graph[:2]
        model._operations, model._operations_by_depth = graph[2:]


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
