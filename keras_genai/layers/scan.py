"""A loop over time whose matrices get their gradients outside of it."""

import tensorflow as tf


def scan(step, inputs, state, matrices, constants, length):
    """Runs a step over time and keeps no more than its states.

    Going back, each step is computed once more. The gradient of a matrix, which
    automatic differentiation adds up inside the backward loop, is one product over
    all steps after it.

    Args:
        step: function `step(time, inputs, state, multiply, constants)` of one moment
            that returns `(state, outputs)`, the second one a list of tensors with the
            batch first. It must call `multiply(name, rows)`, which is
            `rows @ matrices[name]` for rows `(B, K)`, once for every matrix, and
            use no other weights than these and `constants`.
        inputs: float `(T, B, N)`.
        state: list of float tensors, before the first step.
        matrices: dict of str to float `(K, N)`, all of one dtype.
        constants: dict of str to float tensor, what every step may read.
        length: int or int scalar, T.

    Returns:
        `(outputs, state)`: list of `(T, B, ...)`, and the final state.
    """
    kinds = (sorted(matrices), sorted(constants))

    @tf.custom_gradient
    def run(inputs, *flat):
        values = iter(flat)
        first = [next(values) for _ in state]
        own, shared = ({name: next(values) for name in names} for names in kinds)
        loop = _Loop(step, inputs, own, shared, length)
        outputs, history, final = loop.forward(first)

        def gradient(*d_results):
            d_outputs = d_results[: len(outputs)]
            return loop.backward(history, d_outputs, d_results[len(outputs) :])

        return (*outputs, *final), gradient

    weights = [
        given[name]
        for given, names in zip((matrices, constants), kinds, strict=True)
        for name in names
    ]
    results = run(inputs, *state, *weights)
    count = len(results) - len(state)
    return list(results[:count]), list(results[count:])


class _Loop:
    """Both directions of one `scan`."""

    def __init__(self, step, inputs, matrices, constants, length):
        self.step, self.inputs, self.length = step, inputs, length
        self.matrices, self.constants = matrices, constants

    def forward(self, state):
        """Outputs `(T, B, ...)`, states before each step likewise, and the last."""

        def multiply(name, rows):
            return tf.matmul(rows, self.matrices[name])

        def one(time, inputs, state):
            return self.step(time, inputs, state, multiply, self.constants)

        shapes = _shapes(one, self.inputs, state)
        reader = _array(self.inputs.dtype, self.length, self.inputs.shape[1:])
        reader = reader.unstack(self.inputs)

        def body(time, state, history, outputs):
            history = _write(history, time, state)
            state, found = one(time, reader.read(time), state)
            return time + 1, list(state), history, _write(outputs, time, found)

        history = [_array(each.dtype, self.length, each.shape) for each in state]
        outputs = [_array(dtype, self.length, shape) for shape, dtype in shapes]
        _, state, history, outputs = self._while(body, state, history, outputs)
        history = [array.stack() for array in history]
        return [array.stack() for array in outputs], history, state

    def backward(self, history, d_outputs, d_state):
        """Gradients of inputs, state, matrices and constants, both by name."""
        names = sorted(self.matrices)
        rows_like, taps = self._probe(history)

        def body(step, d_state, d_constants, d_inputs, d_products, rows):
            time = self.length - 1 - step
            d_found = [each[time] for each in d_outputs]
            state = [each[time] for each in history]
            seen, d = self._one_back(time, state, taps, d_state, d_found)
            d_input, d_state, d_shared, d_taps = d
            return (
                step + 1,
                d_state,
                {name: d_constants[name] + d_shared[name] for name in d_constants},
                d_inputs.write(time, d_input),
                _write(d_products, time, [d_taps[name] for name in names]),
                _write(rows, time, [seen[name] for name in names]),
            )

        d_constants = tf.nest.map_structure(tf.zeros_like, self.constants)
        d_inputs = _array(self.inputs.dtype, self.length, self.inputs.shape[1:])
        d_products, rows = (
            [_array(like[n].dtype, self.length, like[n].shape) for n in names]
            for like in (taps, rows_like)
        )
        _, d_state, d_constants, d_inputs, d_products, rows = self._while(
            body, list(d_state), d_constants, d_inputs, d_products, rows
        )
        d_matrices = [
            tf.matmul(_flat(left), _flat(right), transpose_a=True)
            for left, right in zip(rows, d_products, strict=True)
        ]
        d_shared = [d_constants[name] for name in sorted(d_constants)]
        return d_inputs.stack(), *d_state, *d_matrices, *d_shared

    def _one_back(self, time, state, taps, d_state, d_found):
        """The rows each matrix met, and the gradients of one step."""
        seen = {}

        def multiply(name, rows):
            seen[name] = rows
            # The gradient of what is added is the one of the product.
            return tf.matmul(rows, self.matrices[name]) + taps[name]

        watched = [self.inputs[time], state, self.constants, taps]
        with tf.GradientTape(watch_accessed_variables=False) as tape:
            tape.watch(watched)
            after, found = self.step(time, watched[0], state, multiply, self.constants)
        gradients = tape.gradient(
            [list(after), list(found)],
            watched,
            output_gradients=[d_state, d_found],
            unconnected_gradients=tf.UnconnectedGradients.ZERO,
        )
        return seen, gradients

    def _probe(self, history):
        """Like the rows that each matrix meets, and zeros like its products."""
        seen, taps = {}, {}

        def multiply(name, rows):
            seen[name] = rows
            taps[name] = tf.zeros_like(tf.matmul(rows, self.matrices[name]))
            return taps[name]

        state = [each[0] for each in history]
        self.step(0, self.inputs[0], state, multiply, self.constants)
        return seen, taps

    def _while(self, body, *variables):
        return tf.while_loop(
            lambda time, *_: time < self.length,
            body,
            (0, *variables),
            maximum_iterations=self.length,
        )


def _shapes(one, inputs, state):
    """Shape and dtype of each output of a step; XLA drops the step itself."""
    return [(each.shape, each.dtype) for each in one(0, inputs[0], state)[1]]


def _array(dtype, size, shape):
    return tf.TensorArray(dtype, size, element_shape=shape, clear_after_read=False)


def _write(arrays, time, values):
    return [a.write(time, value) for a, value in zip(arrays, values, strict=True)]


def _flat(array):
    values = array.stack()
    return tf.reshape(values, (-1, values.shape[-1]))
