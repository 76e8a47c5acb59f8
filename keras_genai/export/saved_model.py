"""A SavedModel: all that a model does, in a process without this library."""

import contextlib
import json
import pathlib
import tempfile

import keras
import numpy as np
import tensorflow as tf

from keras_genai.export.catalogue import everything
from keras_genai.export.comparing import ExportError, compare
from keras_genai.files.paths import as_path
from keras_genai.files.writing import write_text

GRAPH = "saved_model.pb"
TOKENIZER, FACTS = "tokenizer.json", "export.json"
OWN = {GRAPH, TOKENIZER, FACTS, "fingerprint.pb", "variables", "assets"}


def write(model, path, steps=30):
    """Writes a folder, loads it, and compares.

    Args:
        model: `Task`.
        path: path of the folder. One that an export wrote is replaced.
        steps: int, of a `Diffusion`.

    Returns:
        `(path, lines)`: `pathlib.Path`, and a tuple of str: what can be called, and
        what was left out.

    Raises:
        ExportError: if what is loaded says something else; nothing is left then.
        ValueError: if something else is at `path`.
    """
    target = _checked(path)
    endpoints, notes = everything(model, steps)
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent, prefix=".export-") as parent:
        scratch = pathlib.Path(parent) / "it"
        _save(model, endpoints, scratch)
        _check(endpoints, scratch)
        if model.tokenizer is not None:
            write_text(scratch / TOKENIZER, model.tokenizer.core.to_str(pretty=True))
        write_text(scratch / FACTS, json.dumps(_facts(model, endpoints), indent=1))
        _replace(target, scratch, scratch.with_name("before"))
    return target, (*map(str, endpoints), *notes)


def _replace(target, scratch, before):
    """Puts a folder in the place of an earlier one, which else stays as it was."""
    if target.exists():
        target.rename(before)  # which goes with the folder that it is in
    try:
        scratch.rename(target)
    except BaseException:
        if before.exists():
            before.rename(target)
        raise


def _save(model, endpoints, folder):
    """Writes the graphs and the weights."""
    archive = keras.export.ExportArchive()
    archive.track(model)
    for endpoint in endpoints:
        try:
            archive.add_endpoint(endpoint.name, endpoint.called, endpoint.signature)
        except Exception as error:  # whatever a graph cannot hold
            reason = " ".join(str(error).split())[:300]
            raise ExportError(
                f"`{endpoint.name}` of a {type(model).__name__} cannot become a graph: "
                f"{type(error).__name__}: {reason}"
            ) from error
    archive.write_out(str(folder), verbose=False)


def _check(endpoints, folder):
    loaded = tf.saved_model.load(str(folder))  # holds the weights
    for endpoint in endpoints:
        compare(endpoint, ask(loaded, endpoint), "TensorFlow")


def ask(loaded, endpoint):
    """dict of arrays: what a loaded SavedModel says to the small call."""
    tensors = {key: tf.constant(value) for key, value in endpoint.example.items()}
    found = loaded.signatures[endpoint.name](**tensors)
    return {key: np.asarray(value) for key, value in found.items()}


def _facts(model, endpoints):
    """dict of JSON: what there is to call, for people without this library."""
    tokenizer = model.tokenizer
    facts = {
        "model": type(model).__name__,
        "endpoints": {
            each.name: {
                "inputs": {
                    name: {"dtype": spec.dtype.name, "shape": spec.shape.as_list()}
                    for name, spec in each.specs.items()
                },
                "xla": each.compiled,
            }
            for each in endpoints
        },
    }
    if tokenizer is not None:
        roles = ("pad_token", "start_token", "end_token", "unknown_token")
        facts["tokens"] = {role: getattr(tokenizer, role) for role in roles}
    return facts


def _checked(path):
    """The folder to write, if nothing would be lost."""
    target = as_path(path, "path").resolve()
    if not target.exists():
        return target
    names = {each.name for each in target.iterdir()} if target.is_dir() else {target}
    if names and not (GRAPH in names and names <= OWN):
        raise ValueError(
            "`path` must be a folder that is not there yet, that is empty, or that "
            f"holds an earlier export and nothing else. Received: {path}"
        )
    return target


@contextlib.contextmanager
def temporary(model, endpoints):
    """Context with the path of a SavedModel that is gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="keras_genai-") as parent:
        folder = pathlib.Path(parent) / "it"
        _save(model, endpoints, folder)
        yield folder
