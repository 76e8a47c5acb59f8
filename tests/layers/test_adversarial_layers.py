import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai.layers.adaptive_augmentation import AdaptiveAugmentation
from keras_genai.layers.conditional_normalization import ConditionalBatchNormalization
from keras_genai.layers.equalized import Equalized
from keras_genai.layers.modulated import ModulatedConvolution
from keras_genai.layers.pool import ImagePool
from keras_genai.layers.spectral import SpectralNormalization


def draw(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype("float32")


def linear(kind=keras.layers.Dense, *arguments, **options):
    return kind(*arguments, use_bias=False, **options)


def test_power_iteration_finds_the_largest_singular_value():
    layer = SpectralNormalization(linear(keras.layers.Dense, 5), use_bias=False)
    x = draw(4, 7)
    for _ in range(60):
        outputs = layer(x, training=True)
    kernel = layer.layer.kernel.numpy()
    largest = np.linalg.svd(kernel, compute_uv=False)[0]
    np.testing.assert_allclose(layer.largest_singular_value(), largest, rtol=1e-4)
    np.testing.assert_allclose(outputs, x @ kernel / largest, rtol=1e-4, atol=1e-5)


def test_spectral_normalisation_changes_its_vector_in_training_and_no_kernel():
    layer = SpectralNormalization(linear(keras.layers.Conv2D, 5, 3))
    x = draw(2, 6, 6, 3)
    layer(x)
    before = [weight.numpy() for weight in layer.weights]
    layer(x, training=False)
    for weight, value in zip(layer.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)
    layer(x, training=True)
    moved = [
        weight.path.split("/")[-1]
        for weight, value in zip(layer.weights, before, strict=True)
        if not np.array_equal(weight, value)
    ]
    assert moved == ["vector"]


def test_the_gradient_passes_through_the_singular_value():
    # Outputs do not change with the size of the kernel, so along it there is no slope.
    layer = SpectralNormalization(linear(keras.layers.Dense, 3), use_bias=False)
    x = draw(4, 3)
    for _ in range(100):
        layer(x, training=True)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(tf.sin(layer(x)))
    kernel = layer.layer.kernel
    gradient = tape.gradient(loss, kernel.value).numpy()
    assert np.abs(gradient).max() > 0.01
    np.testing.assert_allclose(np.sum(gradient * kernel.numpy()), 0, atol=1e-4)


def test_a_kernel_of_zeros_stays_finite_in_half_precision():
    inner = linear(keras.layers.Dense, 3, kernel_initializer="zeros", dtype="float16")
    layer = SpectralNormalization(inner, dtype="float16")
    assert np.isfinite(layer(draw(2, 4).astype("float16"), training=True)).all()


def test_spectral_normalisation_refuses_a_layer_that_is_not_linear():
    with pytest.raises(ValueError, match="`layer` must be linear and have no bias"):
        SpectralNormalization(keras.layers.Dense(3))


@pytest.mark.parametrize("demodulate", [True, False])
def test_modulated_convolution_is_one_explicit_convolution_a_picture(demodulate):
    layer = ModulatedConvolution(5, 3, demodulate)
    images, styles = draw(3, 6, 6, 4), draw(3, 4, seed=1)
    found = layer(images, styles)
    kernel = layer.kernel.numpy() * (4 * 9) ** -0.5
    for row, (image, style) in enumerate(zip(images, styles, strict=True)):
        own = kernel * style[None, None, :, None]
        if demodulate:
            own = own / np.sqrt(np.square(own).sum(axis=(0, 1, 2)) + 1e-8)
        expected = tf.nn.conv2d(image[None], own, 1, "SAME")[0]
        np.testing.assert_allclose(found[row], expected, rtol=1e-4, atol=1e-5)


def test_large_styles_do_not_overflow_half_precision():
    half = ModulatedConvolution(5, 3, dtype="mixed_float16")
    images, styles = draw(2, 6, 6, 4), 1e6 * draw(2, 4)
    found = half(images, styles)
    assert found.dtype == "float16"
    whole = ModulatedConvolution(5, 3)
    whole(images, styles)
    whole.set_weights(half.get_weights())
    np.testing.assert_allclose(found, whole(images, styles), atol=0.01)


def test_each_class_has_its_own_scale_and_shift():
    layer = ConditionalBatchNormalization(3)
    x = draw(6, 4, 4, 2)
    labels = np.array([0, 1, 2, 2, 1, 0])
    plain = layer(x, labels, training=True).numpy()
    layer.scale.assign([[1, 1], [2, 3], [0, 0]])
    layer.shift.assign([[0, 0], [0, 0], [5, 6]])
    found = layer(x, labels, training=True).numpy()
    np.testing.assert_allclose(found[labels == 0], plain[labels == 0], rtol=1e-6)
    np.testing.assert_allclose(found[labels == 1], plain[labels == 1] * [2, 3], 1e-5)
    np.testing.assert_allclose(found[labels == 2], np.ones((2, 4, 4, 2)) * [5, 6])


def test_an_equalized_layer_begins_with_outputs_as_large_as_its_inputs():
    inner = linear(
        keras.layers.Dense,
        300,
        kernel_initializer=keras.initializers.RandomNormal(stddev=100.0),
    )
    layer = Equalized(inner, bias=0.0, speed=0.01)
    np.testing.assert_allclose(np.std(layer(draw(50, 400))), 1, rtol=0.05)


def test_without_probability_augmentation_leaves_pictures_as_they_are():
    images = np.tanh(draw(3, 8, 8, 2))
    found = AdaptiveAugmentation(probability=0.0)(images)
    np.testing.assert_allclose(found, images, atol=1e-6)
    changed = AdaptiveAugmentation(probability=0.8)(images)
    assert (np.abs(changed - images).reshape(3, -1).max(axis=1) > 0.01).any()


def test_augmentation_grows_with_a_sure_discriminator_and_shrinks_with_an_unsure_one():
    layer = AdaptiveAugmentation(target=0.6, probability=0.5, speed=0.01)
    layer.adjust(tf.ones(10))
    np.testing.assert_allclose(layer.probability, 0.6, rtol=1e-6)
    for _ in range(9):
        layer.adjust(tf.ones(10))
    np.testing.assert_allclose(layer.probability, 0.8)  # and no further
    for _ in range(9):
        layer.adjust(tf.constant([1.0, -1.0]))
    np.testing.assert_allclose(layer.probability, 0.8 - 9 * 0.02, rtol=1e-5)


def test_the_pool_hands_back_earlier_pictures_once_it_is_full():
    pool = ImagePool(4, (1,))
    first = np.arange(4, dtype="float32")[:, None]
    np.testing.assert_array_equal(pool(first[:2]), first[:2])
    np.testing.assert_array_equal(pool(first[2:]), first[2:])
    np.testing.assert_array_equal(np.sort(pool.pictures, axis=0), first)
    known = set(range(4))
    swapped = 0
    for number in range(10, 50, 4):
        new = set(range(number, number + 4))
        found = pool(np.array(sorted(new), "float32")[:, None]).numpy().ravel()
        kept = set(np.ravel(pool.pictures).astype(int))
        assert set(found.astype(int)) | kept == known | new  # nothing is lost
        assert not set(found.astype(int)) & kept  # nor there twice
        swapped += len(set(found.astype(int)) & known)
        known = kept
    assert 8 < swapped < 32


def test_a_batch_larger_than_the_pool_is_refused():
    with pytest.raises(ValueError, match="`images` must be a batch of at most"):
        ImagePool(2, (1,))(np.zeros((3, 1)))
