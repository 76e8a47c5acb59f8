"""The files of a checkpoint, read with suspicion, whoever wrote them.

Sizes are compared with the model's before memory is taken, and no value is used before
all of them were looked at.
"""

import contextlib
import hashlib
import json
import math
import zipfile
from typing import Any

import keras
import numpy as np
import pydantic
import tensorflow as tf

from keras_genai.files.text import open_regular, read_text
from keras_genai.files.writing import text_hash

ARRAYS, MANIFEST, LOG = "state.npz", "manifest.json", "log.jsonl"
LARGEST_MANIFEST = 64 * 2**20  # bytes; one of 100,000 variables takes 15 MB
NPY = b"\x93NUMPY\x01\x00"  # begins every array that NumPy writes
LONGEST_REASON = 300  # characters; a manifest may hold texts of any length


class DamagedError(Exception):
    """A checkpoint folder that must not be used; the message says why, in one line."""

    def __init__(self, reason):
        text = " ".join(str(reason).split())
        super().__init__(text[:LONGEST_REASON])


class Manifest(pydantic.BaseModel):
    """The schema of a manifest's content."""

    model_config = pydantic.ConfigDict(extra="forbid", strict=True)

    arrays: dict[str, tuple[str, list[int], str]]  # path, shape, dtype
    sha256: str
    log_sha256: str | None = None
    identity: str
    environment: dict[str, Any]
    extra: dict[str, Any]


def read_manifest(folder):
    """The `Manifest` of a checkpoint folder.

    Raises:
        DamagedError: if it is missing, changed, or not as a `Manifest` is.
    """
    try:
        whole = json.loads(read_text(folder / MANIFEST, LARGEST_MANIFEST))
        text = json.dumps(whole["content"], sort_keys=True)
        if text_hash(text) != whole["sha256"]:
            raise DamagedError(f"sha256 of {MANIFEST} differs")
        return Manifest.model_validate_json(text)
    except OSError as error:
        raise DamagedError(f"{MANIFEST}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise DamagedError(f"{MANIFEST} is not readable") from None


def read(folder, variables):
    """What a checkpoint holds, all of it checked; assigns nothing.

    Args:
        folder: path.
        variables: dict of `keras.Variable` that the arrays are meant for.

    Returns:
        dict of arrays, one for each variable; the bytes of the log or `None`; and the
        `Manifest`.

    Raises:
        DamagedError: if a checksum, name, shape or dtype differs, or if a value that
            has to be finite is not.
    """
    manifest = read_manifest(folder)
    expected = _expected(manifest, variables)
    with _opened(folder / ARRAYS, manifest.sha256) as file:
        arrays = _read_arrays(file, expected)
    bad = not_finite(arrays)
    if bad is not None:
        raise DamagedError(f"`{variables[bad].path}` is not finite")
    log = None
    if manifest.log_sha256 is not None:
        with _opened(folder / LOG, manifest.log_sha256) as file:
            log = file.read()
    return arrays, log, manifest


@contextlib.contextmanager
def _opened(path, sha256):
    """A file of the right checksum; what goes wrong inside is a `DamagedError`."""
    try:
        with open_regular(path) as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != sha256:
                raise DamagedError(f"sha256 of {path.name} differs")
            file.seek(0)
            yield file
    except OSError as error:
        raise DamagedError(f"{path.name}: {error.strerror or error}") from None
    except (ValueError, KeyError, EOFError, RuntimeError, zipfile.BadZipFile):
        raise DamagedError(f"{path.name} is not readable") from None


def not_finite(arrays):
    """The key of the first weight or slot with NaN or infinities, or `None`."""
    for key, array in arrays.items():
        if key.startswith("metric.") or "float" not in array.dtype.name:
            continue
        if not np.isfinite(array).all():
            return key
    return None


def remove(folder):
    """Removes a checkpoint folder, but nothing that someone else put into it.

    A symbolic link is removed itself; what it leads to is not ours.
    """
    if folder.is_symlink():
        folder.unlink()
        return
    if not folder.exists():
        return
    for name in (ARRAYS, MANIFEST, LOG):
        with contextlib.suppress(IsADirectoryError, PermissionError):
            (folder / name).unlink(missing_ok=True)
    if not any(folder.iterdir()):
        folder.rmdir()


def _expected(manifest, variables):
    """Shape and dtype of every array: the model's, which the manifest must repeat."""
    stored = manifest.arrays
    if stored.keys() != variables.keys():
        raise DamagedError(
            f"it holds {len(stored)} variables of another kind, the "
            f"model has {len(variables)}"
        )
    expected = {}
    for key, variable in variables.items():
        _, shape, dtype = stored[key]
        here = (tuple(variable.shape), keras.backend.standardize_dtype(variable.dtype))
        if (tuple(shape), dtype) != here:
            raise DamagedError(
                f"`{variable.path}` is {dtype[:20]} {tuple(shape)} there and {here[1]} "
                f"{here[0]} here"
            )
        expected[key] = (here[0], np.dtype(tf.as_dtype(here[1]).as_numpy_dtype))
    return expected


def _read_arrays(file, expected):
    with zipfile.ZipFile(file) as archive:
        if sorted(archive.namelist()) != sorted(f"{key}.npy" for key in expected):
            raise DamagedError(f"{ARRAYS} and {MANIFEST} name different arrays")
        return {key: _read_array(archive, key, *kind) for key, kind in expected.items()}


def _read_array(archive, key, shape, dtype):
    """One array, of the one size that is expected: nothing else is unpacked."""
    disk = on_disk(dtype)
    size = math.prod(shape) * disk.itemsize
    entry = archive.getinfo(f"{key}.npy")
    kind = {"descr": disk.str, "fortran_order": False, "shape": shape}
    header = f"{{{''.join(f'{name!r}: {value!r}, ' for name, value in kind.items())}}}"
    with archive.open(entry) as file:
        begin = file.read(len(NPY) + 2)
        length = int.from_bytes(begin[len(NPY) :], "little")
        if begin[: len(NPY)] != NPY or file.read(length).decode().strip() != header:
            raise DamagedError(f"an array of {ARRAYS} is of another shape or dtype")
        room = entry.file_size - len(begin) - length
        if room != size or entry.compress_type != zipfile.ZIP_STORED:
            raise DamagedError(f"an array of {ARRAYS} is of another size")
        content = file.read(size)
    return np.frombuffer(content, disk).reshape(shape).view(dtype)


def on_disk(dtype):
    """The dtype an array is stored in: npz knows no bfloat16 or float8."""
    return np.dtype(f"u{dtype.itemsize}") if dtype.kind == "V" else dtype
