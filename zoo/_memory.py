"""Refusing what cannot fit into memory before anything of it is allocated."""

import contextlib
import math
import pathlib

import tensorflow as tf


def available():
    """Bytes of memory that this process may still take, or `None` if unknown."""
    found = [*_free_of_machine(), *_free_of_group(), *_free_of_limit()]
    return min(found) if found else None


class Allowance:
    """The memory that a model may take, asked before each of its weights is made.

    Args:
        argument: str, the name of what decides the size.
        value: what came.
    """

    TRAINING = 16  # bytes a weight, float32: itself, its gradient, two averages

    def __init__(self, argument, value):
        self.argument = argument
        self.value = value
        self.size = 0
        self.free = available()

    def take(self, variable):
        """Counts a weight that is about to be; raises if there is no memory for it."""
        self.size += self.TRAINING * math.prod(variable.shape)
        check_memory(self.argument, self.value, self.size, self.free)


def check_memory(argument, value, size, free=None):
    """Raises if `size` bytes are more than there are.

    Args:
        argument: str, the name of what decides the size.
        value: what came.
        size: int, bytes at least.
        free: int or `None` (what is available now).

    Raises:
        ValueError: one line with both sizes.
    """
    free = available() if free is None else free
    if free is not None and size > free:
        raise ValueError(
            f"`{argument}` must be small enough for the {_gigabytes(free)} of memory "
            f"that are free; this takes {_gigabytes(size)} at least. Received: {value}"
        )


def check_batch(model, splits, batch_size):
    """Raises if a batch alone, or what a language model says of it, is too large.

    Args:
        model: `Task`.
        splits: `Splits`.
        batch_size: int.
    """
    specs = tf.nest.flatten(splits.train.dataset(0).element_spec)
    numbers = sum(math.prod(size or 1 for size in spec.shape) for spec in specs)
    classes = getattr(model, "vocabulary_size", None) or 1
    check_memory("--batch-size", batch_size, 4 * numbers * classes)


def _gigabytes(size):
    return f"{size / 2**30:,.1f} GiB"


def _free_of_machine():
    with contextlib.suppress(OSError, ValueError, StopIteration, IndexError):
        lines = pathlib.Path("/proc/meminfo").read_text("utf-8").split("\n")
        line = next(line for line in lines if line.startswith("MemAvailable:"))
        yield 1024 * int(line.split()[1])


def _free_of_group():
    """What the control group of a container leaves."""
    with contextlib.suppress(OSError, ValueError):
        folder = pathlib.Path("/sys/fs/cgroup")
        limit = int((folder / "memory.max").read_text("utf-8"))  # or "max"
        yield limit - int((folder / "memory.current").read_text("utf-8"))


def _free_of_limit():
    """What `ulimit -v` leaves."""
    with contextlib.suppress(ImportError, OSError, ValueError, IndexError):
        import resource

        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        if limit != resource.RLIM_INFINITY:
            pages = int(pathlib.Path("/proc/self/statm").read_text("utf-8").split()[0])
            yield limit - pages * resource.getpagesize()
