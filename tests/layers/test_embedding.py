"""The product gives the look-up's vectors and its gradient."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai.layers import embedding
from keras_genai.layers.embedding import TokenEmbedding, token_logits


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


@pytest.mark.parametrize("rows", [(3, 1), (1, 1), (1, 65), (2, 3, 4)])
def test_logits_are_the_product_with_the_table_for_few_and_for_many_vectors(rows):
    layer = TokenEmbedding(7, 4)
    layer.build()
    x = np.random.default_rng(0).standard_normal((*rows, 4)).astype("float32")
    bias = np.arange(7, dtype="float32")
    expected = x @ layer.embeddings.numpy().T
    np.testing.assert_allclose(layer.logits(x), expected, atol=1e-6)
    found = tf.function(token_logits, jit_compile=True)(x, layer, bias=bias)
    np.testing.assert_allclose(found, expected + bias, atol=1e-5)


def test_logits_of_unknown_shapes_are_the_same():
    layer = TokenEmbedding(7, 4)
    layer.build()
    x = np.ones((2, 3, 4), "float32")
    unknown = tf.function(
        layer.logits, input_signature=[tf.TensorSpec((None, None, 4), "float32")]
    )
    np.testing.assert_allclose(unknown(x), layer.logits(x), atol=1e-6)
