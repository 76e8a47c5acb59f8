"""What every layer and every model promises: one check a promise.

A `Case` says how one class is made and called; the tables of cases are in
`test_every_layer.py`, `test_every_network.py` and `test_every_task.py`, which also
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
        targets: array or nest of arrays, what `fit` has beside `inputs`, or `None`.
        loss: what `compile` is given, or `None`: the model has its own.
        idle: end of the path of a trainable weight that the loss does not depend on.
    """

    make: Callable
    inputs: object
    call: Callable = lambda layer, inputs: layer(inputs)
    draws: bool = False
    targets: object = None
    loss: object = None
    idle: str = ""

    def made(self, dtype="float32"):
        """A new one, with weights far from where they begin, so that all are seen."""
        keras.utils.set_random_seed(0)
        layer = self.make(dtype)
        self.call(layer, self.tensors())
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

    def symbols(self):
        """The inputs of a functional model, called as they are in a dict."""

        def symbol(array, name=None):
            return keras.Input(array.shape[1:], dtype=array.dtype.name, name=name)

        if isinstance(self.inputs, dict):
            return {name: symbol(array, name) for name, array in self.inputs.items()}
        return keras.tree.map_structure(symbol, self.inputs)

    def outputs(self, layer, call=None):
        """List of the tensors a call returns; what it changes in a layer is put back.

        Args:
            layer: what `make` returned.
            call: function of tensors like `inputs`, or `None`: the case's own.
        """
        call = call or functools.partial(self.call, layer)
        before = [variable.numpy() for variable in layer.variables]
        found = keras.tree.flatten(call(self.tensors()))
        for variable, value in zip(layer.variables, before, strict=True):
            variable.assign(value)
        return found


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


def check_config_alone(case):
    """The config of what its config makes, through JSON, is the same."""
    layer = case.make("float32")
    config = json.dumps(layer.get_config())
    again = type(layer).from_config(json.loads(config))
    assert json.dumps(again.get_config()) == config
    assert [(w.path, w.shape) for w in again.weights] == [
        (w.path, w.shape) for w in layer.weights
    ]


def check_config(case):
    """Its config, through JSON, makes one that computes the same from its weights."""
    layer = case.whole
    config = layer.get_config()
    again = type(layer).from_config(json.loads(json.dumps(config)))
    assert json.dumps(again.get_config()) == json.dumps(config)
    case.call(again, case.tensors())
    copy(layer, again)
    for one, other in zip(case.outputs(again), case.expected, strict=True):
        np.testing.assert_array_equal(one, other)


def check_policy(case, policy):
    """Half precision is taken where asked for, is finite, and near to float32."""
    layer = case.made(policy)
    copy(case.whole, layer)
    for one, other in zip(case.outputs(layer), case.expected, strict=True):
        if one.dtype.is_floating:
            assert one.dtype.name in ("float32", layer.compute_dtype)
        one, other = wide(one).numpy(), wide(other).numpy()
        assert np.isfinite(one).all()
        far = np.abs(one - other).max() / max(np.abs(other).max(), 1e-3)
        assert far <= POLICIES[policy], far


def copy(layer, other):
    """Gives another one all weights and the state of random generators."""
    for old, new in zip(layer.variables, other.variables, strict=True):
        assert new.name == old.name
        new.assign(keras.ops.cast(old, new.dtype))


def wide(tensor):
    """A tensor of any dtype in float64."""
    return tf.cast(tensor, "float64")


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
    strange += [w.path for w in layer.weights if w.dtype == "float16"]
    assert not strange, strange


def check_symbolic(case):
    """A functional model of it knows shapes and dtypes, and computes the same."""
    inputs = case.symbols()
    symbols = keras.tree.flatten(case.call(case.whole, inputs))
    for symbol, tensor in zip(symbols, case.expected, strict=True):
        assert symbol.dtype == tensor.dtype.name
        assert len(symbol.shape) == len(tensor.shape)
        for known, true in zip(symbol.shape, tensor.shape, strict=True):
            assert known in (None, true)
    model = keras.Model(inputs, symbols)
    found = case.outputs(case.whole, model)
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
    assert not still, still


def check_xla(case):
    """XLA computes what is computed without it."""
    call = functools.partial(case.call, case.whole)
    compiled = tf.function(call, jit_compile=True, autograph=False)
    found = case.outputs(case.whole, compiled)
    for one, other in zip(found, case.expected, strict=True):
        assert one.dtype == other.dtype
        if case.draws:
            assert one.shape == other.shape
            assert np.isfinite(one).all()
        else:
            np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def distances_of_replicas(case, strategy):
    """How far two replicas, half of the rows each, are from one device.

    Returns:
        list of float: of each output, and of the sum of each weight's gradients,
        relative to the largest of its numbers if that is above 1.
    """
    with strategy.scope():
        layer = case.made()
    copy(case.whole, layer)

    def step(layer, inputs):
        weights = [weight.value for weight in layer.trainable_variables]
        with tf.GradientTape() as tape:
            outputs = keras.tree.flatten(case.call(layer, inputs))
            loss = sum(tf.reduce_sum(tf.sin(wide(o))) for o in outputs)
        return outputs, tape.gradient(loss, weights)

    def half(array):
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.split(array, 2)[context.replica_id_in_sync_group]
        )

    halves = keras.tree.map_structure(half, case.inputs)
    run = tf.function(lambda inputs: strategy.run(step, args=(layer, inputs)))
    parts = [
        [strategy.experimental_local_results(each) for each in values]
        for values in run(halves)
    ]
    outputs, gradients = step(case.whole, case.tensors())
    found = [tf.concat(each, axis=0) for each in parts[0]]
    found += [tf.add_n(each) for each in parts[1]]
    return [
        _distance(wide(one), wide(other))
        for one, other in zip(found, outputs + gradients, strict=True)
    ]


def _distance(one, other):
    """The largest difference, relative to the largest number if that is above 1."""
    largest = max(1.0, float(tf.reduce_max(tf.abs(other))))
    return float(tf.reduce_max(tf.abs(one - other))) / largest


def check_file(case, path):
    """A Keras file of it, loaded, computes the same to the bit."""
    model = case.whole
    if not isinstance(model, keras.Model):
        inputs = case.symbols()
        model = keras.Model(inputs, case.call(model, inputs))
    model.save(path)
    again = keras.models.load_model(path)
    assert again.count_params() == model.count_params()
    call = case.call if model is case.whole else type(model).__call__
    found = keras.tree.flatten(call(again, case.tensors()))
    for one, other in zip(found, case.expected, strict=True):
        np.testing.assert_array_equal(one, other)


def check_training(case):
    """Each trainable weight of a model moves in one step of gradient descent."""
    model = case.made()
    settings = {} if case.loss is None else {"loss": case.loss}
    # One step takes less time than its graph.
    model.compile(keras.optimizers.SGD(0.1), run_eagerly=True, **settings)
    before = [weight.numpy() for weight in model.trainable_variables]
    logs = model.fit(case.inputs, case.targets, batch_size=ROWS, verbose=0).history
    assert np.isfinite(logs["loss"][0])
    still = [
        weight.path
        for weight, old in zip(model.trainable_variables, before, strict=True)
        if np.array_equal(weight, old)
        and not (case.idle and weight.path.endswith(case.idle))
    ]
    assert not still, still
