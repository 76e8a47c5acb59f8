"""Arrays of arrays in a .npz file, which are pickles, without running what they say."""

import io
import pickle
import zipfile

import numpy as np

from keras_genai.files.paths import AnyPath
from keras_genai.files.text import read_bytes

LARGEST_FILE = 2**26  # bytes; a member may unpack to as many
# All that a pickle of arrays names, before and since NumPy 2.
_MODULES = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray")
_NAMES = ("ndarray", "dtype", "_reconstruct")


def read_array_lists(path: AnyPath) -> dict[str, list[np.ndarray]]:
    """The arrays of every member of a file that `numpy.savez` made of object arrays.

    `numpy.load` would run whatever a pickle asks for; this makes arrays alone.

    Args:
        path: path of a `.npz` file.

    Returns:
        dict of list of arrays, by the names of the members.

    Raises:
        OSError: if the file cannot be read.
        ValueError: if it is no such file, or larger than 64 MiB, or asks for anything
            else.
    """
    content = read_bytes(path, LARGEST_FILE)
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            return {
                member.filename.removesuffix(".npy"): _arrays(archive, member)
                for member in archive.infolist()
            }
    except Exception as error:  # of a damaged pickle there are all kinds
        raise ValueError(
            f"{path} must be a .npz file of lists of arrays. "
            f"Received: {type(error).__name__}: {error}"
        ) from None


def _arrays(archive, member):
    if member.file_size > LARGEST_FILE:
        raise ValueError(f"{member.filename} of {member.file_size:,} bytes")
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version[0] == 1:
            np.lib.format.read_array_header_1_0(file)
        else:
            np.lib.format.read_array_header_2_0(file)
        found = _Arrays(file, encoding="latin1").load()
    arrays = list(np.ravel(found))
    if not all(isinstance(each, np.ndarray) for each in arrays):
        raise ValueError(f"{member.filename} has what is no array")
    return arrays


class _Arrays(pickle.Unpickler):
    """Makes arrays, and nothing else that a pickle may ask for."""

    def find_class(self, module, name):
        if module not in _MODULES or name not in _NAMES:
            raise ValueError(f"a pickle that asks for {module}.{name}")
        return super().find_class(module, name)
