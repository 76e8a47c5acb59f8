"""The one way to read text: UTF-8, with or without a byte-order mark."""

import os
import stat
from typing import BinaryIO

from keras_genai.files.paths import AnyPath, as_path


def read_text(path: AnyPath, limit: int | None = None) -> str:
    r"""The text of a file, every kind of line end as `\n`.

    Args:
        path: str or path of a regular file, UTF-8 with or without byte-order mark.
        limit: int or `None`. The most bytes that are read.

    Returns:
        str.

    Raises:
        OSError: if the file does not exist or cannot be read.
        ValueError: if it is no regular file (a FIFO would block for ever), larger than
            `limit`, or not UTF-8; the message names it.
    """
    return decode(read_bytes(path, limit), path)


def read_bytes(path: AnyPath, limit: int | None = None) -> bytes:
    """The content of a regular file; errors as `read_text`."""
    with open_regular(path) as file:
        size = os.fstat(file.fileno()).st_size
        if limit is not None and size > limit:
            raise ValueError(
                f"{path} must be of at most {limit:,} bytes. Received: {size:,}"
            )
        return file.read()


def open_regular(path: AnyPath) -> BinaryIO:
    """A regular file, opened to read bytes; errors as `read_text`."""
    path = as_path(path)
    # Not to block: a FIFO is opened at once, and refused below.
    descriptor = os.open(
        path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    )
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise ValueError(f"{path} must be a regular file")
    return open(descriptor, "rb")


def decode(content: bytes, name: AnyPath) -> str:
    """The text of UTF-8 bytes as `read_text` gives it; `name` is for errors."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{name} must be UTF-8 text. Received: byte {content[error.start]:#04x} at "
            f"{error.start:,}"
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def lines(text: str) -> list[str]:
    r"""The lines of a text: cut at `\n` alone, without an empty last one.

    `str.splitlines` would also cut at U+2028, U+0085, form feeds and their like, which
    are part of a line to every other program.
    """
    found = text.split("\n")
    return found[:-1] if found[-1] == "" else found
