"""What lies in a folder that somebody else filled."""

import os
import pathlib

from keras_genai.files.paths import AnyPath, as_path


def find_file(folder: AnyPath, name: str) -> pathlib.Path | None:
    """A file of a folder, if it is there.

    Args:
        folder: str or path.
        name: str.

    Returns:
        `pathlib.Path`, or `None` if there is nothing of this name.

    Raises:
        ValueError: if there is something else of this name, as a folder, a FIFO, or a
            link to nowhere. It would be wrong to go on as if there were nothing.
    """
    path = as_path(folder, "folder") / name
    if not os.path.lexists(path):
        return None
    if not path.is_file():
        raise ValueError(f"{path} must be a regular file")
    return path
