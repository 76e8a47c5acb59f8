"""Starts TensorFlow without the lines that its C++ side always writes."""

import contextlib
import os
import sys

# Keras imports these if they are there, for scikit-learn's wrappers and its plots: a
# third of all that its import takes. No command needs them of Keras.
_UNUSED = ("matplotlib", "sklearn")


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


@contextlib.contextmanager
def absent(names):
    """Context in which modules that nobody has imported yet cannot be imported."""
    hidden = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(hidden))  # None: "No module named ..."
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


def start_tensorflow():
    """Imports TensorFlow and Keras and finds the devices. Errors are raised as ever."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with silenced(), absent(_UNUSED):
        import keras  # noqa: F401
        import tensorflow as tf

        for device in tf.config.list_physical_devices("GPU"):
            tf.config.experimental.set_memory_growth(device, True)
