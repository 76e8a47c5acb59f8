"""Gradient checkpointing: less memory in training, for a second forward pass."""

import tensorflow as tf

from keras_genai import compat
from keras_genai.layers.blocks import set_in_blocks


def recompute_blocks(model, recompute=True):
    """Lets a model's blocks keep only what enters them, and compute the rest again.

    Losses and gradients stay the same, dropout included. Call it before `compile`; it
    is no part of the model's config.

    Args:
        model: built `keras.Model` with `Block` layers inside.
        recompute: bool. `False` switches it off.

    Returns:
        int. The number of blocks.

    Raises:
        ValueError: if there is no block.

    Reference: Chen et al. 2016, https://arxiv.org/abs/1604.06174
    """
    return set_in_blocks(model, "recompute", recompute)


def recomputed(layer, call, inputs, **kwargs):
    """Calls a layer whose inner values are computed again for the gradient.

    Args:
        layer: built Keras layer. Its random generators are set back for the second
            time, so that it drops the same.
        call: its own `__call__`.
        inputs: tensor.
        **kwargs: of the call: nests of tensors, and `training`.

    Returns:
        What the layer returns.
    """
    # The second call comes when Keras has forgotten who called, and how.
    training = kwargs.pop("training", None)
    if training is None:
        training = compat.is_training(layer)
    arguments = {"inputs": inputs, **kwargs}
    flat = tf.nest.flatten(arguments)
    places = [place for place, value in enumerate(flat) if tf.is_tensor(value)]
    states = [
        v.value for v in layer.variables if v.path.endswith("seed_generator_state")
    ]
    trained = {weight.value.ref() for weight in layer.trainable_weights}

    def run(tensors):
        values = list(flat)
        for place, tensor in zip(places, tensors, strict=True):
            values[place] = tensor
        packed = tf.nest.pack_sequence_as(arguments, values)
        return call(packed.pop("inputs"), **packed, training=training)

    @tf.custom_gradient
    def forward(*tensors):
        before = [tf.identity(state) for state in states]
        outputs = run(tensors)

        def gradient(*d_outputs, variables=()):
            sources = [v for v in variables if v.ref() in trained]
            after = [tf.identity(state) for state in states]
            _assign(states, before)
            again = [_after(d_outputs[0], tensor) for tensor in tensors]
            with tf.GradientTape() as tape:
                floats = [tensor for tensor in again if tensor.dtype.is_floating]
                tape.watch(floats)
                second = tf.nest.flatten(run(again))
            _assign(states, after)
            found = tape.gradient(second, [*floats, *sources], list(d_outputs))
            of_floats = iter(found[: len(floats)])
            of_sources = dict(
                zip([v.ref() for v in sources], found[len(floats) :], strict=True)
            )
            of_tensors = [
                next(of_floats) if t.dtype.is_floating else None for t in again
            ]
            return of_tensors, [of_sources.get(v.ref()) for v in variables]

        return outputs, gradient

    return forward(*[flat[place] for place in places])


def _after(gradient, tensor):
    """`tensor`, not to be had before the gradient of what follows.

    Or else the second pass would run beside the first, or be found to be the same, and
    nothing would be saved. XLA knows no order but that of the data.
    """
    if not tensor.dtype.is_floating:
        return tensor
    zero = 0 * tf.reshape(gradient, (-1,))[0]
    return tensor + tf.cast(zero, tensor.dtype)


def _assign(states, values):
    for state, value in zip(states, values, strict=True):
        state.assign(value)
