"""Recurrent layers whose loop holds only what truly depends on the step before."""

import keras
import tensorflow as tf
from keras import ops

from keras_genai.checks import check_one_of, check_sizes
from keras_genai.layers.embedding import at_rows
from keras_genai.registry import register


def recur(cell, projected, kernel, bias, state, valid=None):
    """Runs a recurrent cell over time, with a gradient written by hand.

    The loops forward and backward hold one `(B, U) x (U, G*U)` product a step each.
    The gradient of the recurrent kernel, which automatic differentiation adds up
    inside the backward loop, is one product over all steps after it.

    Args:
        cell: object with `step` and `step_gradient`, such as a layer below.
        projected: `(T, B, G*U)`, inputs times input kernel plus bias, G gates.
        kernel: `(U, G*U)`, the recurrent kernel, in the dtype of `projected`.
        bias: `(G*U,)` to be added to `state @ kernel`, or `None`.
        state: list of `(B, U)`, the hidden state first. Its dtype, float32 under
            half precision, is the one the loop computes in.
        valid: bool `(T, B, 1)` or `None`. Where false the state stays as it is.

    Returns:
        `(outputs, final)`: `(T, B, U)` in the dtype of `projected`, and the list of
        final states.
    """
    biases = [] if bias is None else [bias]

    @tf.custom_gradient
    def run(projected, kernel, *rest):
        biases_, state = rest[: len(biases)], rest[len(biases) :]
        history, gates = _forward(cell, projected, kernel, biases_, state, valid)

        def gradient(d_outputs, *d_final):
            return _backward(
                cell, history, gates, kernel, biases_, d_outputs, d_final, valid
            )

        outputs = tf.cast(history[0][1:], projected.dtype)
        return (outputs, *[steps[-1] for steps in history]), gradient

    outputs, *final = run(projected, kernel, *biases, *state)
    return outputs, final


def _forward(cell, projected, kernel, biases, state, valid):
    """All states, each `(T + 1, B, U)` from the initial one, and gates `(T, B, U)`."""
    length, wide = _length(projected), state[0].dtype

    def body(time, state, history, gates):
        recurrent = tf.matmul(tf.cast(state[0], kernel.dtype), kernel)
        for bias in biases:
            recurrent += bias
        new, now = cell.step(
            tf.cast(projected[time], wide), tf.cast(recurrent, wide), state
        )
        if valid is not None:
            new = [
                tf.where(valid[time], *pair) for pair in zip(new, state, strict=True)
            ]
        history = [
            a.write(time + 1, value) for a, value in zip(history, new, strict=True)
        ]
        gates = [
            array.write(time, value) for array, value in zip(gates, now, strict=True)
        ]
        return time + 1, list(new), history, gates

    def arrays(count, size):
        shape = state[0].shape
        return [
            tf.TensorArray(wide, size, element_shape=shape, clear_after_read=False)
            for _ in range(count)
        ]

    history = [
        array.write(0, value)
        for array, value in zip(arrays(len(state), length + 1), state, strict=True)
    ]
    _, _, history, gates = tf.while_loop(
        lambda time, *_: time < length,
        body,
        (0, list(state), history, arrays(cell.num_saved, length)),
        maximum_iterations=length,
    )
    return [array.stack() for array in history], [array.stack() for array in gates]


def _backward(cell, history, gates, kernel, biases, d_outputs, d_final, valid):
    """Gradients of projected, kernel, biases and initial state, in this order."""
    length, wide = _length(d_outputs), history[0].dtype
    transposed = tf.transpose(kernel)

    def body(step, d_state, d_projected, d_recurrent):
        time = length - 1 - step
        d_state = [d_state[0] + tf.cast(d_outputs[time], wide), *d_state[1:]]
        before = [steps[time] for steps in history]
        after = [steps[time + 1] for steps in history]
        d_inputs, d_hidden, d_before = cell.step_gradient(
            [gate[time] for gate in gates], before, after, d_state
        )
        if valid is not None:
            keep = valid[time]
            d_inputs, d_hidden = [
                tf.where(keep, value, 0.0) for value in (d_inputs, d_hidden)
            ]
            d_before = [
                tf.where(keep, *pair) for pair in zip(d_before, d_state, strict=True)
            ]
        d_hidden = tf.cast(d_hidden, kernel.dtype)
        d_before[0] += tf.cast(tf.matmul(d_hidden, transposed), wide)
        d_projected = d_projected.write(time, tf.cast(d_inputs, kernel.dtype))
        if not cell.shares_gradient:
            d_recurrent = d_recurrent.write(time, d_hidden)
        return step + 1, d_before, d_projected, d_recurrent

    shape = (d_outputs.shape[1], kernel.shape[1])
    array = tf.TensorArray(kernel.dtype, length, element_shape=shape)
    other = tf.TensorArray(
        kernel.dtype, 0 if cell.shares_gradient else length, element_shape=shape
    )
    _, d_initial, d_projected, d_recurrent = tf.while_loop(
        lambda step, *_: step < length,
        body,
        (0, list(d_final), array, other),
        maximum_iterations=length,
    )
    d_projected = d_projected.stack()
    d_recurrent = d_projected if cell.shares_gradient else d_recurrent.stack()
    d_rows = tf.reshape(d_recurrent, (-1, kernel.shape[1]))
    rows = tf.reshape(history[0][:-1], (-1, kernel.shape[0]))
    d_kernel = tf.matmul(tf.cast(rows, kernel.dtype), d_rows, transpose_a=True)
    d_biases = [tf.reduce_sum(d_rows, axis=0) for _ in biases]
    return d_projected, d_kernel, *d_biases, *d_initial


def _length(values):
    return tf.shape(values)[0] if values.shape[0] is None else values.shape[0]


def _project(inputs, kernel, tokens):
    """Inputs, or their rows that tokens choose, times kernel: `(T, B, G*U)`."""
    if tokens is None:
        return tf.matmul(tf.transpose(inputs, (1, 0, 2)), kernel)
    # A product instead of a gather: its gradient is a product too, not a scatter.
    tokens = at_rows(tokens, inputs.shape[0])
    chosen = tf.one_hot(tf.transpose(tokens), inputs.shape[0], dtype=kernel.dtype)
    return tf.matmul(chosen, tf.matmul(inputs, kernel))


class _Orthogonal(keras.initializers.Orthogonal):
    """Keras' initializer, in bfloat16 too: TensorFlow has no QR decomposition there.

    It chooses its seed when it is made, as all of Keras' do, and not when the weight
    gets its value, which may be after all other weights were made.
    """

    def __call__(self, shape, dtype=None):
        wide = "float32" if dtype == "bfloat16" else dtype
        return ops.cast(super().__call__(shape, wide), dtype)


class Recurrent(keras.layers.Layer):
    """What SimpleRNN, LSTM and GRU share; see those.

    A subclass states how many gates and states it has and fills `step` and
    `step_gradient`, both functions of one time step without any product of matrices.
    """

    num_gates = None
    num_states = 1
    num_saved = None
    # Whether the gradients of inputs @ kernel and of state @ kernel are the same.
    shares_gradient = True

    def __init__(self, units, **kwargs):
        # Float32 states must not be cast to half precision on the way in.
        super().__init__(autocast=False, **kwargs)
        check_sizes(units=units)
        self.units = units

    def build(
        self,
        inputs_shape,
        initial_state_shape=None,
        valid_shape=None,
        tokens_shape=None,
    ):
        width = self.num_gates * self.units
        self.kernel = self.add_weight(
            (inputs_shape[-1], width), initializer="glorot_uniform", name="kernel"
        )
        self.recurrent_kernel = self.add_weight(
            (self.units, width), initializer=_Orthogonal(), name="recurrent_kernel"
        )
        self.bias = self.add_weight(
            self.bias_shape, initializer=self.initial_bias, name="bias"
        )

    @property
    def bias_shape(self):
        return (self.num_gates * self.units,)

    def initial_bias(self, shape, dtype=None):
        return ops.zeros(shape, dtype)

    @property
    def state_dtype(self):
        """The dtype of the states: float32, or float64 when the layer is."""
        return "float64" if self.compute_dtype == "float64" else "float32"

    def initial_state(self, batch_size):
        """The state before the first token: a list of zeros `(batch_size, U)`."""
        shape = (batch_size, self.units)
        return [ops.zeros(shape, self.state_dtype) for _ in range(self.num_states)]

    def call(self, inputs, initial_state=None, valid=None, tokens=None):
        if initial_state is None:
            batch = ops.shape(inputs if tokens is None else tokens)[0]
            initial_state = self.initial_state(batch)
        inputs = ops.cast(inputs, self.compute_dtype)
        state = [ops.cast(value, self.state_dtype) for value in initial_state]
        weights = [
            ops.cast(weight, self.compute_dtype)
            for weight in (self.kernel, self.recurrent_kernel, self.bias)
        ]
        kernel, recurrent_kernel, bias = weights
        input_bias, recurrent_bias = self.split_bias(bias)
        projected = _project(inputs, kernel, tokens) + input_bias
        if valid is not None:
            valid = tf.transpose(valid)[:, :, None]  # (T, B, 1)
        outputs, final = recur(
            self, projected, recurrent_kernel, recurrent_bias, state, valid
        )
        return tf.transpose(outputs, (1, 0, 2)), final

    def split_bias(self, bias):
        return bias, None

    def get_config(self):
        return {**super().get_config(), "units": self.units}


@register
class LSTM(Recurrent):
    """Long short-term memory.

    Weights are those of `keras.layers.LSTM`: gates in the order input, forget,
    candidate, output. The recurrent kernel starts orthogonal, the forget gate's bias
    at 1, everything else as in Keras.

    Args:
        units: int. Width U of the two states, hidden and cell.

    Call arguments:
        inputs: float `(B, T, D)`.
        initial_state: list of two `(B, U)`, hidden and cell; zeros when `None`.
        valid: bool `(B, T)` or `None`. Where false (padding, on either side) the
            state is carried unchanged.
        tokens: int `(B, T)` or `None`. If given, `inputs` is a table `(V, D)` and the
            layer runs over the rows `tokens` choose, each row projected only once.

    Returns:
        `(outputs, state)`: `(B, T, U)`, the hidden state after each step, in the
        compute dtype, and the final state as a list, float32 under half precision.

    Reference: Hochreiter and Schmidhuber 1997; forget gate of Gers et al. 2000
    """

    num_gates = 4
    num_states = 2
    num_saved = 4

    def initial_bias(self, shape, dtype=None):
        zeros = ops.zeros((self.units,), dtype)
        return ops.concatenate([zeros, ops.ones((self.units,), dtype), zeros, zeros])

    def step(self, projected, recurrent, state):
        entry, forget, candidate, exit_ = tf.split(projected + recurrent, 4, axis=-1)
        entry, forget, exit_ = map(tf.sigmoid, (entry, forget, exit_))
        candidate = tf.tanh(candidate)
        cell = forget * state[1] + entry * candidate
        return [exit_ * tf.tanh(cell), cell], [entry, forget, candidate, exit_]

    def step_gradient(self, gates, before, after, d_state):
        entry, forget, candidate, exit_ = gates
        squashed = tf.tanh(after[1])
        d_exit = d_state[0] * squashed
        d_cell = d_state[1] + d_state[0] * exit_ * (1.0 - squashed * squashed)
        d_sum = tf.concat(
            [
                d_cell * candidate * entry * (1.0 - entry),
                d_cell * before[1] * forget * (1.0 - forget),
                d_cell * entry * (1.0 - candidate * candidate),
                d_exit * exit_ * (1.0 - exit_),
            ],
            axis=-1,
        )
        return d_sum, d_sum, [tf.zeros_like(d_cell), d_cell * forget]


@register
class GRU(Recurrent):
    """Gated recurrent unit, the reset gate applied after the product.

    Weights are those of `keras.layers.GRU(reset_after=True)`, which is also cuDNN's
    and torch's formula: gates in the order update, reset, candidate; `bias` is
    `(2, 3 * U)`, of the inputs and of the state.

    Args:
        units: int. Width U of the state.

    Call arguments:
        inputs: float `(B, T, D)`.
        initial_state: list of one `(B, U)`; zeros when `None`.
        valid: bool `(B, T)` or `None`. Where false (padding, on either side) the
            state is carried unchanged.
        tokens: int `(B, T)` or `None`. If given, `inputs` is a table `(V, D)` and the
            layer runs over the rows `tokens` choose, each row projected only once.

    Returns:
        `(outputs, state)`: `(B, T, U)` in the compute dtype, and the final state as
        a list of one, float32 under half precision.

    Reference: Cho et al. 2014, https://arxiv.org/abs/1406.1078, version 1
    """

    num_gates = 3
    num_saved = 4
    shares_gradient = False

    @property
    def bias_shape(self):
        return (2, 3 * self.units)

    def split_bias(self, bias):
        return bias[0], bias[1]

    def step(self, projected, recurrent, state):
        update, reset, candidate = tf.split(projected, 3, axis=-1)
        update_, reset_, inner = tf.split(recurrent, 3, axis=-1)
        update, reset = tf.sigmoid(update + update_), tf.sigmoid(reset + reset_)
        candidate = tf.tanh(candidate + reset * inner)
        new = candidate + update * (state[0] - candidate)
        return [new], [update, reset, candidate, inner]

    def step_gradient(self, gates, before, after, d_state):
        update, reset, candidate, inner = gates
        d_update = d_state[0] * (before[0] - candidate) * update * (1.0 - update)
        d_candidate = d_state[0] * (1.0 - update) * (1.0 - candidate * candidate)
        d_reset = d_candidate * inner * reset * (1.0 - reset)
        d_inputs = tf.concat([d_update, d_reset, d_candidate], axis=-1)
        d_hidden = tf.concat([d_update, d_reset, d_candidate * reset], axis=-1)
        return d_inputs, d_hidden, [d_state[0] * update]


@register
class SimpleRNN(Recurrent):
    """Elman network: `state = tanh(inputs @ kernel + state @ recurrent_kernel + bias)`.

    Weights are those of `keras.layers.SimpleRNN`.

    Args:
        units: int. Width U of the state.

    Call arguments:
        inputs: float `(B, T, D)`.
        initial_state: list of one `(B, U)`; zeros when `None`.
        valid: bool `(B, T)` or `None`. Where false (padding, on either side) the
            state is carried unchanged.
        tokens: int `(B, T)` or `None`. If given, `inputs` is a table `(V, D)` and the
            layer runs over the rows `tokens` choose, each row projected only once.

    Returns:
        `(outputs, state)`: `(B, T, U)` in the compute dtype, and the final state as
        a list of one, float32 under half precision.

    Reference: Elman 1990, Finding Structure in Time
    """

    num_gates = 1
    num_saved = 0

    def step(self, projected, recurrent, state):
        return [tf.tanh(projected + recurrent)], []

    def step_gradient(self, gates, before, after, d_state):
        d_sum = d_state[0] * (1.0 - after[0] * after[0])
        return d_sum, d_sum, [tf.zeros_like(d_sum)]


CELLS = {"simple": SimpleRNN, "lstm": LSTM, "gru": GRU}


def check_cell(cell):
    """Raises a `ValueError` unless `cell` is a key of `CELLS`."""
    check_one_of("cell", cell, CELLS)
