"""Models that start from stored numbers instead of drawing ones nobody will use."""

import math

import keras
import numpy as np
import tensorflow as tf
from keras.src.backend.common import global_state

ALIGNMENT = 64  # bytes
_PENDING = "uninitialized_variables"  # Keras' list of variables without values


def build_filled(build, find_readers):
    """Builds a model without drawing its weights, then reads each from its store.

    Until `find_readers` has agreed, no weight takes memory; after it, each takes its
    own size, and one at a time is also in the hands of its reader.

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
    for variable in pending:
        read = stored.get(id(variable))
        if read is not None:
            variable._initializer = _as_initializer(read)
        variable._deferred_initialize()
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


def _as_initializer(read):
    def initialize(shape, dtype=None):
        array = read()
        if array.dtype == dtype and array.size:
            return _shared(array)
        return keras.ops.convert_to_tensor(array, dtype)

    return initialize


def _shared(array):
    """A tensor in the memory of an array, which nobody may write to from now on."""
    if not array.flags.c_contiguous or array.ctypes.data % ALIGNMENT:
        array, source = aligned_empty(array.shape, array.dtype), array
        array[...] = source
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
