"""Our dense layer gives the numbers of Keras', also where XLA has one vector."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai.layers.dense import Dense


@pytest.mark.parametrize("size", [24, 12, 7])  # 8, 4 parts and 1
@pytest.mark.parametrize("rows", [1, 3])
@pytest.mark.parametrize("use_bias", [True, False])
def test_products_are_those_of_keras(size, rows, use_bias):
    x = np.random.default_rng(0).normal(size=(rows, 1, size)).astype("float32")
    settings = dict(use_bias=use_bias, bias_initializer="normal", activation="relu")
    layer, plain = Dense(5, **settings), keras.layers.Dense(5, **settings)
    layer.build(x.shape)
    plain.build(x.shape)
    plain.set_weights(layer.get_weights())
    found = tf.function(layer, jit_compile=True)(tf.constant(x))
    assert found.shape == (rows, 1, 5)
    np.testing.assert_allclose(found, plain(x), atol=1e-5)
