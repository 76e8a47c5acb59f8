"""Which weights of a task are trained, and how many.

Choose before `compile`: each function takes a compiled model's optimizer away, since
its state would not fit the weights any more. `freeze_all_but(model, "head")` or the
last layers is what transformers are mostly fine-tuned with; recurrent models do better
with all weights, set free from the head down by `keras_genai.optimizers.GradualAdamW`.
"""

import numpy as np

from keras_genai import compat

HEAD = "head"


def freeze_all_but(model, *names):
    """Trains some layers only.

    Args:
        model: built `Task`.
        *names: names of layers, with all that is inside them. `"head"` is also
            whatever a task has beside its networks.

    Returns:
        int. The number of trained parameters.

    Raises:
        ValueError: if a name is in no weight's path.
    """
    chosen = {name: _weights_of(model, name) for name in names}
    missing = [name for name, weights in chosen.items() if not weights]
    if missing or not names:
        raise ValueError(
            f"`names` must be names of layers of {model.name}, for instance "
            f"{sorted(_layer_names(model))[:12]}. Received: {list(missing)}"
        )
    trained = {id(weight) for weights in chosen.values() for weight in weights}
    return _train(model, trained)


def freeze_all_but_last(model, count):
    """Trains the last blocks or recurrent layers, and what comes after them.

    Args:
        model: built `Task` with a network whose layers are `blocks` or a `stack`, of
            its own or of its `decoder`.
        count: int >= 0. How many of them.

    Returns:
        int. The number of trained parameters.

    Raises:
        ValueError: if there are no such layers, or fewer than `count`.
    """
    owner, layers = _depth(model)
    if not 0 <= count <= len(layers):
        raise ValueError(
            f"`count` must be from 0 to {len(layers)}, the layers of {model.name}. "
            f"Received: {count=}"
        )
    frozen = set()
    last = layers[len(layers) - count :] if count else []
    kept = {id(weight) for layer in last for weight in layer.weights}
    end = layers[-1].weights[-1]
    for weight in owner.weights:  # in the order in which they are used
        if id(weight) not in kept:
            frozen.add(id(weight))
        if weight is end:
            break
    return _train(model, {id(weight) for weight in model.weights} - frozen)


def train_all(model):
    """Trains all weights again but those that are never trained.

    Returns:
        int. The number of trained parameters.
    """
    return _train(model, {id(weight) for weight in model.weights})


def trained_parameters(model):
    """int: the numbers that training changes."""
    return sum(int(np.prod(weight.shape)) for weight in model.trainable_weights)


def _train(model, trained):
    natural = {
        id(weight)
        for layer in compat.layers_inside(model)
        for weight in compat.own_trainable(layer)
    }
    for weight in model.weights:
        weight.trainable = id(weight) in trained and id(weight) in natural
    model.optimizer = None
    model.compiled = False
    return trained_parameters(model)


def _weights_of(model, name):
    networks = model.networks.values()
    inside = {id(weight) for network in networks for weight in network.weights}
    beside = [weight for weight in model.weights if id(weight) not in inside]
    if name == HEAD and beside:
        return beside
    return [weight for weight in model.weights if name in weight.path.split("/")[:-1]]


def _layer_names(model):
    paths = [weight.path.removeprefix(f"{model.name}/") for weight in model.weights]
    return {part for path in paths for part in path.split("/")[:-1]}


def _depth(model):
    """The model that has the layers, and the list of them."""
    for owner in (model, *model.networks.values()):
        for holder in (owner, getattr(owner, "decoder", None)):
            for name in ("blocks", "stack"):
                layers = getattr(holder, name, None)
                if layers:
                    return owner, list(layers)
    raise ValueError(f"`model` must have `blocks` or a `stack`. Received: {model.name}")
