"""The log of a run, a JSON record a line: written, read, and mended."""

import contextlib
import json
import math
import os
import time

import keras

from keras_genai.files.text import read_bytes
from keras_genai.files.writing import write_bytes
from keras_genai.training.compiled import learning_rates
from keras_genai.training.errors import writing

# Fields of a record that depend on the machine's speed; all others are exact.
TIMING_FIELDS = ("seconds", "examples_per_second", "tokens_per_second")


class JSONLog(keras.callbacks.Callback):
    """Appends one JSON line an interval: step, losses, metrics, rate, seconds.

    Args:
        path: path of the file.
        clock: `Clock`.
        kept: bytes that the file holds already; see `mend`.
        unit: `"examples"` or `"tokens"`.
        per_step: int. Examples or tokens in one batch.
    """

    def __init__(self, path, clock, kept=b"", unit="examples", per_step=1):
        super().__init__()
        self.path = path
        self.clock = clock
        self.unit = unit
        self.per_step = per_step
        self.content = bytearray(kept)
        with writing(path):
            self.file = open(path, "ab")  # noqa: SIM115, open as long as the run

    def saved(self):
        """The bytes of the file, all of them on the disk."""
        with writing(self.path):
            os.fsync(self.file.fileno())
        return bytes(self.content)

    def on_epoch_begin(self, epoch, logs=None):
        self.first_step = self.clock.step
        self.first_time = self.last_time = time.monotonic()

    def on_train_batch_end(self, batch, logs=None):
        self.last_time = time.monotonic()

    def on_epoch_end(self, epoch, logs=None):
        spent = max(self.last_time - self.first_time, 1e-9)
        units = (self.clock.step - self.first_step) * self.per_step
        rates = learning_rates(self.model)
        record = {"step": self.clock.step, **(logs or {}), **rates}
        record["seconds"] = round(self.clock.seconds, 3)
        record[f"{self.unit}_per_second"] = round(units / spent, 1)
        line = json.dumps(plain(record)).encode() + b"\n"
        self.content += line
        with writing(self.path):
            self.file.write(line)
            self.file.flush()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        # Every line is flushed already; a full disk has been reported by then.
        with contextlib.suppress(OSError):
            self.file.close()


def mend(path, kept, say):
    """Brings a log to where the checkpoint was that a run goes on from.

    Lines after it are cut off, because they come again. Lines before it that were
    lost or changed are put back.

    Args:
        path: path of the log. Need not exist.
        kept: bytes, the log as the checkpoint knows it.
        say: function of one str.
    """
    with writing(path):
        present = read_bytes(path) if path.exists() else b""
        if present[: len(kept)] == kept and path.exists():
            os.truncate(path, len(kept))
            return
        if kept:
            say(f"{path} was changed or lost lines; they are back from the checkpoint")
        write_bytes(path, kept)


def sound_lines(content, last):
    """The lines of a log that are records up to step `last`, as bytes."""
    lines = content.split(b"\n")[:-1]
    return b"".join(
        line + b"\n"
        for line in lines
        if (record := _record(line)) is not None and record["step"] <= last
    )


def read_log(path, say=print):
    """The records of a `log.jsonl`.

    Args:
        path: path of the file. Need not exist.
        say: function of one str, told which lines are no records.

    Returns:
        list of dict, each with an int `step`, in the order of the file.
    """
    if not path.exists():
        return []
    lines = read_bytes(path).split(b"\n")[:-1]
    records = [_record(line) for line in lines]
    odd = [number for number, record in enumerate(records, 1) if record is None]
    if odd:
        named = ", ".join(map(str, odd[:10])) + (" ..." if len(odd) > 10 else "")
        say(f"{path} has lines that are no records and are passed over: {named}")
    return [record for record in records if record is not None]


def plain(record):
    """`record` with values JSON can hold: numbers that are not finite are `None`."""
    return {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in record.items()
    }


def _record(line):
    try:
        record = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return (
        record if isinstance(record, dict) and type(record.get("step")) is int else None
    )
