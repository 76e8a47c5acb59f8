"""Optimizers of several replicas that see the gradient of the whole batch.

Keras clips the gradient of each replica by itself and sums what is left, asks only the
first replica whether a gradient is finite, and cannot accumulate or overwrite weights
by their averages at all: a condition inside of a replica may not wait for the others.
Here the sum comes first, and such conditions are of all replicas together.
"""

import functools

import tensorflow as tf

from keras_genai import compat

__all__ = ["sum_first"]


def sum_first(optimizer):
    """Lets an optimizer learn from the sum of all replicas' gradients.

    What it accumulates is the same on every replica, so that a checkpoint between two
    updates holds all of it; the price is that every batch is summed, not every update.

    Args:
        optimizer: `keras.optimizers.Optimizer` of a model under a strategy. Nothing is
            done to one that is so already.
    """
    if "apply" in vars(optimizer):
        return
    optimizer.apply = functools.partial(_apply_sum, optimizer.apply)
    inner = getattr(optimizer, "inner_optimizer", optimizer)
    inner._all_reduce_sum_gradients = list  # pairs that are summed already
    inner._backend_apply_gradients = functools.partial(_learn, inner)


def _apply_sum(apply, gradients, variables=None):
    # Of looked up rows, too, each is summed before it is squared, whoever looked it up;
    # and the parts of many replicas take no more memory than the table.
    present = [tf.convert_to_tensor(each) for each in gradients if each is not None]
    context = tf.distribute.get_replica_context()
    sums = iter(context.all_reduce(tf.distribute.ReduceOp.SUM, present))
    apply([None if each is None else next(sums) for each in gradients], variables)


def _learn(optimizer, gradients, variables):
    """The steps of Keras' `_backend_apply_gradients`, in its order."""

    def descend(gradients):
        gradients = compat.clipped(optimizer, gradients)
        optimizer._apply_weight_decay(variables)
        compat.descend(optimizer, gradients, variables)

    count = optimizer.gradient_accumulation_steps
    if count:
        held = compat.held_gradients(optimizer, variables)
        sums = [new + old for new, old in zip(gradients, held, strict=True)]

        def descend_and_forget():
            descend([each / count for each in sums])
            _assign(held, [tf.zeros_like(each) for each in sums])

        is_last = (compat.batches_seen(optimizer) + 1) % count == 0
        _either(is_last, descend_and_forget, lambda: _assign(held, sums))
    else:
        descend(gradients)
    if optimizer.use_ema:
        _average(optimizer)


def _average(optimizer):
    """Moves the averages, and now and then puts them in the place of the weights."""
    averages = compat.moving_averages(optimizer)
    weights = compat.trained_variables(optimizer)
    momentum = tf.cast(optimizer.iterations != 0, tf.float32) * optimizer.ema_momentum
    moved = [
        tf.cast(momentum, old.dtype) * old + tf.cast(1 - momentum, old.dtype) * weight
        for old, weight in zip(averages, weights, strict=True)
    ]
    _assign(averages, moved)
    if optimizer.ema_overwrite_frequency:
        due = (optimizer.iterations + 1) % optimizer.ema_overwrite_frequency == 0
        _either(due, lambda: _assign(weights, averages), lambda: None)


def _assign(variables, values):
    """Assigns values that are the same on all replicas."""

    def assign(strategy, variables, values):
        for variable, value in zip(variables, values, strict=True):
            strategy.extended.update(
                variable, lambda one, new: one.assign(new), args=(value,), group=False
            )

    variables = [each.value for each in variables]
    values = [tf.convert_to_tensor(each) for each in values]
    context = tf.distribute.get_replica_context()
    context.merge_call(assign, args=(variables, values))


def _either(predicate, yes, no):
    """One of two functions, on all replicas; in it they may wait for each other.

    Args:
        predicate: bool scalar, the same on all replicas.
        yes, no: functions without arguments; what they return is dropped.
    """

    def choose(strategy, predicate, yes, no):
        def on_all(function):
            def run():
                strategy.extended.call_for_each_replica(_call, args=(function,))

            return run

        first = strategy.experimental_local_results(predicate)[0]
        tf.cond(first, on_all(yes), on_all(no))

    context = tf.distribute.get_replica_context()
    context.merge_call(choose, args=(tf.convert_to_tensor(predicate), yes, no))


def _call(function):
    function()
