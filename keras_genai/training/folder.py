"""The run folder: whose it is, who is writing into it, and what may be removed."""

import contextlib
import itertools
import json
import os

from keras_genai.files.paths import as_path
from keras_genai.files.text import read_text
from keras_genai.files.writing import UNFINISHED, text_hash, write_text
from keras_genai.training.errors import TrainingError, writing
from keras_genai.training.identity import changes

try:
    import fcntl
except ImportError:  # Windows: no advisory locks, the rest works
    fcntl = None

FORMAT = "keras_genai run 1"
LOCK = ".lock"
CONFIG, LOG, CURVE = "config.json", "log.jsonl", "curve.png"
RESULT, PLOT = "result.json", "samples/plot.png"
SAMPLE, STEP = "samples/sample", "samples/step-"  # and the suffix of their kind
LARGEST_CONFIG = 64 * 2**20  # bytes
MOST_DIFFERENCES = 6  # named in one line

# Everything a run writes, as patterns below its folder: what --fresh may remove.
SINGLE_FILES = (RESULT, CURVE, PLOT, LOG, CONFIG)
_CHECKPOINTS = tuple(
    f"checkpoints/{name}" for name in ("step-*", "best-*", "damaged-*", ".stale-*")
)
RUN_FILES = (
    *(f"{name}.tmp" for name in SINGLE_FILES),  # of earlier versions
    "preset/config.json",
    "preset/model.safetensors",
    "preset/model.safetensors.index.json",
    "preset/model-*.safetensors",
    "preset/tokenizer.json",
    "preset/manifest.json",
    "preset/README.md",
    ".preset-*/*",
    f"{SAMPLE}.*",
    f"{STEP}*.*",
    "tensorboard/events.out.tfevents.*",
    *(f"{folder}/state.npz" for folder in _CHECKPOINTS),
    *(f"{folder}/{LOG}" for folder in _CHECKPOINTS),
    *(f"{folder}/manifest.json" for folder in _CHECKPOINTS),
    f"{UNFINISHED}*",
    f"samples/{UNFINISHED}*",
    *SINGLE_FILES,
)
SINGLE_FOLDERS = ("preset", "samples", "tensorboard", "checkpoints")
RUN_FOLDERS = (".preset-*", *_CHECKPOINTS, *SINGLE_FOLDERS)


class RunFolder:
    """A folder that holds exactly one training run.

    Args:
        path: path of the folder; need not exist.

    Attributes:
        identity: str, the hash of the fingerprint, while this process owns the folder,
            else `None`.
        writes: bool. Whether its checkpoints are this process's to write.
    """

    writes = True

    def __init__(self, path):
        self.path = as_path(path, "folder")
        self.log = self.path / LOG
        self.curve = self.path / CURVE
        self.checkpoints = self.path / "checkpoints"
        self.identity = None
        self._settled = {}  # the content of config.json

    @contextlib.contextmanager
    def claim(self, fingerprint, fresh=False):
        """Context in which this process alone owns the folder. Yields `self`.

        Args:
            fingerprint: dict, JSON. Everything that decides the run's results
                except its length.
            fresh: bool. Remove an earlier run's files, and only those, first.

        Raises:
            TrainingError: if the folder is foreign, in use, unwritable, holds a run
                with another fingerprint, or something else where a file of the run
                belongs. Nothing has been changed then.
        """
        text = json.dumps(fingerprint, sort_keys=True, indent=1)
        with contextlib.ExitStack() as stack:
            with writing(f"run folder {self.path}", exit_code=2):
                self.stored()
                self.path.mkdir(parents=True, exist_ok=True)
                stack.enter_context(self._lock())
                self._check_places()
                self._settle(json.loads(text), fresh)
            self.identity = text_hash(text)
            stack.callback(setattr, self, "identity", None)
            yield self

    def stored(self):
        """The fingerprint on disk, or `None` in a new or empty folder.

        Raises:
            TrainingError: if the path holds something that is not a run of ours.
        """
        config = self._config()
        return None if config is None else config["fingerprint"]

    def mark_saved(self):
        """Remembers that there was a checkpoint, in case that all are removed."""
        if not self.has_saved:
            with writing(self.path / CONFIG):
                self._write_config({**self._settled, "saved": True})

    @property
    def has_saved(self):
        """Whether the run ever had a checkpoint; known while the folder is claimed."""
        return self._settled.get("saved", False) is True

    def clear(self):
        """Removes what a run wrote; foreign files and their folders stay.

        A symbolic link in a place of the run is removed itself. What it leads to is
        not the run's, and is left alone.
        """
        for path in self._ours(RUN_FILES):
            if path.is_symlink() or not path.is_dir():
                path.unlink()
        for path in self._ours(RUN_FOLDERS):
            if path.is_symlink():
                path.unlink()
            elif path.is_dir() and not any(path.iterdir()):
                path.rmdir()

    def _ours(self, patterns):
        """Matching paths inside of the folder: none that a link leads to."""
        for pattern in patterns:
            for path in sorted(self.path.glob(pattern)):
                above = itertools.takewhile(lambda p: p != self.path, path.parents)
                if not any(parent.is_symlink() for parent in above):
                    yield path

    def _config(self):
        if not self.path.exists():
            return None
        if not self.path.is_dir():
            raise TrainingError(f"{self.path} is a file, not a folder", exit_code=2)
        names = {path.name for path in self.path.iterdir()}
        if not any(name != LOCK and not name.startswith(UNFINISHED) for name in names):
            return None
        with contextlib.suppress(OSError, ValueError, TypeError, RecursionError):
            config = json.loads(read_text(self.path / CONFIG, LARGEST_CONFIG))
            if config.get("format") == FORMAT and "fingerprint" in config:
                return config
        raise TrainingError(
            f"{self.path} is not empty and not a run folder of keras_genai; nothing "
            "was changed. Use --out for another folder",
            exit_code=2,
        )

    def _write_config(self, config):
        text = json.dumps(config, indent=1, sort_keys=True)
        write_text(self.path / CONFIG, f"{text}\n")
        self._settled = config

    def _check_places(self):
        """Refuses, before any work is done, what could not be written after it."""
        files = [self.path / name for name in SINGLE_FILES]
        files += self.path.glob(f"{SAMPLE}.*")
        files += [path.with_name(f"{UNFINISHED}{path.name}") for path in files]
        for path in files:
            if path.exists() and not path.is_file():
                raise _in_the_way(path, "file")
        for path in (self.path / name for name in SINGLE_FOLDERS):
            if os.path.lexists(path) and not path.is_dir():
                raise _in_the_way(path, "folder")

    def _settle(self, fingerprint, fresh):
        config = self._config()
        if config is None or fresh:
            self.clear()
            self._write_config({"format": FORMAT, "fingerprint": fingerprint})
        elif config["fingerprint"] != fingerprint:
            changed = _differences(config["fingerprint"], fingerprint)
            raise TrainingError(
                f"{self.path} holds another run: {changed}. "
                "Use --out for another folder or --fresh to start over",
                exit_code=2,
            )
        else:
            self._settled = config

    @contextlib.contextmanager
    def _lock(self):
        # Not to block: a FIFO of that name would wait for a reader.
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NONBLOCK", 0)
        with open(os.open(self.path / LOCK, flags, 0o644), "rb") as file:
            try:
                if fcntl:
                    fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise TrainingError(
                    f"Another process is training in {self.path}. Wait for it, or "
                    "use --out for another folder",
                    exit_code=2,
                ) from None
            yield


def claimed(folder, fingerprint, seed, fresh, make=RunFolder):
    """Context of a run folder that is this process's; the caller may have it already.

    Args:
        folder: path, or a `RunFolder` that is claimed for longer than a training.
        fingerprint, fresh: of `RunFolder.claim`; not with a claimed folder.
        seed: int, part of the fingerprint.
        make: function of a path that returns a `RunFolder`.

    Raises:
        ValueError: if `folder` is a `RunFolder` that is not claimed, or if
            `fingerprint` or `fresh` come too late.
    """
    if not isinstance(folder, RunFolder):
        return make(folder).claim({**(fingerprint or {}), "seed": seed}, fresh)
    if folder.identity is None or fingerprint is not None or fresh:
        raise ValueError(
            "`folder` must be a path, or a `RunFolder` within its `claim`, which takes "
            f"`fingerprint` and `fresh`. Received: {folder.path}, claimed: "
            f"{folder.identity is not None}, {fingerprint=}, {fresh=}"
        )
    return contextlib.nullcontext(folder)


def _in_the_way(path, kind):
    return TrainingError(
        f"{path} is in the way: a run writes a {kind} of that name. Nothing was "
        "changed; move it, or use --out for another folder",
        exit_code=2,
    )


def _differences(stored, given):
    found = [
        f"{name} is {there} there and {here} here"
        for name, (there, here) in changes(stored, given).items()
    ]
    more = len(found) - MOST_DIFFERENCES
    if more > 0:
        found[MOST_DIFFERENCES:] = [f"and {more} more"]
    return ", ".join(found)
