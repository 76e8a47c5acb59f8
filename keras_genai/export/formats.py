"""`export`: a model in the format that another program reads."""

import dataclasses
import importlib
import pathlib

from keras_genai.checks import check_integer, check_one_of

# The module that writes each, and what may be asked of it.
FORMATS = {
    "savedmodel": ("saved_model", {"steps"}),
    "litert": ("litert", set()),
    "onnx": ("onnx_file", {"endpoint"}),
    "gguf": ("gguf_file", {"dtype"}),
}


@dataclasses.dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        path: `pathlib.Path`.
        lines: tuple of str: what can be called, and what was left out.
    """

    path: pathlib.Path
    lines: tuple


def export(model, path, format="savedmodel", **options):
    """Writes a model as a file or a folder that runs without this library.

    It is loaded by what reads such files, and compared with the model, before success
    is reported; of GGUF the tensors and the tokenizer are read again.

    Args:
        model: `Task`.
        path: path, of a folder for `"savedmodel"`, else of a file.
        format: str. `"savedmodel"`, `"litert"`, `"onnx"` or `"gguf"`.
        **options: `steps`, int, of a `Diffusion` in a SavedModel (30); `endpoint`, str,
            of ONNX (`"serving_default"`); `dtype` of GGUF: `"f32"`, `"f16"` or
            `"q8_0"` (`"f32"`).

    Returns:
        `Exported`.

    Raises:
        ExportError: if this model cannot be exported so, or if the file says something
            else than the model; nothing is left then.
        ValueError: if an argument is not allowed.
        ImportError: if a package that it needs is not installed.
    """
    check_one_of("format", format, [*FORMATS])
    module, known = FORMATS[format]
    options = {name: value for name, value in options.items() if value is not None}
    for name, value in options.items():
        if name not in known:
            allowed = ", ".join(sorted(known)) or "nothing more"
            raise ValueError(
                f"`{name}` must be left out of {format!r}, which takes {allowed}. "
                f"Received: {name}={value!r}"
            )
    if "steps" in options:
        check_integer("steps", options["steps"], 1)
    write = importlib.import_module(f"keras_genai.export.{module}").write
    return Exported(*write(model, path, **options))
