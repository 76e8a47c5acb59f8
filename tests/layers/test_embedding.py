"""The product gives the look-up's vectors and its gradient."""

import keras
import numpy as np
import tensorflow as tf

from keras_genai.layers import embedding
from keras_genai.layers.embedding import TokenEmbedding


def test_product_and_look_up_agree_in_value_and_gradient(monkeypatch):
    tokens = np.array([[3, 1, 3], [0, 6, 2]])
    results = []
    for limit in (256, 0):
        monkeypatch.setattr(embedding, "LARGEST_PRODUCT", limit)
        keras.utils.set_random_seed(0)
        layer = TokenEmbedding(7, 4)
        layer.build()
        with tf.GradientTape() as tape:
            vectors = layer(tokens)
            loss = tf.reduce_sum(vectors**3)
        gradient = tape.gradient(loss, layer.embeddings.value)
        results.append((vectors.numpy(), tf.convert_to_tensor(gradient).numpy()))
    (product, product_gradient), (look_up, look_up_gradient) = results
    np.testing.assert_array_equal(product, look_up)
    np.testing.assert_allclose(product_gradient, look_up_gradient, atol=1e-6)
    assert np.abs(product_gradient).max() > 0
