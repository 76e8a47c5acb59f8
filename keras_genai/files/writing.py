"""The one way to write a file: as a whole or not at all, also after a power loss.

Records come to the end of a file, which loses the last of them at most.
"""

import contextlib
import hashlib
import os
import pathlib
from collections.abc import Iterator

from keras_genai.files.paths import AnyPath, as_path

UNFINISHED = ".writing-"


@contextlib.contextmanager
def replacing(path: AnyPath) -> Iterator[pathlib.Path]:
    """A path to write to; the file takes the place of `path` when all went well.

    Args:
        path: str or path. Its folder must exist.

    Yields:
        `pathlib.Path` beside it, whose name begins with `UNFINISHED`.

    Raises:
        ValueError: if a folder, a device or a FIFO is at `path`: it would be lost.
    """
    path = as_path(path)
    if path.exists() and not path.is_file():
        raise ValueError(f"{path} must be a regular file, or not be there yet")
    temporary = path.with_name(f"{UNFINISHED}{path.name}")
    try:
        yield temporary
        sync_file(temporary)
        os.replace(temporary, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(path)  # a full disk does not say of which file
        raise
    sync_folder(path.parent)


def write_bytes(path: AnyPath, content: bytes) -> None:
    """Replaces the file at `path` as a whole, or leaves it as it was."""
    with replacing(path) as temporary, open(temporary, "wb") as file:
        file.write(content)


def write_text(path: AnyPath, text: str) -> None:
    r"""Replaces the file at `path` as a whole by UTF-8 text, `\n` as it is."""
    write_bytes(path, text.encode("utf-8"))


def append_bytes(path: AnyPath, content: bytes) -> None:
    """Adds to the end of a file; all of it is on the disk afterwards."""
    with open(path, "ab") as file:
        file.write(content)
    sync_file(path)


def sync_file(path: AnyPath) -> None:
    """Brings what was written into a file to the disk."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def sync_folder(path: AnyPath) -> None:
    """Makes renames inside `path` survive a power loss."""
    if os.name == "nt":  # folders cannot be opened there
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def file_hash(path: AnyPath) -> str:
    """The sha256 of a file's content, as hexadecimal str."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def text_hash(text: str) -> str:
    """The sha256 of a str in UTF-8, as hexadecimal str."""
    return hashlib.sha256(text.encode()).hexdigest()
