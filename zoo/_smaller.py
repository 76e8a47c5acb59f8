"""A preset written again with the same model in fewer bytes."""

import collections
import math
import shutil

import ml_dtypes
from safetensors.numpy import save_file

from keras_genai.files import int8, shards
from keras_genai.tasks import manifests, presets


def write(preset, folder, dtype, card):
    """Writes a preset whose weights are stored in another dtype.

    The model that is opened is of the dtype that it had: fewer bits only save room in
    the file. Integers, and tables such as counts, stay as they are.

    Args:
        preset: path of a preset.
        folder: path of an empty folder.
        dtype: str: `"float32"` changes nothing; `"bfloat16"` rounds floats; `"int8"`
            makes integers of large matrices and kernels, as `keras_genai.files.int8`
            says, and rounds the other floats to bfloat16.
        card: str, the text of README.md.

    Raises:
        ValueError: if a file of `preset` is damaged.
    """
    sums = manifests.read_manifest(preset)
    manifests.check(preset, sums, sums.keys() - {manifests.CARD})
    for name in sums.keys() - {manifests.CARD}:
        if not shards.is_file_of(name):
            shutil.copyfile(preset / name, folder / name)
    save_file(_arrays(preset, dtype), folder / shards.WEIGHTS)
    manifests.seal(folder, card)


def main_dtype(folder):
    """The dtype, as NumPy calls it, that most bytes of a preset's tensors are of."""
    sizes = collections.Counter()
    for tensor in shards.read(folder).values():
        dtype = tensor.numpy_dtype
        sizes[dtype.name] += dtype.itemsize * math.prod(tensor.shape)
    return sizes.most_common(1)[0][0]


def _arrays(preset, dtype):
    tables = presets.read_json(preset / manifests.CONFIG).get("tables", [])
    arrays = {}
    for name, tensor in int8.joined(shards.read(preset)).items():
        array = tensor.read()
        is_float = array.dtype.name in ("float32", "bfloat16")
        kept = dtype == "float32" or name in tables or not is_float
        arrays.update({name: array} if kept else _rounded(name, array, dtype))
    return arrays


def _rounded(name, array, dtype):
    if dtype == "int8" and int8.is_worth_it(array.shape):
        return int8.split(name, array)
    return {name: array.astype(ml_dtypes.bfloat16)}
