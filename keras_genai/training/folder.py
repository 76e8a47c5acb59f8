"""The run folder: whose it is, who is writing into it, and what may be removed."""

import contextlib
import hashlib
import json
import os
import pathlib

from keras_genai.training.checkpoint import sync_folder
from keras_genai.training.errors import TrainingError, writing

try:
    import fcntl
except ImportError:  # Windows: no advisory locks, the rest works
    fcntl = None

FORMAT = "keras_genai run 1"
LOCK = ".lock"
UNFINISHED = ".writing-"

# Everything a run writes, as patterns below its folder: what --fresh may remove.
RUN_FILES = (
    "result.json",
    "result.json.tmp",
    "curve.png",
    "preset/config.json",
    "preset/model.safetensors",
    "preset/tokenizer.json",
    "preset/manifest.json",
    "preset/README.md",
    ".preset-*/*",
    "samples/sample.*",
    "samples/step-*.*",
    "tensorboard/events.out.tfevents.*",
    "checkpoints/*step-*/state.npz",
    "checkpoints/*step-*/manifest.json",
    "checkpoints/*best-*/state.npz",
    "checkpoints/*best-*/manifest.json",
    "log.jsonl",
    f"{UNFINISHED}*",
    "config.json",
)
RUN_FOLDERS = (
    "preset",
    ".preset-*",
    "samples",
    "tensorboard",
    "checkpoints/*",
    "checkpoints",
)


class RunFolder:
    """A folder that holds exactly one training run.

    Args:
        path: path of the folder; need not exist.
    """

    def __init__(self, path):
        self.path = pathlib.Path(path)
        self.log = self.path / "log.jsonl"
        self.checkpoints = self.path / "checkpoints"

    @contextlib.contextmanager
    def claim(self, fingerprint, fresh=False):
        """Context in which this process alone owns the folder.

        Args:
            fingerprint: dict, JSON. Everything that decides the run's results
                except its length. Yields its hash.
            fresh: bool. Remove an earlier run's files, and only those, first.

        Raises:
            TrainingError: if the folder is foreign, in use, unwritable, or holds a
                run with another fingerprint. Nothing has been changed then.
        """
        text = json.dumps(fingerprint, sort_keys=True, indent=1)
        with contextlib.ExitStack() as stack:
            with writing(f"run folder {self.path}", exit_code=2):
                self.stored()
                self.path.mkdir(parents=True, exist_ok=True)
                stack.enter_context(self._lock())
                self._settle(json.loads(text), fresh)
            yield hashlib.sha256(text.encode()).hexdigest()

    def stored(self):
        """The fingerprint on disk, or `None` in a new or empty folder.

        Raises:
            TrainingError: if the path holds something that is not a run of ours.
        """
        if not self.path.exists():
            return None
        if not self.path.is_dir():
            raise TrainingError(f"{self.path} is a file, not a folder", exit_code=2)
        names = {path.name for path in self.path.iterdir()}
        if not any(name != LOCK and not name.startswith(UNFINISHED) for name in names):
            return None
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            config = json.loads((self.path / "config.json").read_text("utf-8"))
            if config["format"] == FORMAT:
                return config["fingerprint"]
        raise TrainingError(
            f"{self.path} is not empty and not a run folder of keras_genai; nothing "
            "was changed. Use --out for another folder",
            exit_code=2,
        )

    def clear(self):
        """Removes what a run wrote; foreign files and their folders stay."""
        for pattern in RUN_FILES:
            for path in sorted(self.path.glob(pattern)):
                if not path.is_dir():
                    path.unlink()
        for pattern in RUN_FOLDERS:
            for path in self.path.glob(pattern):
                if path.is_dir() and not any(path.iterdir()):
                    path.rmdir()

    def _settle(self, fingerprint, fresh):
        stored = self.stored()
        if fresh and stored is not None:
            self.clear()
            stored = None
        if stored is None:
            config = {"format": FORMAT, "fingerprint": fingerprint}
            write_text(
                self.path / "config.json",
                json.dumps(config, indent=1, sort_keys=True) + "\n",
            )
        elif stored != fingerprint:
            raise TrainingError(
                f"{self.path} holds another run: {_differences(stored, fingerprint)}. "
                "Use --out for another folder or --fresh to start over",
                exit_code=2,
            )

    @contextlib.contextmanager
    def _lock(self):
        with open(self.path / LOCK, "a", encoding="utf-8") as file:
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


def write_text(path, text):
    """Replaces the file at `path` as a whole, or leaves it as it was."""
    temporary = path.with_name(f"{UNFINISHED}{path.name}")
    with open(temporary, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.replace(temporary, path)
    sync_folder(path.parent)


def _differences(stored, given):
    stored, given = dict(_flat(stored)), dict(_flat(given))
    changed = []
    for key in sorted(stored.keys() | given.keys()):
        there, here = stored.get(key, "absent"), given.get(key, "absent")
        if there != here:
            changed.append(f"{key} is {there} there and {here} here")
    return ", ".join(changed)


def _flat(value, prefix=""):
    if isinstance(value, dict) and value:
        for key, inner in value.items():
            yield from _flat(inner, f"{prefix}.{key}" if prefix else key)
    else:
        yield prefix, value
