"""Starts TensorFlow without the lines that its C++ side always writes."""

import contextlib
import os


@contextlib.contextmanager
def silenced():
    """Sends file descriptor 2 to nowhere: C++ does not ask Python's sys.stderr."""
    kept = os.dup(2)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(nowhere)


def start_tensorflow():
    """Imports TensorFlow and Keras and finds the devices. Errors are raised as ever."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silenced():
        import keras  # noqa: F401
        import tensorflow as tf

        for device in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(device, True)
