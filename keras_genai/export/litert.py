"""LiteRT: a file for phones and browsers, of operations that every runtime has."""

import contextlib
import os
import re
import sys

import numpy as np
import tensorflow as tf

from keras_genai.export import stepping
from keras_genai.export.catalogue import everything
from keras_genai.export.comparing import ExportError, compare, same
from keras_genai.export.extras import need
from keras_genai.export.files import file_at, write_tokenizer
from keras_genai.export.saved_model import temporary
from keras_genai.files.writing import replacing
from keras_genai.tasks.language import CausalLM

CHECKED = 5  # tokens that a step is followed by
LENGTH = 64  # of texts whose length is fixed
FIXED = "one text at a time, padded to {}: no other loops can be written"
ONE = "one text at a time: there are no operations for loops over a batch of any size"


def write(model, path):
    """Writes a file, loads it, and compares.

    Args:
        model: `Task`.
        path: path of the file, which ends with .tflite.

    Returns:
        `(path, lines)`: `pathlib.Path`, and a tuple of str: what can be called, and
        what was left out.

    Raises:
        ExportError: if it cannot be converted, or says something else.
        ImportError: without the package `ai-edge-litert`.
    """
    target = file_at(path, ".tflite")
    runtime = need("ai_edge_litert.interpreter", "export")
    endpoints, notes = everything(model, draws=False)
    if isinstance(model, CausalLM):
        endpoints.append(stepping.step(model))
    with replacing(target) as temporary_file:
        endpoints, more = _attempt(runtime, model, endpoints, temporary_file)
    lines = (*map(str, endpoints), *notes, *more, *write_tokenizer(model, target))
    return target, lines


def _attempt(runtime, model, endpoints, path):
    """Writes what can be written: batches of any size, one row, or known sizes.

    Returns:
        `(endpoints, notes)`: what was written, and how it is less than was asked for.
    """
    length = min(getattr(model, "context", None) or LENGTH, LENGTH)
    attempts = (
        (endpoints, []),
        ([each.fixed() for each in endpoints], [ONE]),
        ([each.fixed(length) for each in endpoints], [FIXED.format(length)]),
    )
    first = None
    for chosen, notes in attempts:
        try:
            path.write_bytes(_converted(model, chosen))
            _check(runtime, model, chosen, path)
        except ExportError as error:
            first = first or error
        else:
            return chosen, notes
    raise first


def _converted(model, endpoints):
    """bytes of the file."""
    names = [endpoint.name for endpoint in endpoints]
    with temporary(model, endpoints) as folder:
        converter = tf.lite.TFLiteConverter.from_saved_model(
            str(folder), signature_keys=names
        )
        converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
        try:
            with _silence():
                return converter.convert()
        except Exception as error:  # of several kinds, pages long
            raise ExportError(
                f"LiteRT has no operations for this {type(model).__name__}: "
                f"{_reason(error)}"
            ) from None


def _reason(error):
    """What of an error of the converter names an operation, in a line."""
    text = " ".join(str(error).split())
    found = re.search(r"error: ('tf\.\w+' op [^:]{,150})", text)
    return found[1] if found else text[:300] or type(error).__name__


@contextlib.contextmanager
def _silence():
    """Context in which pages about each attempt, of libraries in C++, go nowhere."""
    sys.stderr.flush()
    kept, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def _check(runtime, model, endpoints, path):
    interpreter = runtime.Interpreter(model_path=str(path))
    for endpoint in endpoints:
        run = interpreter.get_signature_runner(endpoint.name)
        try:
            found = run(**endpoint.example)
        except Exception as error:  # what the runtime lacks
            raise ExportError(
                f"`{endpoint.name}` does not run in LiteRT: {_reason(error)}"
            ) from None
        compare(endpoint, found, "LiteRT")
        if endpoint.name == "step":
            _check_steps(model, endpoint, run)


def _check_steps(model, endpoint, run):
    """Raises unless steps say what the model says of the whole text."""
    size = min(CHECKED, model.context or CHECKED)
    tokens = np.random.default_rng(0).integers(0, model.vocabulary_size, size)
    wanted = np.asarray(model(tokens[None].astype("int32")))[0]
    steps = stepping.follow(endpoint, lambda said: run(**said), tokens)
    for place, logits in enumerate(steps):
        if not same(logits, wanted[place]):
            raise ExportError(
                f"`step` says something else in LiteRT than the model: of token {place}"
            )
