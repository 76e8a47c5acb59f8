"""What decides the last bits of a result beside the program: recorded, compared."""

import contextlib
import os
import pathlib
import platform

import keras
import numpy as np
import tensorflow as tf

from keras_genai import compat
from keras_genai.files.text import lines

_UNSAID = {"replicas": 1}  # what a description means that does not say it


@contextlib.contextmanager
def deterministic_ops():
    """Context in which TensorFlow uses deterministic kernels only."""
    before = compat.is_deterministic()
    tf.config.experimental.enable_op_determinism()
    try:
        yield
    finally:
        if not before:
            compat.end_determinism()


def describe(replicas=1):
    """Versions, device, threads and determinism of this process.

    Args:
        replicas: int, of the model; said where there are several.

    Returns:
        dict of str to str or int, JSON.
    """
    return {
        "python": platform.python_version(),
        "keras": keras.__version__,
        "tensorflow": tf.__version__,
        "numpy": np.__version__,
        "device": ", ".join(sorted(_devices())) or _processor(),
        "cores": len(os.sched_getaffinity(0))
        if hasattr(os, "sched_getaffinity")
        else os.cpu_count(),
        "intra_op_threads": tf.config.threading.get_intra_op_parallelism_threads(),
        "inter_op_threads": tf.config.threading.get_inter_op_parallelism_threads(),
        "deterministic": compat.is_deterministic(),
        **({"replicas": replicas} if replicas > 1 else {}),
    }


def differences(before, now):
    """One line that names what changed between two descriptions, or ''."""
    before, now = {**_UNSAID, **before}, {**_UNSAID, **now}
    return ", ".join(
        f"{name} was {before.get(name)} and is {now.get(name)}"
        for name in sorted(before.keys() | now.keys())
        if before.get(name) != now.get(name)
    )


def _devices():
    for device in tf.config.list_physical_devices("GPU"):
        details = tf.config.experimental.get_device_details(device)
        yield details.get("device_name", device.name)


def _processor():
    """The processor's name: compiled kernels differ from model to model."""
    information = pathlib.Path("/proc/cpuinfo")
    if information.exists():
        for line in lines(information.read_text("utf-8", errors="replace")):
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
