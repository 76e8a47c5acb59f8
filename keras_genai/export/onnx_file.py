"""ONNX: one function of a model, in the file that ONNX Runtime reads."""

import contextlib
import logging
import os
import warnings

import keras

from keras_genai.export.catalogue import everything
from keras_genai.export.comparing import ExportError, compare
from keras_genai.export.extras import need
from keras_genai.export.files import file_at, write_tokenizer
from keras_genai.export.forward import FORWARD
from keras_genai.files.writing import replacing


class Function(keras.Model):
    """An endpoint as a model, which is what Keras exports.

    Args:
        model: `Task`, which has the weights.
        endpoint: `Endpoint`.
    """

    def __init__(self, model, endpoint, **kwargs):
        super().__init__(name=model.name, **kwargs)
        self.model, self.endpoint = model, endpoint
        self.built = True

    def call(self, inputs):
        return self.endpoint.function(inputs)


def write(model, path, endpoint=FORWARD):
    """Writes a file, loads it, and compares.

    Args:
        model: `Task`.
        path: path of the file, which ends with .onnx.
        endpoint: str, which function. Those that draw are none of ONNX's.

    Returns:
        `(path, lines)`: `pathlib.Path`, and a tuple of str.

    Raises:
        ExportError: if it cannot be converted, or says something else.
        ImportError: without the packages `onnx`, `onnxruntime` and `tf2onnx`.
    """
    target = file_at(path, ".onnx")
    need("onnx", "export")
    need("tf2onnx", "export")
    runtime = need("onnxruntime", "export")
    found = {each.name: each for each in everything(model, draws=False)[0]}
    if endpoint not in found:
        raise ValueError(
            f"`endpoint` must be one of {', '.join(found)} of a "
            f"{type(model).__name__} in ONNX. Received: {endpoint!r}"
        )
    chosen = found[endpoint]
    with replacing(target) as temporary:
        said = _convert(model, chosen, temporary)
        compare(chosen, _ask(runtime, chosen, temporary, said), "ONNX Runtime")
    return target, (str(chosen), *write_tokenizer(model, target))


def _convert(model, endpoint, path):
    """Writes the file; returns what tf2onnx complained of, which raises nothing."""
    specs = {
        name: keras.InputSpec(spec.dtype.name, shape=spec.shape, name=name)
        for name, spec in endpoint.specs.items()
    }
    said = []
    # Keras asks NumPy for a name that it has no more.
    with _listening(said), warnings.catch_warnings(action="ignore"):
        try:
            function = Function(model, endpoint)
            keras.Model.export(function, str(path), "onnx", False, [specs])
        except Exception as error:  # of many kinds, from two libraries
            raise ExportError(_refusal(endpoint, [*said, str(error)])) from None
    if not path.exists():
        raise ExportError(_refusal(endpoint, said))
    return said


def _ask(runtime, endpoint, path, said):
    """dict of arrays: what the file says to the small call."""
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    try:
        session = runtime.InferenceSession(
            os.fspath(path), options, providers=["CPUExecutionProvider"]
        )
        names = [each.name for each in session.get_inputs()]
        inputs = {name: endpoint.example[_known(name, endpoint)] for name in names}
        outputs = session.run(None, inputs)
    except Exception as error:  # the runtime's own kinds
        raise ExportError(_refusal(endpoint, [*said, str(error)])) from None
    return _by_name(endpoint, [each.name for each in session.get_outputs()], outputs)


def _known(name, endpoint):
    """The argument that an input of the file is."""
    return next(
        each
        for each in sorted(endpoint.specs, key=len, reverse=True)
        if name.split(":")[0].endswith(each)
    )


def _by_name(endpoint, names, outputs):
    return dict(zip(names, outputs, strict=True))


def _refusal(endpoint, said):
    reason = " ".join(" ".join(said).split())[:300]
    return f"`{endpoint.name}` cannot become ONNX: {reason or 'nothing was written'}"


@contextlib.contextmanager
def _listening(said):
    """Context in which errors that tf2onnx logs are put into a list instead."""

    class Listener(logging.Handler):
        def emit(self, record):
            if record.levelno >= logging.ERROR:
                said.append(record.getMessage())

    log = logging.getLogger("tf2onnx")
    before = log.propagate, log.level
    listener = Listener()
    log.addHandler(listener)
    log.propagate = False
    log.setLevel(logging.ERROR)
    try:
        yield
    finally:
        log.removeHandler(listener)
        log.propagate, _ = before
        log.setLevel(before[1])
