"""A preset written again with the same model in fewer bytes."""

import collections
import contextlib
import math
import pathlib
import shutil
import tempfile

import ml_dtypes
from safetensors.numpy import save_file

from keras_genai import from_preset
from keras_genai.files.tensors import read_header
from keras_genai.layers.quantized import quantize
from keras_genai.tasks import manifests, presets


def write(preset, folder, dtype, card):
    """Writes a preset whose weights are stored in another dtype.

    The model computes in the dtype that it had: bfloat16 only saves room in the file.
    Integers, and tables such as counts, stay as they are.

    Args:
        preset: path of a preset.
        folder: path of an empty folder.
        dtype: str: `"float32"` changes nothing, `"bfloat16"` rounds floats of 32
            bits, `"int8"` makes matrices 8-bit integers for good.
        card: str, the text of README.md.

    Raises:
        ValueError: if a file of `preset` is damaged, or if `dtype` is `"int8"` and
            there is no matrix.
    """
    opened = _quantized(preset) if dtype == "int8" else contextlib.nullcontext(preset)
    with opened as source:
        sums = manifests.read_manifest(source)
        manifests.check(source, sums, sums.keys() - {manifests.CARD})
        for name in sums.keys() - {manifests.CARD, manifests.WEIGHTS}:
            shutil.copyfile(source / name, folder / name)
        save_file(_arrays(source, dtype), folder / manifests.WEIGHTS)
    manifests.seal(folder, card)


def main_dtype(folder):
    """The dtype, as NumPy calls it, that most bytes of a preset's tensors are of."""
    sizes = collections.Counter()
    for tensor in read_header(folder / manifests.WEIGHTS).values():
        dtype = tensor.numpy_dtype
        sizes[dtype.name] += dtype.itemsize * math.prod(tensor.shape)
    return sizes.most_common(1)[0][0]


@contextlib.contextmanager
def _quantized(preset):
    """Context with a folder of the same model, its matrices 8-bit integers."""
    model = from_preset(preset)
    quantize(model)
    with tempfile.TemporaryDirectory() as folder:
        made = pathlib.Path(folder) / "preset"
        model.save_to_preset(made)
        yield made


def _arrays(preset, dtype):
    tables = presets.read_json(preset / manifests.CONFIG).get("tables", [])
    arrays = {}
    for name, tensor in read_header(preset / manifests.WEIGHTS).items():
        arrays[name] = tensor.read()
        if dtype == "bfloat16" and tensor.dtype == "F32" and name not in tables:
            arrays[name] = arrays[name].astype(ml_dtypes.bfloat16)
    return arrays
