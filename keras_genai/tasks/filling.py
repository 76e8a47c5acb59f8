"""Models that start from stored numbers instead of drawing ones nobody will use."""

import concurrent.futures
import math

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state

ALIGNMENT = 64  # bytes
READERS = 2  # threads
_PENDING = "uninitialized_variables"  # Keras' list of variables without values


def build_filled(build, find_readers):
    """Builds a model without drawing its weights, then reads each from its store.

    Until `find_readers` has agreed, no weight takes memory; after it, each takes its
    own size, and a few at a time are also in the hands of their readers.

    Args:
        build: function without arguments that returns a `Task`.
        find_readers: function from the empty model to a dict: path of a weight, as
            in `Task.preset_weights`, to a function without arguments that returns
            its array. Weights that are not in it are drawn as usual. What it raises
            leaves nothing behind.

    Returns:
        The model.
    """
    try:
        with keras.StatelessScope(initialize_variables=False):
            model = build()
        readers = find_readers(model)
        pending = global_state.get_global_attribute(_PENDING) or []
    finally:
        global_state.set_global_attribute(_PENDING, [])
    weights = model.preset_weights()
    stored = {id(weights[path]): read for path, read in readers.items()}
    with concurrent.futures.ThreadPoolExecutor(READERS) as pool:
        try:
            jobs = {
                id(variable): pool.submit(_tensor, stored[id(variable)], variable.dtype)
                for variable in pending
                if id(variable) in stored
            }
            for variable in pending:
                if id(variable) in jobs:
                    tensor = jobs.pop(id(variable)).result()
                    variable._initializer = lambda shape, dtype, tensor=tensor: tensor
                variable._deferred_initialize()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return model


def aligned_empty(shape, dtype):
    """An array whose memory TensorFlow can take over: its kernels want 64 bytes.

    Args:
        shape: tuple of int.
        dtype: NumPy's.

    Returns:
        array without values.
    """
    dtype = np.dtype(dtype)
    size = math.prod(shape) * dtype.itemsize
    memory = np.empty(size + ALIGNMENT, "uint8")
    start = -memory.ctypes.data % ALIGNMENT
    return memory[start : start + size].view(dtype).reshape(shape)


def _tensor(read, dtype):
    """What `read` returns as a tensor; nobody may write to that array any more."""
    array = read()
    if array.dtype != dtype or not array.size:
        return keras.ops.convert_to_tensor(array, dtype)
    if not array.flags.c_contiguous or array.ctypes.data % ALIGNMENT:
        array, source = aligned_empty(array.shape, array.dtype), array
        array[...] = source
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
