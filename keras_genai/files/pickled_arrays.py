"""Arrays of arrays in a .npz file, which are pickles, without running what they say."""

import io
import pickle
import re
import zipfile

import numpy as np

from keras_genai.files.paths import AnyPath
from keras_genai.files.text import read_bytes

LARGEST_FILE = 2**26  # bytes; its members together may unpack to as many
# All that a pickle of arrays names, before and since NumPy 2.
_MODULES = ("numpy", "numpy.core.multiarray", "numpy._core.multiarray")
_NUMBERS = re.compile("[biu][1248]|f[248]")


def read_array_lists(path: AnyPath) -> dict[str, list[np.ndarray]]:
    """The arrays of every member of a file that `numpy.savez` made of object arrays.

    `numpy.load` would run whatever a pickle asks for; this makes arrays of numbers
    alone, and NumPy itself sees of a pickle only their bytes.

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
            members = archive.infolist()
            size = sum(member.file_size for member in members)
            if size > LARGEST_FILE:
                raise ValueError(f"members of {size:,} bytes")
            return {
                member.filename.removesuffix(".npy"): _arrays(archive, member)
                for member in members
            }
    except Exception as error:  # of a damaged pickle there are all kinds
        raise ValueError(
            f"{path} must be a .npz file of lists of arrays. "
            f"Received: {type(error).__name__}: {error}"
        ) from None


def _arrays(archive, member):
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        if version[0] == 1:
            np.lib.format.read_array_header_1_0(file)
        else:
            np.lib.format.read_array_header_2_0(file)
        found = _Arrays(file, encoding="latin1").load()
    rows = found.content if isinstance(found, _Array) else None
    if not isinstance(rows, list) or not all(isinstance(row, _Array) for row in rows):
        raise ValueError(f"{member.filename} has what is no array")
    return [row.numbers() for row in rows]


class _Type:
    """What a pickle says of a dtype. A real one could be told to hold pointers."""

    def __init__(self, code, *_):
        self.code, self.order = code, "="

    def __setstate__(self, state):
        self.order = state[1]

    def dtype(self):
        if not _NUMBERS.fullmatch(self.code) or self.order not in "<>|=":
            raise ValueError(f"numbers of the kind {self.code!r}")
        return np.dtype(self.code).newbyteorder(self.order)


class _Array:
    """What a pickle says of an array, before it is one.

    Attributes:
        content: bytes of numbers, or list of what an array of objects holds.
    """

    content = None

    def __init__(self, *_):
        pass

    def __setstate__(self, state):
        _, self.shape, self.type, self.is_fortran, self.content = state
        if isinstance(self.content, str):  # as Python 2 wrote bytes
            self.content = self.content.encode("latin1")

    def numbers(self):
        if not isinstance(self.content, bytes):
            raise ValueError("what is no array of numbers")
        flat = np.frombuffer(self.content, self.type.dtype())
        return flat.reshape(self.shape, order="F" if self.is_fortran else "C").copy()


class _Arrays(pickle.Unpickler):
    """Makes arrays, and nothing else that a pickle may ask for."""

    known = {"_reconstruct": _Array, "ndarray": _Array, "dtype": _Type}

    def find_class(self, module, name):
        if module not in _MODULES or name not in self.known:
            raise ValueError(f"a pickle that asks for {module}.{name}")
        return self.known[name]
