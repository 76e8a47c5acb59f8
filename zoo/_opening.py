"""One way to open a model, for every verb of `python -m zoo`."""

import os
import pathlib

import zoo
from zoo._command import training
from zoo._quiet import start_tensorflow


def locate(name, preset=None):
    """What `from_preset` is to open.

    Args:
        name: str: an entry, whose trained preset is in runs/NAME and whose published
            checkpoint is next; or a folder; or a name on the hub, `"owner/name"`.
        preset: path or `None`. The folder to be opened instead.

    Returns:
        path, or a name on the hub.

    Raises:
        ValueError: if there is no such thing; one line that says what to do.
    """
    is_entry = name in zoo.names()
    if preset is None and not is_entry:
        found = _folder(name, "name")
        if found is not None:
            return found
        if name.count("/") == 1 and not name.startswith((".", "/", "~")):
            return name
        if "/" in name:
            raise ValueError(f"`name` must be a folder that exists. Received: {name}")
    zoo.describe(name)  # an unknown name ends here, with the nearest
    place = f"runs/{name}/preset" if preset is None else preset
    found = _folder(place, "--preset")
    if found is not None:
        return found
    start_tensorflow()
    hub = zoo.get(name).hub
    if preset is not None or not hub:
        raise ValueError(
            f"There is no preset in {place}. Train one first: {training(name)}"
        )
    return hub


def _folder(value, argument):
    """The path of a folder that exists, or `None`; it costs no TensorFlow import."""
    if not value:
        raise ValueError(f"`{argument}` must be a path. Received: {value!r}")
    path = pathlib.Path(os.path.expanduser(value))
    return path if path.is_dir() else None


def open_model(place, name, verb, int8=False):
    """The model in a place, if a verb fits it.

    Args:
        place: what `locate` returned.
        name: str, what a person calls it.
        verb: str.
        int8: bool. Whether its weights are made 8-bit integers.

    Returns:
        `Task`.

    Raises:
        ValueError: if the verb does not fit, one line that says which do; or if the
            model has nothing to be made 8-bit integers.
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
    if verb != "sample" and model.tokenizer is None:
        raise ValueError(f"{name} must have a tokenizer to {verb}. Received none")
    if int8:
        from keras_genai.layers.quantized import quantize

        quantize(model)
    return model


def verbs(model):
    """The verbs that fit a model, as a list of str."""
    from keras_genai.tasks.answering import QuestionAnswering
    from keras_genai.tasks.encoder import SequenceClassifier
    from keras_genai.tasks.seq2seq import Seq2SeqLM

    asked = {
        "sample": True,
        "chat": hasattr(model, "turns"),
        "translate": isinstance(model, Seq2SeqLM),
        "summarize": isinstance(model, Seq2SeqLM),
        "classify": isinstance(model, SequenceClassifier),
        "answer": isinstance(model, QuestionAnswering),
    }
    return [verb for verb, fits in asked.items() if fits]
