"""Latents: codebooks follow their vectors, draws hand gradients on."""

import numpy as np
import pytest
import tensorflow as tf

from keras_genai.layers.latent import GaussianSampling, GumbelSoftmax, VectorQuantizer
from keras_genai.layers.masked import MaskedConvolution

CODES = np.float32([[0, 0], [10, 0], [0, 10]])


def quantizer(restart_below=0.0, decay=0.9):
    layer = VectorQuantizer(3, 2, decay, restart_below, seed=1)
    layer.build()
    layer.codebook.assign(CODES)
    return layer


def test_averages_after_each_batch_are_the_closed_form():
    layer = quantizer()
    first = np.float32([[1, 1], [1, -1], [9, 0]])
    np.testing.assert_array_equal(layer(first, training=True)["codes"], [0, 0, 1])
    # Sums and counts start at zero, so the first batch alone decides.
    np.testing.assert_allclose(layer.codebook, [[1, 0], [9, 0], [0, 10]], rtol=1e-6)
    layer(np.float32([[2, 0]]), training=True)
    moved = (0.9 * 2 * 1 + 1 * 2) / (0.9 * 2 + 1)
    expected = [[moved, 0], [9, 0], [0, 10]]
    np.testing.assert_allclose(layer.codebook, expected, rtol=1e-5)
    np.testing.assert_allclose(layer.counts, [0.28, 0.09, 0.0], rtol=1e-5)


def test_a_dead_code_moves_onto_a_vector_of_the_batch():
    layer = quantizer(restart_below=0.1)
    batch = np.float32([[1, 1], [1, -1], [9, 0]])
    layer(batch, training=True)
    assert any(np.array_equal(layer.codebook[2], vector) for vector in batch)
    np.testing.assert_allclose(layer.codebook[:2], [[1, 0], [9, 0]], rtol=1e-6)
    assert layer.counts[2] > 0.0


def test_the_codebook_learns_only_in_training():
    layer = quantizer(restart_below=0.1)
    layer(np.float32([[1, 1]]))
    np.testing.assert_array_equal(layer.codebook, CODES)


def test_gradients_pass_the_codebook_unchanged():
    layer = quantizer()
    inputs = tf.constant([[1.0, 1.0], [9.0, 2.0]])
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        outputs = layer(inputs)
        loss = tf.reduce_sum(outputs["quantized"] * [[1.0, 2.0]])
    np.testing.assert_array_equal(outputs["quantized"], [[0, 0], [10, 0]])
    np.testing.assert_array_equal(tape.gradient(loss, inputs), [[1, 2], [1, 2]])
    np.testing.assert_array_equal(outputs["commitment"], [1.0, 2.5])


def test_perplexity_counts_codes_in_even_use():
    codes = np.int32([[0, 1], [0, 1]])
    np.testing.assert_allclose(quantizer().perplexity(codes), 2.0, rtol=1e-5)


def test_gaussian_draws_have_their_moments_and_gradients():
    layer = GaussianSampling(seed=0)
    mean, log_variance = tf.constant([[1.0, -2.0]]), tf.constant([[0.0, 2.0]])
    with tf.GradientTape() as tape:
        tape.watch([mean, log_variance])
        draws = layer(mean, log_variance, samples=50_000)
        total = tf.reduce_mean(draws, axis=1)
    assert draws.shape == (1, 50_000, 2)
    np.testing.assert_allclose(np.mean(draws, axis=1), mean, atol=0.05)
    np.testing.assert_allclose(np.var(draws, axis=1), np.exp(log_variance), rtol=0.03)
    np.testing.assert_allclose(tape.gradient(total, mean), [[1, 1]], rtol=0.01)


@pytest.mark.parametrize("hard", [False, True])
def test_gumbel_draws_follow_the_logits_and_become_the_likeliest(hard):
    layer = GumbelSoftmax(hard=hard, seed=0)
    logits = np.tile(np.log(np.float32([0.2, 0.5, 0.3])), (20_000, 1))
    drawn = np.array(layer(logits, temperature=0.5, training=True))
    np.testing.assert_allclose(drawn.sum(-1), 1.0, rtol=1e-5)
    share = np.bincount(drawn.argmax(-1)) / len(drawn)
    np.testing.assert_allclose(share, [0.2, 0.5, 0.3], atol=0.02)
    if hard:
        assert np.isin(np.round(drawn, 5), (0, 1)).all()
    np.testing.assert_array_equal(layer(logits)[0], [0, 1, 0])


@pytest.mark.parametrize("see_centre", [False, True])
def test_masked_convolution_sees_the_past_only(see_centre):
    layer = MaskedConvolution(2, 5, see_centre=see_centre)
    image = tf.random.stateless_normal((1, 4, 4, 1), [0, 1])
    with tf.GradientTape() as tape:
        tape.watch(image)
        pixel = tf.reduce_sum(layer(image)[0, 2, 1] ** 2)
    seen = np.flatnonzero(tape.gradient(pixel, image))
    assert seen.max() == 2 * 4 + 1 - (not see_centre)
    assert seen.min() == 0
    assert layer(image).shape == (1, 4, 4, 2)


def test_impossible_arguments_are_refused():
    with pytest.raises(ValueError, match="`decay` must be in"):
        VectorQuantizer(4, 2, decay=1.0)
    with pytest.raises(ValueError, match="`num_codes` must be an int >= 2"):
        VectorQuantizer(1, 2)
    with pytest.raises(ValueError, match="`kernel_size` must be an odd int"):
        MaskedConvolution(2, 4)
