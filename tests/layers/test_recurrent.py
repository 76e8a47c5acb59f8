import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai.layers.recurrent import GRU, LSTM, SimpleRNN

BATCH, LENGTH, DEPTH, UNITS = 3, 5, 4, 6
VALID = np.arange(LENGTH) < np.array([[5], [3], [1]])  # (B, T)
PEERS = {
    SimpleRNN: keras.layers.SimpleRNN,
    LSTM: keras.layers.LSTM,
    GRU: keras.layers.GRU,
}
all_cells = pytest.mark.parametrize("cell", PEERS)


def normal(*shape, seed=0):
    values = np.random.default_rng(seed).normal(size=shape)
    return tf.constant(values, "float32")


def make(cell, units=UNITS, **kwargs):
    layer = cell(units, **kwargs)
    layer.build((None, None, DEPTH))
    for index, weight in enumerate(layer.weights):
        weight.assign(0.5 * normal(*weight.shape, seed=index))
    return layer


def make_pair(cell):
    ours = make(cell)
    peer = PEERS[cell](UNITS, return_sequences=True, return_state=True)
    peer.build((None, None, DEPTH))
    peer.set_weights(ours.get_weights())
    return ours, peer


def start_of(layer):
    count = layer.num_states
    return [normal(BATCH, UNITS, seed=10 + index) for index in range(count)]


def outputs_and_gradients(call, weights, inputs, state):
    """Everything that a loss on all outputs and on the final state can reach."""
    with tf.GradientTape() as tape:
        tape.watch([inputs, *state])
        outputs, final = call(inputs, state)
        steps = tf.cast(tf.range(tf.shape(outputs)[1])[:, None], outputs.dtype)
        loss = tf.reduce_sum(tf.cast(tf.sin(outputs + steps), "float32"))
        for index, value in enumerate(final):
            loss += tf.reduce_sum((index + 2) * value * value)
    sources = [inputs, *state, *[weight.value for weight in weights]]
    return [outputs, *final, *tape.gradient(loss, sources)]


def run(layer, inputs, state, valid=None):
    return outputs_and_gradients(
        lambda x, start: layer(x, initial_state=start, valid=valid),
        layer.trainable_variables,
        inputs,
        state,
    )


def run_peer(peer, inputs, state, valid=None):
    def call(x, start):
        outputs, *final = peer(x, initial_state=start, mask=valid)
        return outputs, final

    return outputs_and_gradients(call, peer.trainable_variables, inputs, state)


def assert_close(got, wanted, tolerance=1e-5):
    assert len(got) == len(wanted)
    for one, other in zip(got, wanted, strict=True):
        one, other = np.asarray(one, "float32"), np.asarray(other, "float32")
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)


@pytest.mark.slow
@all_cells
@pytest.mark.parametrize("valid", [None, VALID], ids=["whole", "padded"])
@pytest.mark.parametrize("mode", ["eager", "graph", "xla"])
def test_outputs_states_and_all_gradients_are_those_of_keras(cell, valid, mode):
    ours, peer = make_pair(cell)
    inputs, state = normal(BATCH, LENGTH, DEPTH), start_of(ours)
    valid = None if valid is None else tf.constant(valid)
    call = run if mode == "eager" else tf.function(run, jit_compile=mode == "xla")
    assert_close(call(ours, inputs, state, valid), run_peer(peer, inputs, state, valid))


@all_cells
def test_no_initial_state_means_zeros(cell):
    layer, inputs = make(cell), normal(BATCH, LENGTH, DEPTH)
    zeros = [tf.zeros((BATCH, UNITS)) for _ in range(layer.num_states)]
    one, _ = layer(inputs)
    other, _ = layer(inputs, initial_state=zeros)
    np.testing.assert_array_equal(one, other)


@all_cells
def test_a_table_and_tokens_are_the_rows_of_the_table(cell):
    layer, table = make(cell), normal(7, DEPTH)
    tokens = tf.constant([[0, 6, 2], [5, 5, 1]])
    state = [value[:2] for value in start_of(layer)]

    def by_rows(x, start):
        return layer(tf.gather(x, tokens), initial_state=start)

    def by_tokens(x, start):
        return layer(x, initial_state=start, tokens=tokens)

    weights = layer.trainable_variables
    wanted, got = (
        outputs_and_gradients(call, weights, table, state)
        for call in (by_rows, by_tokens)
    )
    wanted = [tf.convert_to_tensor(value) for value in wanted]
    assert_close(got, wanted)


@all_cells
def test_an_unbuilt_layer_builds_itself_from_any_arguments(cell):
    inputs, valid = normal(BATCH, LENGTH, DEPTH), tf.constant(VALID)
    layer = cell(UNITS)
    outputs, _ = layer(inputs, initial_state=start_of(layer), valid=valid)
    assert outputs.shape == (BATCH, LENGTH, UNITS)
    tokens = tf.zeros((BATCH, LENGTH), "int32")
    assert cell(UNITS)(normal(7, DEPTH), tokens=tokens)[0].shape == outputs.shape


@pytest.mark.parametrize(
    "cell",
    [GRU, *(pytest.param(c, marks=pytest.mark.slow) for c in (LSTM, SimpleRNN))],
)
def test_a_graph_without_static_batch_and_length_gives_the_same(cell):
    layer, inputs = make(cell), normal(BATCH, LENGTH, DEPTH)
    signature = [
        tf.TensorSpec((None, None, DEPTH)),
        [tf.TensorSpec((None, UNITS)) for _ in range(layer.num_states)],
        tf.TensorSpec((None, None), "bool"),
    ]
    open_ended = tf.function(
        lambda *arguments: run(layer, *arguments), input_signature=signature
    )
    state, valid = start_of(layer), tf.constant(VALID)
    assert_close(open_ended(inputs, state, valid), run(layer, inputs, state, valid))


@all_cells
def test_padding_changes_nothing_and_gets_no_gradient(cell):
    layer, inputs = make(cell), normal(BATCH, LENGTH, DEPTH)
    state, valid = start_of(layer), tf.constant(VALID)
    other = tf.where(valid[:, :, None], inputs, 100.0)
    one, two = run(layer, inputs, state, valid), run(layer, other, state, valid)
    assert_close(one, two, tolerance=0.0)
    d_inputs = one[1 + layer.num_states]
    assert not np.any(np.asarray(d_inputs)[~VALID])


@pytest.mark.slow
@all_cells
@pytest.mark.parametrize("half", ["bfloat16", "float16"])
def test_half_precision_keeps_float32_states_and_is_close_to_float32(cell, half):
    exact, layer = make(cell), make(cell, dtype=f"mixed_{half}")
    inputs, state = normal(BATCH, LENGTH, DEPTH), start_of(exact)
    got = tf.function(run, jit_compile=True)(layer, inputs, state, tf.constant(VALID))
    assert got[0].dtype == half
    assert all(value.dtype == "float32" for value in got[1 : 1 + layer.num_states])
    wanted = run(exact, inputs, state, tf.constant(VALID))
    for one, other in zip(got, wanted, strict=True):
        one, other = np.asarray(one, "float32"), np.asarray(other)
        error = np.abs(one - other).max() / np.abs(other).max()
        assert error < (0.04 if half == "bfloat16" else 0.005)


def test_half_precision_does_not_round_a_state_that_is_only_carried():
    layer = make(LSTM, dtype="mixed_bfloat16")
    state, padding = start_of(layer), tf.zeros((BATCH, LENGTH), "bool")
    inputs = normal(BATCH, LENGTH, DEPTH)
    _, final = layer(inputs, initial_state=state, valid=padding)
    assert_close(final, state, tolerance=0.0)


def test_float64_is_float64_throughout():
    layer = make(LSTM, dtype="float64")
    outputs, state = layer(tf.cast(normal(BATCH, LENGTH, DEPTH), "float64"))
    assert {value.dtype for value in (outputs, *state)} == {tf.float64}


@all_cells
def test_each_loop_holds_one_matrix_product_a_step(cell):
    layer, inputs = make(cell), normal(BATCH, LENGTH, DEPTH)
    step = tf.function(run).get_concrete_function(layer, inputs, start_of(layer))
    bodies = [
        function
        for function in step.graph.as_graph_def().library.function
        if "while" in function.signature.name and "body" in function.signature.name
    ]
    products = [sum(node.op == "MatMul" for node in body.node_def) for body in bodies]
    assert products == [1, 1]


def test_the_forget_gate_starts_open_and_the_recurrent_kernel_orthogonal():
    layer = LSTM(UNITS)
    layer.build((None, None, DEPTH))
    bias = np.asarray(layer.bias).reshape(4, UNITS)
    np.testing.assert_array_equal(bias, np.eye(4)[1][:, None] * np.ones(UNITS))
    kernel = np.asarray(layer.recurrent_kernel)
    np.testing.assert_allclose(kernel @ kernel.T, np.eye(UNITS), atol=1e-5)


@pytest.mark.parametrize("units", [0, 2.5, None])
def test_units_must_be_a_positive_int(units):
    with pytest.raises((TypeError, ValueError), match="`units` must be an int >= 1"):
        LSTM(units)


@all_cells
def test_a_layer_survives_its_config(cell):
    layer = make(cell, name="layer")
    again = cell.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
