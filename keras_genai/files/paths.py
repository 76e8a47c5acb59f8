"""The one way from what a user calls a file or folder to a path."""

import os
import pathlib

# What may be given as a path; of a str, `~` is the user's own folder.
AnyPath = str | os.PathLike[str]


def as_path(value: AnyPath, argument: str = "path") -> pathlib.Path:
    """A path, with `~` as the user's own folder.

    Args:
        value: str or path.
        argument: str, what errors call it.

    Returns:
        `pathlib.Path`.

    Raises:
        ValueError: if `value` is not a path, is empty, or is `~` of nobody.
    """
    if not isinstance(value, str | os.PathLike) or not os.fspath(value):
        raise ValueError(f"`{argument}` must be a path. Received: {value!r}")
    text = os.fspath(value)
    if isinstance(text, bytes) or "\0" in text:
        raise ValueError(
            f"`{argument}` must be a path of text without NUL. Received: {value!r}"
        )
    try:
        return pathlib.Path(text).expanduser()
    except RuntimeError:  # ~name of an unknown user
        raise ValueError(
            f"`{argument}` must be a path. Received: {value!r}, and there is no such "
            "user"
        ) from None


def folders(data_dir: AnyPath | None, name: str) -> list[pathlib.Path]:
    """Where a data set's own files may lie: in `data_dir`, or in its folder `name`.

    Args:
        data_dir: str, path or `None`.
        name: str.

    Returns:
        list of `pathlib.Path`, empty for `None`.
    """
    if data_dir is None:
        return []
    place = as_path(data_dir, "data_dir")
    return [place, place / name]
