"""Learned vectors of distances: skewed, gathered and clipped, all are the same."""

import numpy as np
import pytest
import tensorflow as tf
from keras import ops

from keras_genai.layers.attention import Attention, causal_mask
from keras_genai.layers.positions import RelativeKeys

BATCH, HEADS, LENGTH, SIZE = 2, 3, 7, 4


def made(max_distance):
    layer = RelativeKeys(HEADS, SIZE, max_distance, initializer="normal")
    layer.build()
    return layer


def naive(query, table):
    """The definition: query `t` times the vector of `t - s`, for every `s <= t`."""
    found = np.zeros((BATCH, HEADS, LENGTH, LENGTH))
    for t in range(LENGTH):
        for s in range(t + 1):
            vector = table[:, min(t - s, table.shape[1] - 1)]  # (H, D)
            found[:, :, t, s] = (query[:, :, t] * vector).sum(axis=-1)
    return found


@pytest.fixture
def query():
    return np.random.default_rng(0).normal(size=(BATCH, HEADS, LENGTH, SIZE))


@pytest.mark.parametrize("max_distance", [3, LENGTH, 12])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_every_key_that_may_be_seen_has_the_vector_of_its_distance(
    query, max_distance, jit_compile
):
    layer = made(max_distance)
    places = np.arange(LENGTH)
    distances = np.repeat((places[:, None] - places)[None], BATCH, axis=0)
    expected = naive(query, ops.convert_to_numpy(layer.table))
    seen = np.tril(np.ones((LENGTH, LENGTH), bool))
    function = tf.function(layer, jit_compile=jit_compile)
    tensor = tf.constant(query, "float32")
    for found in (function(tensor), function(tensor, tf.constant(distances))):
        np.testing.assert_allclose(
            ops.convert_to_numpy(found)[:, :, seen], expected[:, :, seen], atol=1e-5
        )


def test_both_ways_have_the_same_gradient(query):
    layer = made(5)
    places = np.arange(LENGTH)
    distances = tf.constant((places[:, None] - places)[None])
    seen = tf.cast(causal_mask(LENGTH), "float32")
    found = []
    for given in (None, distances):
        with tf.GradientTape() as tape:
            products = layer(tf.constant(query, "float32"), given) * seen
            loss = tf.reduce_sum(tf.sin(products))
        found.append(tape.gradient(loss, layer.table.value))
    np.testing.assert_allclose(*found, atol=1e-5)
    assert np.abs(found[0]).max() > 0.1


def test_a_query_is_scaled_for_distances_as_it_is_for_keys():
    x = np.random.default_rng(1).normal(size=(1, 3, 8)).astype("float32")
    layer = Attention(2, 4, scale=0.0, relative_keys=RelativeKeys(2, 4, 3))
    layer.build(x.shape)
    layer.relative_keys.table.assign(np.full((2, 3, 4), 50.0))
    plain = Attention(2, 4, scale=0.0)
    plain.build(x.shape)
    plain.set_weights(layer.get_weights()[1:])
    memory = layer.project_memory(x)
    np.testing.assert_allclose(layer(x, memory), plain(x, memory), atol=1e-6)
