"""Recomputed blocks give the same losses, gradients and random numbers."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai.layers import adapters
from keras_genai.layers.recompute import recompute_blocks
from keras_genai.networks.gpt import GPT
from keras_genai.networks.t5 import T5
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.seq2seq import Seq2SeqLM

TOKENS = np.random.default_rng(0).integers(0, 20, (2, 6)).astype("int32")


def gpt():
    sizes = dict(context=8, depth=2, width=8, num_heads=2)
    return CausalLM(GPT(vocabulary_size=20, dropout=0.3, **sizes))


def adapted_gpt():
    model = gpt()
    adapters.add(model, rank=2, dropout=0.3)
    for weight in model.trainable_weights:
        weight.assign(keras.random.normal(weight.shape, seed=1))
    return model


def t5():
    network = T5(
        vocabulary_size=20,
        encoder_depth=1,
        decoder_depth=1,
        width=8,
        num_heads=2,
        head_dim=4,
        inner_width=16,
        dropout=0.3,
    )
    return Seq2SeqLM(network)


def inputs_of(model):
    if isinstance(model, CausalLM):
        return TOKENS
    mask = np.ones(TOKENS.shape, bool)
    return {"inputs": TOKENS, "inputs_mask": mask, "targets": TOKENS}


def gradients(model, wrap, training=True):
    """Loss, gradients, random states afterwards, and the products in the graph."""
    states = [v for v in model.variables if v.path.endswith("seed_generator_state")]
    for state in states:
        state.assign([7, 0])

    def step():
        with tf.GradientTape() as tape:
            logits = model(inputs_of(model), training=training)
            loss = tf.reduce_mean(tf.square(logits))
        found = tape.gradient(loss, [w.value for w in model.trainable_weights])
        return loss, [tf.convert_to_tensor(gradient) for gradient in found]

    loss, found = wrap(step)()
    return loss.numpy(), [g.numpy() for g in found], [s.numpy() for s in states]


@pytest.mark.slow
@pytest.mark.parametrize("make", [gpt, adapted_gpt, t5])
def test_gradients_are_equal_under_a_compiled_function(make):
    keras.utils.set_random_seed(0)
    model = make()
    plain = gradients(model, tf.function)
    recompute_blocks(model)
    again = gradients(model, tf.function)
    np.testing.assert_allclose(again[0], plain[0], rtol=1e-6)
    for mine, theirs in zip(again[1], plain[1], strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(again[2], plain[2])
    assert any(state[1] > 0 for state in again[2])


def test_gradients_are_equal_step_by_step_and_without_dropout():
    keras.utils.set_random_seed(0)
    model = gpt()
    for training in (True, False):
        recompute_blocks(model, False)
        plain = gradients(model, lambda step: step, training)
        recompute_blocks(model)
        again = gradients(model, lambda step: step, training)
        for mine, theirs in zip(again[1], plain[1], strict=True):
            np.testing.assert_allclose(mine, theirs, rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_the_forward_pass_is_there_twice():
    def products(model, backward=True):
        @tf.function
        def function():
            with tf.GradientTape() as tape:
                loss = tf.reduce_sum(model(TOKENS))
            if not backward:
                return loss
            return tape.gradient(loss, [w.value for w in model.trainable_weights])

        operations = function.get_concrete_function().graph.get_operations()
        return sum("MatMul" in operation.type for operation in operations)

    model = gpt()
    plain, forward = products(model), products(model, backward=False)
    assert recompute_blocks(model) == 2
    # All but the head, and the last product of the last block, which nothing needs.
    assert products(model) == plain + forward - 2


@pytest.mark.slow
def test_fit_learns_with_xla():
    keras.utils.set_random_seed(0)
    model = gpt()
    recompute_blocks(model)
    model.compile(
        "adam",
        keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True,
    )
    losses = model.fit(TOKENS, TOKENS, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_a_model_without_blocks_is_refused():
    with pytest.raises(ValueError, match="must have Block layers"):
        recompute_blocks(keras.Sequential([keras.layers.Dense(1)]))
