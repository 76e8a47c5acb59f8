"""Models that start from stored numbers instead of drawing ones nobody will use."""

import concurrent.futures
import math

import keras
import tensorflow as tf

from keras_genai import compat
from keras_genai.files.tensors import ALIGNMENT, aligned_empty

READERS = 2  # threads


def build_filled(build, find_readers, allowance=None):
    """Builds a model without drawing its weights, then reads each from its store.

    Until `find_readers` has agreed, no weight takes memory; after it, each takes its
    own size, and a few at a time are also in the hands of their readers.

    Args:
        build: function without arguments that returns a `Task`.
        find_readers: function from the empty model to a dict: path of a weight, as
            in `Task.preset_weights`, to a function without arguments that returns
            its array. Weights that are not in it are drawn as usual. What it raises
            leaves nothing behind.
        allowance: `keras_genai.tasks.sizes.Allowance` or `None`. Asked before every
            weight, so that a config cannot make a model that its file is not about.

    Returns:
        The model.
    """
    compat.set_pending(_Pending(allowance))
    try:
        with keras.StatelessScope(initialize_variables=False):
            model = build()
        readers = find_readers(model)
        pending = _wanted(model, compat.pending())
    finally:
        compat.set_pending([])
    weights = model.preset_weights()
    stored = {id(weights[path]): read for path, read in readers.items()}
    with concurrent.futures.ThreadPoolExecutor(READERS) as pool:
        try:
            # Those that take most while they are read come first, when there is room.
            jobs = {
                id(variable): pool.submit(_tensor, stored[id(variable)], variable.dtype)
                for variable in sorted(pending, key=_size, reverse=True)
                if id(variable) in stored
            }
            for variable in pending:
                job = jobs.pop(id(variable), None)
                compat.initialize(variable, None if job is None else job.result())
        finally:
            pool.shutdown(wait=False, cancel_futures=True)
    return model


def _wanted(model, pending):
    """The variables but those whose place another one has taken, as 8-bit ones do."""
    weights = model.preset_weights()
    return [
        variable
        for variable in pending
        if weights.get(variable.path.removeprefix(f"{model.name}/"), variable)
        is variable
    ]


def _size(variable):
    return math.prod(variable.shape)


class _Pending(list):
    """Keras' list of variables without values, which may refuse one more."""

    def __init__(self, allowance):
        super().__init__()
        self._allowance = allowance

    def append(self, variable):
        if self._allowance is not None:
            self._allowance.take(variable)
        super().append(variable)


def _tensor(read, dtype):
    """What `read` returns as a tensor; nobody may write to that array any more."""
    array = read()
    if array.dtype.name != dtype or not array.size:
        return keras.ops.convert_to_tensor(array, dtype)
    if dtype == "bfloat16":  # which NumPy does not know, and cannot hand over
        return tf.bitcast(_handed_over(array.view("uint16")), dtype)
    return _handed_over(array)


def _handed_over(array):
    """A tensor in the memory of an array, or of a copy that lies as TensorFlow's do."""
    if not array.flags.c_contiguous or array.ctypes.data % ALIGNMENT:
        array, source = aligned_empty(array.shape, array.dtype), array
        array[...] = source
    return tf.experimental.dlpack.from_dlpack(array.__dlpack__())
