import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai.layers.recurrent import GRU
from keras_genai.layers.recurrent_attention import BahdanauAttention, LuongAttention
from keras_genai.layers.recurrent_stacks import BidirectionalStack
from keras_genai.layers.scan import scan

ATTENTIONS = {
    "bahdanau": lambda: BahdanauAttention(7),
    "dot": lambda: LuongAttention("dot"),
    "general": lambda: LuongAttention("general"),
    "concat": lambda: LuongAttention("concat", units=3),
}


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


@pytest.mark.parametrize("name", ATTENTIONS)
def test_padding_gets_no_attention_and_the_rest_gets_all(name):
    keras.utils.set_random_seed(0)
    layer, query, memory = ATTENTIONS[name](), draw(2, 3, 4), draw(2, 5, 4, seed=1)
    mask = np.arange(5)[None] < np.array([[5], [2]])
    context, weights = layer(query, memory, attention_mask=mask)
    assert context.shape == (2, 3, 4)
    np.testing.assert_allclose(np.sum(weights, -1), 1, rtol=1e-6)
    assert not np.any(weights[1, :, 2:])
    alone, _ = layer(query[1:], memory[1:, :2], attention_mask=mask[1:, :2])
    np.testing.assert_allclose(context[1:], alone, atol=1e-6)


@pytest.mark.parametrize("name", ATTENTIONS)
def test_scores_are_the_papers(name):
    keras.utils.set_random_seed(0)
    layer, query, memory = ATTENTIONS[name](), draw(2, 3, 4), draw(2, 5, 4, seed=1)
    _, weights = layer(query, memory, attention_mask=np.ones((2, 5), bool))
    own = {weight.name: np.asarray(weight.value) for weight in layer.weights}
    if name == "dot":
        scores = np.einsum("bqd,bsd->bqs", query, memory)
    elif name == "general":
        scores = np.einsum("bqd,de,bse->bqs", query, own["key"].T, memory)
    else:
        pairs = (query @ own["query"])[:, :, None] + (memory @ own["key"])[:, None]
        scores = np.tanh(pairs) @ own["vector"]
    np.testing.assert_allclose(weights, softmax(scores), atol=1e-6)


def test_a_product_of_different_widths_is_refused():
    with pytest.raises(ValueError, match="as wide as the queries"):
        LuongAttention("dot")(draw(1, 2, 4), draw(1, 3, 6), np.ones((1, 3), bool))
    with pytest.raises(ValueError, match="`score` must be one of"):
        LuongAttention("cosine")


@pytest.mark.parametrize("cell", ["simple", "lstm", "gru"])
def test_a_padded_text_is_read_from_both_its_own_ends(cell):
    keras.utils.set_random_seed(0)
    layer = BidirectionalStack(3, num_layers=2, cell=cell)
    x = draw(2, 6, 4)
    valid = np.arange(6)[None] < np.array([[6], [4]])
    outputs, states = layer(x, valid)
    alone, alone_states = layer(x[1:, :4], valid[1:, :4])
    np.testing.assert_allclose(outputs[1:, :4], alone, atol=1e-6)
    for padded, unpadded in zip(
        tf.nest.flatten(states), tf.nest.flatten(alone_states), strict=True
    ):
        np.testing.assert_allclose(padded[1:], unpadded, atol=1e-6)


def test_the_backward_layer_is_the_forward_one_over_the_reversed_text():
    keras.utils.set_random_seed(0)
    layer, x = BidirectionalStack(3), draw(1, 5, 4)
    outputs, _ = layer(x, np.ones((1, 5), bool))
    turned = GRU(3)
    turned.build((None, None, 4))
    for mine, theirs in zip(turned.weights, layer.layers_back[0].weights, strict=True):
        mine.assign(theirs)
    expected, _ = turned(x[:, ::-1])
    np.testing.assert_allclose(outputs[:, :, 3:], expected[:, ::-1], atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [True, False])
def test_scan_has_the_gradients_of_an_unrolled_loop(jit_compile):
    inputs, state, constant = draw(4, 2, 3), draw(2, 3, seed=1), draw(2, 3, seed=2)
    matrices = {"a": draw(3, 3, seed=3), "b": draw(6, 3, seed=4)}
    given = [tf.constant(v) for v in (inputs, state, constant, *matrices.values())]

    def step(time, x, state, multiply, constants):
        (old,) = state
        new = tf.tanh(x + multiply("a", old) * constants["c"])
        both = tf.concat([new, old], axis=-1)
        return [new], [tf.sin(multiply("b", both)), new * constants["c"]]

    def scanned(x, state, c, a, b):
        outputs, final = scan(step, x, [state], {"a": a, "b": b}, {"c": c}, 4)
        return [*outputs, *final]

    def unrolled(x, state, c, a, b):
        matrices, state, found = {"a": a, "b": b}, [state], []
        for time in range(4):
            state, outputs = step(
                time, x[time], state, lambda n, r: r @ matrices[n], {"c": c}
            )
            found.append(outputs)
        return [*(tf.stack(each) for each in zip(*found, strict=True)), *state]

    def gradients(function):
        with tf.GradientTape() as tape:
            tape.watch(given)
            results = function(*given)
            total = sum(
                tf.reduce_sum(each * draw(*each.shape, seed=5)) for each in results
            )
        return results, tape.gradient(total, given)

    found = tf.function(lambda: gradients(scanned), jit_compile=jit_compile)()
    expected = gradients(unrolled)
    for mine, other in zip(
        tf.nest.flatten(found), tf.nest.flatten(expected), strict=True
    ):
        np.testing.assert_allclose(mine, other, atol=2e-5)
