"""The one way to replace a folder of files: whole or not at all, also after a crash.

A folder is written beside its place, under a name that begins with `UNFINISHED`, and
moved there when it is complete. What a process that was killed left behind is cleared
away by the next one that writes to the same place; one that is still at work is known
by its lock.
"""

import contextlib
import os
import pathlib
import stat
import tempfile
from collections.abc import Container, Iterator

from keras_genai.files.paths import AnyPath, as_path
from keras_genai.files.writing import sync_file, sync_folder, text_hash

try:
    import fcntl
except ImportError:  # Windows: no locks, so that leftovers stay
    fcntl = None  # type: ignore[assignment]

UNFINISHED = ".preset-"
_OLD = "-old"
# What the safetensors package calls a file that it is writing.
_TEMPORARY = ".tmp"


def real_folder(path: AnyPath, argument: str = "folder") -> pathlib.Path:
    """Where `path` leads, through links: what is written goes there, links stay.

    Args:
        path: str or path; need not exist.
        argument: str, what errors call it.

    Returns:
        absolute `pathlib.Path`, which is no link.

    Raises:
        ValueError: if it is a circle of links, a file, or below a file, or if nobody
            may write there.
    """
    try:
        folder = as_path(path, argument).resolve()
        parents = [folder, *folder.parents]
        there = next(each for each in parents if os.path.lexists(each))
    except (RuntimeError, OSError) as error:
        raise ValueError(f"`{argument}` cannot be written: {error}") from None
    if not there.is_dir():
        raise ValueError(f"`{argument}` must be a folder. {there} is a file")
    if not os.access(there if there != folder else folder.parent, os.W_OK | os.X_OK):
        raise ValueError(f"`{argument}` cannot be written: no permission for {there}")
    return folder


def foreign(folder: pathlib.Path, known: Container[str]) -> list[str]:
    """What is in a folder and is not a plain file of these names, sorted.

    Args:
        folder: `pathlib.Path`.
        known: container of str.

    Returns:
        list of str.
    """
    with os.scandir(folder) as entries:
        return sorted(
            entry.name
            for entry in entries
            if entry.name not in known or not entry.is_file(follow_symlinks=False)
        )


@contextlib.contextmanager
def replacing_folder(
    folder: pathlib.Path, known: Container[str]
) -> Iterator[pathlib.Path]:
    """An empty folder to write into; it takes the place of `folder` when all went well.

    Args:
        folder: `pathlib.Path`, as `real_folder` returns it. If it exists, it holds
            plain files of the names in `known` and nothing else.
        known: container of str: the files that may be removed.

    Yields:
        `pathlib.Path` beside it.

    Raises:
        OSError: if something cannot be written; `folder` is then as it was.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    # A folder's name may be as long as the file system allows, so only its hash.
    prefix = f"{UNFINISHED}{text_hash(folder.name)[:8]}-"
    _clear_leftovers(folder, prefix, known)
    scratch = pathlib.Path(tempfile.mkdtemp(prefix=prefix, dir=folder.parent))
    with _lock(scratch):
        try:
            yield scratch
            for path in scratch.iterdir():
                sync_file(path)
            sync_folder(scratch)
            scratch.chmod(0o755)
            _swap(scratch, folder, known)
        finally:
            _remove(scratch, lambda name: True)


def _swap(scratch, folder, known):
    """Puts `scratch` in the place of `folder`, whose files are then removed."""
    old = scratch.with_name(f"{scratch.name}{_OLD}")
    with _lock(folder):
        inside = folder.exists() and folder.samefile(os.getcwd())
        with contextlib.suppress(FileNotFoundError):
            folder.rename(old)
        try:
            scratch.rename(folder)
        except BaseException:
            if old.exists() and not folder.exists():
                old.rename(folder)
            raise
        if inside:
            os.chdir(folder)
        sync_folder(folder.parent)
        _remove(old, known.__contains__)


def _clear_leftovers(folder, prefix, known):
    """Removes what processes that live no more left of writing to `folder`."""
    for path in sorted(folder.parent.glob(f"{prefix}*")):
        with _lock(path) as is_ours:
            if not is_ours:
                continue
            if path.name.endswith(_OLD) and not folder.exists():
                path.rename(folder)  # it was killed between two renames
            else:
                _remove(path, lambda name: _is_known(name, known))


def _is_known(name, known):
    return name in known or name.startswith(_TEMPORARY)


def _remove(folder, is_known):
    """Removes a folder, unless there is more in it than known plain files."""
    if not folder.is_dir() or folder.is_symlink():
        return
    with contextlib.suppress(OSError):
        paths = list(folder.iterdir())
        if all(is_known(path.name) and _is_plain(path) for path in paths):
            for path in paths:
                path.unlink()
            folder.rmdir()


def _is_plain(path):
    return stat.S_ISREG(path.lstat().st_mode)


@contextlib.contextmanager
def _lock(folder):
    """Context in which no other process has the folder; yields whether that is so.

    The lock is the folder's own, goes with it when it is renamed, and ends with the
    process, however that ends.
    """
    if fcntl is None or not folder.is_dir() or folder.is_symlink():
        yield False
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield _take_lock(descriptor, folder)
    finally:
        os.close(descriptor)


def _take_lock(descriptor, folder):
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # Whoever had it before may have removed or renamed it.
        return os.path.samestat(os.fstat(descriptor), os.stat(folder))
    except OSError:  # somebody has it, or this file system knows no locks
        return False
