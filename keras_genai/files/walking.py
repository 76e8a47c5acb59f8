"""The files of a folder and of those in it."""

import os
import pathlib

from keras_genai.files.paths import AnyPath


def files_below(folder: AnyPath) -> list[pathlib.Path]:
    """All files below a folder, sorted by path.

    Links to files and folders are followed, round in circles excepted. What is hidden
    (its name begins with a dot) and Python's caches are left out.

    Args:
        folder: str or path.

    Returns:
        list of `pathlib.Path`: of everything that is no folder, FIFOs and broken links
        too, which `read_bytes` refuses by name.
    """
    found = []
    for root, inner, names in os.walk(folder, followlinks=True):
        if _in_circles(pathlib.Path(root)):
            inner.clear()
            continue
        inner[:] = [name for name in inner if not name.startswith((".", "__pyc"))]
        found += [
            pathlib.Path(root, name) for name in names if not name.startswith(".")
        ]
    return sorted(found, key=lambda path: path.relative_to(folder).parts)


def _in_circles(folder):
    """Whether a folder is one of those that it lies in."""
    return folder.is_symlink() and folder.resolve() in [
        parent.resolve() for parent in folder.parents
    ]
