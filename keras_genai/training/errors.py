"""What ends a training run early, as one line a person can act on."""

import contextlib

import tensorflow as tf


class TrainingError(RuntimeError):
    """The run cannot start or go on; the message is one line for the user.

    Args:
        message: str, one line.
        exit_code: int. What `train.py` exits with: 2 for a wrong request (folder,
            configuration, more than fits into memory), 1 for what went wrong on the
            way (disk, numbers).
    """

    def __init__(self, message, exit_code=1):
        super().__init__(message)
        self.exit_code = exit_code


class RunStoppedError(TrainingError):
    """The user asked to stop; everything up to the finished step is saved.

    Args:
        message: str, one line that says how to continue.
        signal_number: int. Becomes exit code `128 + signal_number`, as in a shell.
    """

    def __init__(self, message, signal_number):
        super().__init__(message, exit_code=128 + signal_number)


@contextlib.contextmanager
def writing(path, exit_code=1):
    """Context that turns an `OSError` while writing `path` into a `TrainingError`."""
    try:
        yield
    except OSError as error:
        raise TrainingError(
            f"Cannot write {path}: {error.strerror or error}", exit_code
        ) from error


@contextlib.contextmanager
def short_of_memory():
    """Context that turns a lack of memory into a `TrainingError`."""
    try:
        yield
    except (MemoryError, tf.errors.ResourceExhaustedError) as error:
        raise TrainingError(
            "There is not enough memory. What was saved before is intact; a smaller "
            "batch or model, or --precision mixed_bfloat16, needs less",
            exit_code=2,
        ) from error
