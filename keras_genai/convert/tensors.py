"""Tensors of model.safetensors, or of its shards, by name."""

import pathlib

from keras_genai.files.shards import INDEX, WEIGHTS, read
from keras_genai.tasks.presets import PresetError, as_preset_error

PICKLES = ("pytorch_model.bin", "pytorch_model.bin.index.json", "tf_model.h5")
_FLOATS = ("F32", "F16", "BF16")


class Tensors:
    """All tensors of a checkpoint folder, by name; numbers are read when asked for.

    Args:
        folder: path with model.safetensors, or with model.safetensors.index.json and
            the shards that it names.

    Raises:
        PresetError: if a file is missing, truncated, longer than its header says, or
            not safetensors; if tensors overlap or leave holes; or if the index and
            the shards do not agree.
    """

    def __init__(self, folder):
        folder = pathlib.Path(folder)
        if not any((folder / name).is_file() for name in (WEIGHTS, INDEX)):
            pickles = [name for name in PICKLES if (folder / name).exists()]
            hint = f"; {pickles[0]} is not read, it may run code" if pickles else ""
            raise PresetError(f"{folder} has no {WEIGHTS}{hint}")
        with as_preset_error():
            self._tensors = read(folder)

    @property
    def shapes(self):
        """Dict of every tensor's name to its shape."""
        return {name: tensor.shape for name, tensor in self._tensors.items()}

    def read(self, name, dtype="float32"):
        """The numbers of one tensor.

        Args:
            name: str.
            dtype: str, of what they are for. For `"bfloat16"`, such numbers stay as
                they are.

        Returns:
            float32 array, or one of bfloat16.

        Raises:
            PresetError: if it does not hold floats of 16 or 32 bits, or if one of them
                is not finite.
        """
        tensor = self._tensors[name]
        if tensor.dtype not in _FLOATS:
            raise PresetError(
                f"{tensor.path}: {name} must be one of {', '.join(_FLOATS)}. "
                f"Received: {tensor.dtype}"
            )
        with as_preset_error():
            array = tensor.read()
        if tensor.dtype == "BF16":
            if dtype == "bfloat16":
                return array
            # The upper half of a float32.
            array = (array.view("<u2").astype("<u4") << 16).view("<f4")
        return array.astype("float32", copy=False)
