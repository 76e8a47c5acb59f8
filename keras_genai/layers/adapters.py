"""LoRA: small matrices beside large ones, trained while those stay as they are.

    adapters.add(model, rank=8)               # the base no longer trains
    model.compile(...)
    model.fit(...)
    adapters.save(model, "my_adapter")        # a thousandth of the model
    adapters.merge(model)                     # as fast as without, until unmerge

A model may have several adapters by name, one of them in use. They are part of a
task's config, its presets and its checkpoints; of any other Keras model `save` keeps
them. They are on a task or on a part of it, not on both. Compile the model after `add`,
`load` and `use`.
"""

import contextlib
import dataclasses
import hashlib

import keras
import numpy as np

from keras_genai import compat
from keras_genai.files.paths import as_path
from keras_genai.files.tensors import is_finite
from keras_genai.layers import adapter_files
from keras_genai.layers.low_rank import AdaptedDense, LoRA, LowRankPair, WholeCopy
from keras_genai.layers.quantized import is_quantized
from keras_genai.layers.replacing import forget_compiled, replace
from keras_genai.registry import register


@register
@dataclasses.dataclass(frozen=True)
class Adapters:
    """A change of a `Task`: the adapters it has, and which of them is in use."""

    adapters: tuple = ()
    active: str | None = None

    def __post_init__(self):
        object.__setattr__(self, "adapters", tuple(self.adapters))

    def apply(self, model):
        for adapter in self.adapters:
            _attach(model, adapter)
        use(model, self.active)

    def get_config(self):
        return {"adapters": list(self.adapters), "active": self.active}


def add(
    model,
    names=("query", "memory"),
    rank=8,
    alpha=16.0,
    dropout=0.05,
    seed=0,
    name="default",
    whole=(),
):
    """Puts a new adapter on a model; from now on it alone is trained.

    Args:
        model: built `Task`, or any other built `keras.Model` with `Dense` layers.
        names, rank, alpha, dropout, seed, name, whole: see `LoRA`.

    Raises:
        ValueError: if an argument is out of its range, if the model has an adapter of
            that name, is merged with one or has 8-bit weights, if a part of it has
            adapters of its own, or if no `Dense` layer is called so.
    """
    adapter = LoRA(name, names, whole, rank, alpha, dropout, seed)
    _attach(model, adapter)
    use(model, name)


def use(model, name):
    """Chooses the adapter that the model computes with and trains.

    Args:
        model: `Task` with adapters.
        name: str; or `None` for the base alone.

    Raises:
        ValueError: if there is no such adapter, or if the model is merged with one.
    """
    _refuse_merged(model)
    known = [adapter.name for adapter in installed(model).adapters]
    if name is not None and name not in known:
        raise ValueError(f"`name` must be one of {known}. Received: {name!r}")
    for weight in model.weights:
        weight.trainable = False
    for layer in _adapted(model):
        layer.active = name
        part = layer.part(name)
        for weight in [] if part is None else part.weights:
            weight.trainable = True
    _record(model, dataclasses.replace(installed(model), active=name))
    forget_compiled(model)


@contextlib.contextmanager
def computing_with(model, name):
    """Context in which a model computes with another adapter, for calls within it.

    What is trained stays as it is, and nothing is compiled anew: one compiled function
    may compute with several adapters.

    Args:
        model: `Task` with adapters.
        name: str; or `None` for the base alone, which is then the same to the bit as a
            copy from before there were adapters.

    Raises:
        ValueError: if there is no such adapter, or if the model is merged with one.
    """
    _refuse_merged(model)
    if name is not None:
        name = _named(model, name).name
    layers = _adapted(model)
    before = [layer.active for layer in layers]
    for layer in layers:
        layer.active = name
    try:
        yield
    finally:
        for layer, active in zip(layers, before, strict=True):
            layer.active = active


def without(model):
    """`computing_with` the base alone."""
    return computing_with(model, None)


def changes_nothing(model, name):
    """bool: whether a model computes with an adapter what it does without, as anew.

    Args:
        model: `Task` with adapters.
        name: str.
    """
    parts = [(layer.base, layer.part(name)) for layer in _adapted(model)]
    return all(part.is_as_begun(base) for base, part in parts if part is not None)


def merge(model):
    """Folds the adapter in use into the base weights.

    The model is then an ordinary one: as fast as before, all of it can be trained,
    and its presets and folders in other formats know no adapter.

    Args:
        model: `Task` with an adapter in use.

    Raises:
        ValueError: if no adapter is in use, or if the model is merged already.
    """
    _refuse_merged(model)
    state = installed(model)
    if state.active is None:
        raise ValueError("`model` must use an adapter to merge. Received none in use")
    replaced = []

    def base_of(layer):
        if not isinstance(layer, AdaptedDense):
            return None
        replaced.append((layer, [weight.numpy() for weight in layer.base.weights]))
        if layer.part(state.active) is not None:
            layer.part(state.active).fold_into(layer.base)
        return layer.base

    replace(model, base_of)
    for weight in _hidden(model, "_frozen_weights"):
        weight.trainable = True
    merged = (state, replaced, _digest(layer.base for layer, _ in replaced))
    object.__setattr__(model, "_merged_adapters", merged)
    _record(model, None)


def unmerge(model):
    """Takes back what `merge` did: the base weights are the same to the bit.

    Args:
        model: `Task` after `merge`, in the same process.

    Raises:
        ValueError: if the model is not merged, or if its base was trained or changed
            to 8-bit weights since, which this would lose.
    """
    if not _hidden(model, "_merged_adapters"):
        raise ValueError(
            "`model` must be merged with an adapter. Received one that is not"
        )
    state, replaced, digest = model._merged_adapters
    wrappers = {id(layer.base): layer for layer, _ in replaced}
    there = {id(layer) for layer in compat.layers_inside(model)}
    bases = [layer.base for layer, _ in replaced]
    if not wrappers.keys() <= there or _digest(bases) != digest:
        raise ValueError(
            "`model` must be as `merge` left it. Received one that was trained or "
            "quantized since"
        )
    object.__setattr__(model, "_merged_adapters", ())
    replace(model, lambda layer: wrappers.get(id(layer)))
    for layer, values in replaced:
        for weight, value in zip(layer.base.weights, values, strict=True):
            weight.assign(value)
    _record(model, state)
    use(model, state.active)


def installed(model):
    """`Adapters`: those that the model has, without the one it is merged with."""
    changes = getattr(model, "changes", ())
    found = [change for change in changes if isinstance(change, Adapters)]
    return found[0] if found else Adapters()


def base_weights(model):
    """dict by path: the weights of the model that are no adapter's."""
    own = {
        id(weight)
        for layer in _adapted(model)
        for part in layer.parts
        for weight in part.weights
    }
    weights = _weights(model).items()
    return {path: weight for path, weight in weights if id(weight) not in own}


def adapter_weights(model, name):
    """dict by path: the weights of one adapter."""
    _refuse_merged(model)
    parts = [layer.part(name) for layer in _adapted(model)]
    own = {id(weight) for part in parts if part for weight in part.weights}
    weights = _weights(model).items()
    return {path: weight for path, weight in weights if id(weight) in own}


def save(model, folder, name=None):
    """Writes one adapter, without the base: adapter.json and adapter.safetensors.

    Args:
        model: `Task` with adapters.
        folder: path. Created if needed; an adapter that is there is replaced.
        name: str or `None` (the one in use).

    Raises:
        ValueError: if there is no such adapter, or if the model is merged with one.
    """
    folder = as_path(folder, "folder")
    adapter = _named(model, name)
    weights = adapter_weights(model, adapter.name)
    arrays = {_nameless(path): weight.numpy() for path, weight in weights.items()}
    wrong = [path for path, array in arrays.items() if not is_finite(array)]
    if wrong:
        raise ValueError(f"`{wrong[0]}` is not finite; nothing was written")
    adapter_files.write(folder, adapter.get_config(), identity(model), arrays)


def load(model, folder, name=None):
    """Adds an adapter that `save` wrote, and uses it.

    Args:
        model: the model it was made for: the same weights, other adapters apart.
        folder: path.
        name: str or `None` (as it was called). What to call it here.

    Raises:
        ValueError: if the files are missing, damaged, or of another base. The model is
            then as it was.
    """
    _refuse_unfit(model)
    folder = as_path(folder, "folder")
    content, arrays = adapter_files.read(folder)
    if content.base != identity(model):
        raise ValueError(f"{folder} is an adapter of another base than {model.name}")
    try:
        adapter = LoRA(**content.adapter)
        adapter = dataclasses.replace(adapter, name=name or adapter.name)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{folder / adapter_files.SETTINGS}: {error}") from None
    expected = _shapes(model, adapter)
    found = {path: array.shape for path, array in arrays.items()}
    if found != expected:
        wrong = sorted(set(found.items()) ^ set(expected.items()))
        raise ValueError(
            f"{folder / adapter_files.WEIGHTS} does not fit {model.name}: {wrong[:6]}"
        )
    _attach(model, adapter)
    for path, weight in adapter_weights(model, adapter.name).items():
        weight.assign(arrays[_nameless(path)])
    use(model, adapter.name)


def identity(model):
    """str: sha256 of the base weights, names and shapes; adapters have no part."""
    _refuse_merged(model)
    total = hashlib.sha256()
    for path, weight in sorted(base_weights(model).items()):
        array = np.ascontiguousarray(weight.numpy())
        total.update(f"{path} {array.dtype} {array.shape}\n".encode())
        total.update(array.data)
    return total.hexdigest()


def _nameless(path):
    """`.../query/NAME/left` without the adapter's name."""
    *above, _, weight = path.split("/")
    return "/".join([*above, weight])


def _shapes(model, adapter):
    """dict by path: the shapes of the weights that an adapter will have."""
    shapes = {}
    for layer in _chosen(model, adapter):
        base = layer.base if isinstance(layer, AdaptedDense) else layer
        path = base.kernel.path.removeprefix(f"{model.name}/").rpartition("/")[0]
        if layer.name in adapter.whole:
            for weight in base.weights:
                shapes[f"{path}/{weight.name}"] = tuple(weight.shape)
        else:
            inputs, units = base.kernel.shape
            shapes[f"{path}/left"] = (inputs, adapter.rank)
            shapes[f"{path}/right"] = (adapter.rank, units)
    return shapes


def _named(model, name):
    """The `LoRA` of this name, or the one in use."""
    state = installed(model)
    name = state.active if name is None else name
    for adapter in state.adapters:
        if adapter.name == name:
            return adapter
    known = [adapter.name for adapter in state.adapters]
    raise ValueError(f"`name` must be one of {known}. Received: {name!r}")


def _attach(model, adapter):
    """Adds an adapter's weights; what is in use and trained stays."""
    _refuse_unfit(model)
    state = installed(model)
    if adapter.name in [known.name for known in state.adapters]:
        raise ValueError(f"`name` must be a new one. Received: {adapter.name!r} again")
    chosen = _chosen(model, adapter)
    if not state.adapters:
        object.__setattr__(model, "_frozen_weights", model.trainable_weights)
    wrappers = {
        id(layer): AdaptedDense(layer)
        for layer in chosen
        if not isinstance(layer, AdaptedDense)
    }
    for index, layer in enumerate(chosen):
        wrapper = wrappers.get(id(layer), layer)
        kind = WholeCopy if layer.name in adapter.whole else LowRankPair
        # Each layer has a seed of its own, or all would draw the same numbers.
        part = kind(wrapper.base, adapter, adapter.seed * 10_000 + index)
        wrapper.parts.append(part)
    replace(model, lambda layer: wrappers.get(id(layer)))
    _record(model, dataclasses.replace(state, adapters=(*state.adapters, adapter)))


def _chosen(model, adapter):
    """The layers that an adapter is put on, in the model's order."""
    inside = {id(layer.base) for layer in _adapted(model)}
    layers = [
        layer
        for layer in compat.layers_inside(model)
        if isinstance(layer, keras.layers.Dense | AdaptedDense)
        and id(layer) not in inside
    ]
    wanted = (*adapter.names, *adapter.whole)
    known = {layer.name for layer in layers}
    for argument in ("names", "whole"):
        missing = sorted(set(getattr(adapter, argument)) - known)
        if missing:
            raise ValueError(
                f"`{argument}` must be of {sorted(known)}, the Dense layers of "
                f"{model.name}. Received: {missing}"
            )
    if not wanted:
        raise ValueError("`names` must name at least one Dense layer. Received none")
    return [layer for layer in layers if layer.name in wanted]


def _adapted(model):
    return [
        layer
        for layer in compat.layers_inside(model)
        if isinstance(layer, AdaptedDense)
    ]


def _weights(model):
    """dict by path: all weights of a model."""
    if hasattr(model, "preset_weights"):
        return model.preset_weights()
    prefix = f"{model.name}/"
    weights = {weight.path.removeprefix(prefix): weight for weight in model.weights}
    if len(weights) < len(model.weights):
        raise ValueError(f"`model` must have one weight a path. Received: {model.name}")
    return weights


def _record(model, state):
    changes = getattr(model, "changes", ())
    others = [change for change in changes if not isinstance(change, Adapters)]
    model.changes = (*others, *([] if state is None else [state]))


def _digest(layers):
    """bytes: sha256 of the weights of some layers."""
    total = hashlib.sha256()
    for layer in layers:
        for weight in layer.weights:
            total.update(np.ascontiguousarray(weight.numpy()).data)
    return total.digest()


def _refuse_unfit(model):
    """Raises for a model that no adapter can be added to as it is."""
    _refuse_merged(model)
    if not model.built:
        raise ValueError(f"`model` must be built. Received: {model.name}, unbuilt")
    if is_quantized(model):
        raise ValueError(
            "`model` must have float weights. Received one with 8-bit weights, which "
            "are for good"
        )
    own = {adapter.name for adapter in installed(model).adapters}
    there = {part.name for layer in _adapted(model) for part in layer.parts}
    if there - own or any(
        getattr(layer, "changes", ()) or _hidden(layer, "_merged_adapters")
        for layer in compat.layers_inside(model, include_self=False)
    ):
        raise ValueError(
            "`model` must not be part of, or have a part with, adapters of its own. "
            f"Received: {model.name}"
        )


def _refuse_merged(model):
    if _hidden(model, "_merged_adapters"):
        raise ValueError("`model` must be unmerged first. Received a merged one")


def _hidden(model, name):
    """An attribute that Keras does not track, or `()`."""
    return vars(model).get(name, ())
