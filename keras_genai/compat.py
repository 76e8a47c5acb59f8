"""Every name of Keras and TensorFlow that is not public, and that this library needs.

They were read from Keras 3.15 and TensorFlow 2.21, the only minor versions that
setup.cfg allows. Nothing else here touches such a name, but for the methods that
`OVERRIDDEN` lists; `tests/test_compat.py` says which are gone in another version.
"""

import contextlib

import keras
import tensorflow as tf
from keras.src.backend.common import global_state
from keras.src.backend.tensorflow.trainer import _collective_all_reduce_multi_worker
from keras.src.ops.function import map_graph
from keras.src.trainers.data_adapters import get_data_adapter
from keras.src.trainers.data_adapters.array_data_adapter import can_convert_arrays
from keras.src.trainers.data_adapters.data_adapter import DataAdapter
from keras.src.utils.naming import auto_name, to_snake_case
from keras.src.utils.tracking import DotNotTrackScope
from tensorflow.compiler.tf2xla.python.xla import optimization_barrier
from tensorflow.python.framework import config as framework
from tensorflow.python.ops import control_flow_util

__all__ = [
    "DataAdapter",
    "auto_name",
    "can_convert_arrays",
    "get_data_adapter",
    "optimization_barrier",
    "to_snake_case",
]

KERAS = "3.15"
TENSORFLOW = "2.21"
# What our classes override or read of their own bases, under the bases' name.
OVERRIDDEN = {
    keras.Model: (
        "_autoconvert_optionals",
        "_distribute_strategy",
        "_make_function",
        "_maybe_symbolic_build",
        "_symbolic_build",
    ),
    keras.optimizers.Optimizer: (
        "_all_reduce_sum_gradients",
        "_apply_weight_decay",
        "_backend_apply_gradients",
    ),
    tf.data.Dataset: ("_inputs",),
}
_CALL = "current_call_ctx"  # what Keras knows of the call that goes on
_PENDING = "uninitialized_variables"  # Keras' list of variables without values


# Layers, and models as graphs of them.


def layers_inside(model, include_self=True):
    """Every layer of a model, at any depth, once."""
    return model._flatten_layers(include_self=include_self)


def own_trainable(layer):
    """The weights of a layer itself that were made to be trained."""
    return layer._trainable_variables


def name_scope(layer):
    """Context in which a layer's weights get its path, outside of `build`."""
    return layer._open_name_scope()


def is_training(layer):
    """What `training` is in the call that goes on, `None` if nobody said it."""
    return layer._get_call_context().get_value("training")


@contextlib.contextmanager
def not_training():
    """Context in which layers are called without training, whatever is around it."""
    call = global_state.get_global_attribute(_CALL)
    if call is None:  # each layer then begins a call of its own
        yield
        return
    before = call.get_value("training")
    call.set_value("training", False)
    try:
        yield
    finally:
        call.set_value("training", before)


def replace_tracked(parent, old, new):
    """Puts a layer in the place of another in what `parent` holds of layers."""
    if parent._tracker.is_in_store("layers", old):
        parent._tracker.replace_tracked_value("layers", old, new)


def take_nodes(layer, old):
    """Makes `layer` what `old` is in the graph of functional models."""
    layer._inbound_nodes = old._inbound_nodes
    layer._outbound_nodes = old._outbound_nodes
    for node in layer._inbound_nodes:
        node.operation = layer
        for tensor in node.outputs:
            history = tensor._keras_history
            tensor._keras_history = history._replace(operation=layer)


def read_graph(model):
    """Lets a functional model see what its graph is made of now; others have none."""
    if not hasattr(model, "_nodes_by_depth"):
        return
    with DotNotTrackScope():
        graph = map_graph(model._inputs, model._outputs)
        model._nodes, model._nodes_by_depth = graph[:2]
        model._operations, model._operations_by_depth = graph[2:]


# Variables that wait for their values.


def set_pending(variables):
    """Makes a list the one that variables without values are added to."""
    global_state.set_global_attribute(_PENDING, variables)


def pending():
    """That list."""
    return global_state.get_global_attribute(_PENDING)


def initialize(variable, tensor=None):
    """Gives a waiting variable its value: a tensor, or what its initializer draws."""
    if tensor is not None:
        variable._initializer = lambda shape, dtype: tensor
    variable._deferred_initialize()


# Optimizers.


def trained_variables(optimizer):
    """The variables that a built optimizer changes, in its order."""
    return optimizer._trainable_variables


def moving_averages(optimizer):
    """Their averages, in the same order, with `use_ema`."""
    return optimizer._model_variables_moving_average


def clipped(optimizer, gradients):
    """Gradients as its arguments limit them."""
    return optimizer._clip_gradients(gradients)


def descend(optimizer, gradients, variables):
    """Changes variables and its own state by its rule, and by nothing else."""
    optimizer._backend_update_step(gradients, variables, optimizer.learning_rate)


def held_gradients(optimizer, variables):
    """What it has accumulated of the gradients of variables: list of variables."""
    return [
        optimizer._accumulated_gradients[optimizer._get_variable_index(each)]
        for each in variables
    ]


def batches_seen(optimizer):
    """Its counter, which goes on where gradients are only accumulated, too."""
    return getattr(optimizer, "inner_optimizer", optimizer)._iterations


def given_learning_rate(optimizer):
    """The learning rate as it is held: a variable, or a schedule."""
    return optimizer._learning_rate


def variable_index(optimizer, variable):
    """int: the place of a variable among them."""
    return optimizer._get_variable_index(variable)


def decays(optimizer, variable):
    """bool: whether weight decay is for this variable."""
    return optimizer._use_weight_decay(variable)


# What `fit` does with data.


def build_from_batch(model, batch):
    """Makes metrics and optimizer as the first batch of `fit` would."""
    model._symbolic_build(data_batch=batch)


def forget_epoch(model):
    """Lets `fit` begin where it is told, whatever a backup of Keras left."""
    model._initial_epoch = None


def evaluates(model, epoch, frequency):
    """bool: whether `fit(validation_freq=frequency)` evaluates after an epoch."""
    return model._should_eval(epoch, frequency)


def remove_metric(model, metric):
    """Lets a model forget a metric that it held as an attribute."""
    model._metrics.remove(metric)


def arrays_of(iterator):
    """The arrays that an epoch iterator takes batches of; `None` of other data."""
    return getattr(getattr(iterator, "data_adapter", None), "_inputs", None)


def shuffles(iterator):
    """bool: whether an epoch iterator shuffles the arrays that it was given."""
    return getattr(iterator.data_adapter, "_shuffle", False)


def goes_on(iterator):
    """bool: whether the next epoch begins where this one stopped in its data."""
    stopped = iterator.steps_per_epoch is not None and iterator._steps_seen
    return bool(stopped) and iterator._current_iterator is not None


def fed_by_fit(arguments):
    """bool: whether `fit` calls `evaluate` with these, about data that it has read."""
    return bool(arguments.get("_use_cached_eval_dataset"))


def function_arguments(loss):
    """dict: what a loss hands to the function that it wraps."""
    return getattr(loss, "_fn_kwargs", {})


def on_several_workers(strategy):
    """bool: whether the replicas of a strategy are in several processes."""
    return _collective_all_reduce_multi_worker(strategy)


# TensorFlow.


def variant_tensor(dataset):
    """The tensor that a data set is, for one that stands in its place."""
    return dataset._variant_tensor


def is_deterministic():
    """bool: whether TensorFlow uses deterministic kernels only."""
    return framework.is_op_determinism_enabled()


def end_determinism():
    """Lets TensorFlow use other kernels again."""
    framework.disable_op_determinism()


def in_xla():
    """bool: whether this call is part of a function that XLA compiles."""
    graph = tf.compat.v1.get_default_graph()
    return control_flow_util.GraphOrParentsInXlaContext(graph)
