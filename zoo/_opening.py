"""One way to open a model, for every verb of `python -m zoo`."""

import os
import pathlib

import zoo
from zoo import _places, _weights
from zoo._command import training
from zoo._quiet import start_tensorflow

FEW_TOKENS = 2_000  # XLA takes longer to compile a decoding loop than these take


def locate(name, preset=None):
    """What `from_preset` is to open, and for an entry one line that says which it is.

    Args:
        name: str: an entry; or a folder; or a name on the hub, `"owner/name"`.
        preset: path or `None`. The folder to be opened instead. Without it an entry is
            what `zoo._places.taken` finds: trained here, shipped or published.

    Returns:
        path, or a name on the hub.

    Raises:
        ValueError: if there is no such thing; one line that says what to do.
    """
    if preset is None and name not in zoo.names():
        return _stranger(name)
    zoo.describe(name)  # an unknown name ends here, with the nearest
    if preset is not None:
        found = _folder(preset, "--preset")
        if found is None:
            raise ValueError(
                f"There is no preset in {preset}. Train one first: {training(name)}"
            )
        return found
    return _of_entry(name)


def _stranger(name):
    """The folder or the hub's name that a name is which is no entry's."""
    found = _folder(name, "name")
    if found is not None:
        return found
    if name.count("/") == 1 and not name.startswith((".", "/", "~")):
        return name
    if "/" in name:
        raise ValueError(f"`name` must be a folder that exists. Received: {name}")
    return zoo.describe(name)  # which raises, and names the nearest


def _of_entry(name):
    """The first that there is of an entry's presets."""
    found = _places.taken(name)
    if found is None:
        raise ValueError(
            f"There is {_places.missing(name)}. Train it first: {training(name)}; or "
            f"take one whose weights ship: {', '.join(_weights.names())}"
        )
    return found


def _folder(value, argument):
    """The path of a folder that exists, or `None`; it costs no TensorFlow import."""
    if not value:
        raise ValueError(f"`{argument}` must be a path. Received: {value!r}")
    path = pathlib.Path(os.path.expanduser(value))
    return path if path.is_dir() else None


def open_model(place, name, verb, weights=None, tokens=None):
    """The model in a place, if a verb fits it.

    Args:
        place: what `locate` returned.
        name: str, what a person calls it.
        verb: str.
        weights: str or `None` (as they are): the kind that `quantize` makes of its
            matrices, `"int8"`, `"int4"` or `"bfloat16"`.
        tokens: int or `None`. How many it is to write at most: few are written sooner
            by a loop that XLA has not compiled.

    Returns:
        `Task`.

    Raises:
        ValueError: if the verb does not fit, one line that says which do; or if the
            model has no matrix that can be of that kind.
    """
    start_tensorflow()
    from keras_genai import from_preset

    model = from_preset(place)
    fitting = verbs(model)
    if verb not in fitting:
        raise ValueError(
            f"`{verb}` does not fit {name}, which is a {type(model).__name__}. "
            f"What fits: {', '.join(fitting)}"
        )
    reads_text = any(hasattr(k, "tokenizer") for k in (model.target, *model.given))
    if verb != "sample" and reads_text and model.tokenizer is None:
        raise ValueError(f"{name} must have a tokenizer to {verb}. Received none")
    if weights is not None:
        from keras_genai.layers.quantized import quantize

        quantize(model, weights)
    elif tokens is not None and tokens <= FEW_TOKENS:
        model.jit_generate = False
    return model


def verbs(model):
    """The verbs that fit a model, as a list of str."""
    return ["sample", *model.verbs]
