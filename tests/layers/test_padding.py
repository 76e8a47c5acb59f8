"""Padding is left out, and real tokens do not notice."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai.layers.padding import at_real_tokens, skip_padding
from keras_genai.networks.bert import BERT
from keras_genai.networks.t5 import T5
from keras_genai.tasks.seq2seq import Seq2SeqLM

REAL = np.arange(6) < np.array([[6], [2], [4]])
TOKENS = np.random.default_rng(0).integers(0, 20, REAL.shape).astype("int32")


def test_layer_sees_real_tokens_only():
    x = np.random.default_rng(1).normal(size=(3, 6, 4)).astype("float32")
    seen = []

    def layer(tokens):
        seen.append(tokens.shape)
        return tokens + 1

    found = at_real_tokens(layer, tf.constant(x), tf.constant(REAL))
    assert seen == [(1, REAL.sum(), 4)]
    np.testing.assert_array_equal(found, np.where(REAL[..., None], x + 1, 0))


def test_everything_is_real_without_a_mask():
    x = tf.ones((3, 6, 4))
    np.testing.assert_array_equal(at_real_tokens(lambda x: x + 1, x, None), x + 1)


def bert(mask):
    inputs = {"tokens": TOKENS, "tokens_mask": mask}
    sizes = dict(vocabulary_size=20, context=8, depth=2, width=8, num_heads=2)
    network = BERT(**sizes, dropout=0.0).complete()
    return network, inputs, lambda outputs: outputs["hidden"]


def t5(mask):
    inputs = {"inputs": TOKENS, "inputs_mask": mask, "targets": TOKENS}
    network = T5(
        vocabulary_size=20,
        encoder_depth=1,
        decoder_depth=1,
        width=8,
        num_heads=2,
        head_dim=4,
        inner_width=16,
        dropout=0.0,
    )
    return Seq2SeqLM(network), inputs, None


@pytest.mark.slow
@pytest.mark.parametrize("make", [bert, t5])
@pytest.mark.parametrize("dtype", ["int32", "bool"])
def test_outputs_and_gradients_stay_the_same(make, dtype):
    model, inputs, choose = make(REAL.astype(dtype))
    assert skip_padding(model) == 2

    def step():
        with tf.GradientTape() as tape:
            outputs = model(inputs, training=True)
            if choose:
                outputs = choose(outputs) * REAL[..., None]
            loss = tf.reduce_mean(tf.square(outputs))
        weights = [weight.value for weight in model.trainable_weights]
        return outputs, tape.gradient(loss, weights, unconnected_gradients="zero")

    def run(jit_compile=False):
        outputs, found = tf.function(step, jit_compile=jit_compile)()
        return [outputs, *map(tf.convert_to_tensor, found)]

    skipped, compiled = run(), run(jit_compile=True)
    skip_padding(model, False)
    for parts in zip(run(), skipped, compiled, strict=True):
        for part in parts[1:]:
            np.testing.assert_allclose(part, parts[0], atol=1e-5)


def test_the_switch_shows_at_padding_and_nowhere_else():
    model, inputs, hidden = bert(REAL)
    before = hidden(model(inputs)).numpy()
    skip_padding(model)
    after = hidden(model(inputs)).numpy()
    np.testing.assert_allclose(after[REAL], before[REAL], atol=1e-5)
    assert np.abs(after[~REAL] - before[~REAL]).max() > 1e-3


def test_a_model_without_blocks_is_an_error():
    with pytest.raises(ValueError, match="must have Block layers"):
        skip_padding(keras.Sequential([keras.layers.Dense(1)]))
