"""What every layer and every model promises: one check a promise.

A `Case` says how one class is made and called; the tables of cases are in
`tests/layers/test_every_layer.py` and `tests/models/test_every_model.py`, which also
see to it that no public class is missing.
"""

import dataclasses
import functools
import importlib
import inspect
import json
import pkgutil
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf

ROWS = 4  # of a batch; two replicas share them out
# How far a result may be from float32's, relative to its largest number.
POLICIES = {"mixed_bfloat16": 0.06, "mixed_float16": 0.01, "bfloat16": 0.06}


@dataclasses.dataclass(frozen=True, eq=False)
class Case:
    """How a layer or model is made and called.

    Args:
        make: function of `dtype`, a policy, that returns a new one.
        inputs: array or nest of arrays, `(ROWS, ...)`; the same sizes every time.
        call: function of what was made and of tensors like `inputs`, which returns a
            tensor or a nest of them whose first axis is the batch's.
        draws: bool. Whether `call` draws numbers, which XLA does in a way of its own.
    """

    make: Callable
    inputs: object
    call: Callable = lambda layer, inputs: layer(inputs)
    draws: bool = False

    def made(self, dtype="float32"):
        """A new one, with weights far from where they begin, so that all are seen."""
        keras.utils.set_random_seed(0)
        layer = self.make(dtype)
        self.outputs(layer)
        draws = np.random.default_rng(0)
        for weight in layer.trainable_variables:
            noise = 0.2 * draws.normal(size=weight.shape)
            weight.assign(keras.ops.convert_to_numpy(weight) + noise)
        return layer

    @functools.cached_property
    def whole(self):
        """One that all checks look at and none changes, in float32."""
        return self.made()

    @functools.cached_property
    def expected(self):
        """List of what `whole` returns."""
        return self.outputs(self.whole)

    def tensors(self, rows=slice(None)):
        """The inputs as tensors, or some of their rows."""
        return keras.tree.map_structure(
            lambda array: tf.constant(array[rows]), self.inputs
        )

    def outputs(self, layer):
        """List of what a call returns, as tensors."""
        return keras.tree.flatten(self.call(layer, self.tensors()))


def public_classes(package, kind):
    """The classes of this kind that the modules of a package define, by name.

    Classes whose name begins with `_` are not public.
    """
    found = {}
    for info in pkgutil.iter_modules(package.__path__):
        module = importlib.import_module(f"{package.__name__}.{info.name}")
        for name, value in vars(module).items():
            is_class = inspect.isclass(value) and issubclass(value, kind)
            is_own = is_class and value.__module__ == module.__name__
            if is_own and not name.startswith("_"):
                found[name] = value
    return found


def check_config(case):
    """Its config, through JSON, makes one that computes the same from its weights."""
    layer = case.whole
    config = layer.get_config()
    again = type(layer).from_config(json.loads(json.dumps(config)))
    assert json.dumps(again.get_config()) == json.dumps(config)
    case.outputs(again)
    assert [w.name for w in again.weights] == [w.name for w in layer.weights]
    again.set_weights(layer.get_weights())
    for one, other in zip(case.outputs(again), case.expected, strict=True):
        np.testing.assert_array_equal(one, other)


def check_policy(case, policy):
    """Half precision is taken where asked for, is finite, and near to float32."""
    layer = case.made(policy)
    layer.set_weights(case.whole.get_weights())
    for one, other in zip(case.outputs(layer), case.expected, strict=True):
        if one.dtype.is_floating:
            assert one.dtype.name in ("float32", layer.compute_dtype)
        one, other = wide(one), wide(other)
        assert np.isfinite(one).all()
        far = np.abs(one - other).max() / max(np.abs(other).max(), 1e-3)
        assert far <= POLICIES[policy]


def wide(tensor):
    """The numbers of a tensor of any dtype as a float64 array."""
    return tf.cast(tensor, "float64").numpy()


def check_parts_take_the_policy(case):
    """No layer inside takes the policy of the process instead of its owner's."""
    keras.config.set_dtype_policy("float16")
    try:
        layer = case.made("float32")
    finally:
        keras.config.set_dtype_policy("float32")
    strange = [
        part.path for part in layer._flatten_layers() if part.compute_dtype == "float16"
    ]
    assert not strange
    assert not [w.path for w in layer.weights if w.dtype == "float16"]


def check_symbolic(case):
    """A functional model of it knows shapes and dtypes, and computes the same."""
    inputs = keras.tree.map_structure(
        lambda array: keras.Input(array.shape[1:], dtype=array.dtype.name), case.inputs
    )
    symbols = keras.tree.flatten(case.call(case.whole, inputs))
    for symbol, tensor in zip(symbols, case.expected, strict=True):
        assert symbol.dtype == tensor.dtype.name
        assert len(symbol.shape) == len(tensor.shape)
        for known, true in zip(symbol.shape, tensor.shape, strict=True):
            assert known in (None, true)
    model = keras.Model(inputs, symbols)
    found = keras.tree.flatten(model(case.tensors()))
    for one, other in zip(found, case.expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def check_gradients(case):
    """Every trainable weight decides what comes out."""
    draws = np.random.default_rng(1)
    with tf.GradientTape() as tape:
        loss = 0.0
        for output in case.outputs(case.whole):
            if output.dtype.is_floating:
                slope = draws.normal(size=output.shape)
                loss += tf.reduce_sum(output * tf.cast(slope, output.dtype))
    weights = case.whole.trainable_variables
    gradients = tape.gradient(loss, [weight.value for weight in weights])
    still = [
        weight.path
        for weight, gradient in zip(weights, gradients, strict=True)
        if gradient is None or not np.any(tf.convert_to_tensor(gradient))
    ]
    assert not still


def check_xla(case):
    """XLA computes what is computed without it."""
    call = functools.partial(case.call, case.whole)
    compiled = tf.function(call, jit_compile=True, autograph=False)
    found = keras.tree.flatten(compiled(case.tensors()))
    for one, other in zip(found, case.expected, strict=True):
        assert one.dtype == other.dtype
        if case.draws:
            assert one.shape == other.shape
            assert np.isfinite(one).all()
        else:
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def check_file(case, path):
    """A Keras file of it, loaded, computes the same to the bit."""
    model = case.whole
    if not isinstance(model, keras.Model):
        inputs = keras.tree.map_structure(
            lambda array: keras.Input(array.shape[1:], dtype=array.dtype.name),
            case.inputs,
        )
        model = keras.Model(inputs, case.call(model, inputs))
    model.save(path)
    again = keras.models.load_model(path)
    assert again.count_params() == model.count_params()
    call = case.call if model is case.whole else type(model).__call__
    found = keras.tree.flatten(call(again, case.tensors()))
    for one, other in zip(found, case.expected, strict=True):
        np.testing.assert_array_equal(one, other)
