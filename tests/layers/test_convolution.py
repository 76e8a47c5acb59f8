"""Parts of convolutional and conditioned networks, against plain formulas."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai.layers.conditioning import Modulation, NoiseEmbedding, grid_waves
from keras_genai.layers.convolution import (
    Downsample,
    GroupNorm,
    PictureAttention,
    ResidualBlock,
    Upsample,
)
from keras_genai.layers.denoising import CrossAttention, DiTBlock, UNetBlock
from keras_genai.layers.patches import from_patches, to_patches

RANDOM = np.random.default_rng(0)
X = RANDOM.normal(1, 2, size=(2, 6, 4, 16)).astype("float32")
VECTOR = RANDOM.normal(size=(2, 12)).astype("float32")
STATES = RANDOM.normal(size=(2, 5, 6)).astype("float32")
REAL = np.arange(5) < np.array([[3], [5]])


def stirred(layer):
    for variable in layer.trainable_variables:
        variable.assign(RANDOM.normal(size=variable.shape) / 2)
    return layer


def plain_norm(x, layer):
    """Group normalisation as the paper writes it."""
    batch, rows, columns, channels = x.shape
    x = x.reshape(batch, rows, columns, layer.groups, channels // layer.groups)
    mean = x.mean(axis=(1, 2, 4), keepdims=True)
    variance = x.var(axis=(1, 2, 4), keepdims=True)
    x = (x - mean) / np.sqrt(variance + layer.epsilon)
    x = x.reshape(batch, rows, columns, channels)
    return x * layer.gamma.numpy() + layer.beta.numpy()


def plain_convolution(x, layer):
    kernel = layer.kernel.numpy()
    return tf.nn.conv2d(x, kernel, 1, "SAME").numpy() + layer.bias.numpy()


def silu(x):
    return x / (1 + np.exp(-x))


def test_group_norm_is_its_formula():
    layer = GroupNorm()
    layer.build(X.shape)
    stirred(layer)
    assert layer.groups == 4
    np.testing.assert_allclose(layer(X), plain_norm(X, layer), atol=1e-5)
    theirs = keras.layers.GroupNormalization(4, epsilon=1e-5)
    theirs.build(X.shape)
    theirs.gamma.assign(layer.gamma)
    theirs.beta.assign(layer.beta)
    np.testing.assert_allclose(layer(X), theirs(X), atol=1e-5)


def test_group_norm_in_bfloat16_keeps_float32_statistics():
    layer = GroupNorm(dtype="mixed_bfloat16")
    shifted = X + 10
    layer.build(X.shape)
    out = layer(shifted)
    assert out.dtype == tf.bfloat16
    expected = plain_norm(
        tf.cast(tf.cast(shifted, "bfloat16"), "float32").numpy(), layer
    )
    np.testing.assert_allclose(tf.cast(out, "float32"), expected, atol=0.06)


def test_a_residual_block_is_its_plain_formula():
    block = ResidualBlock(8)
    block.build(X.shape, VECTOR.shape)
    stirred(block)
    dense = block.modulation.project
    parts = silu(VECTOR) @ dense.kernel.numpy() + dense.bias.numpy()
    scale, shift = parts[:, None, None, :8], parts[:, None, None, 8:]

    x = plain_convolution(silu(plain_norm(X, block.first_norm)), block.first)
    x = plain_norm(x, block.second_norm) * (1 + scale) + shift
    x = plain_convolution(silu(x), block.second)
    expected = x + plain_convolution(X, block.shortcut)
    np.testing.assert_allclose(block(X, VECTOR), expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_what_is_added_to_a_residual_stream_starts_as_nothing(dtype):
    sequence = X.reshape(2, 24, 16)
    block, attention = ResidualBlock(16, dtype=dtype), PictureAttention(2, dtype=dtype)
    transformer = DiTBlock(2, 32, dtype=dtype)
    kind = attention.compute_dtype
    block.build(X.shape, VECTOR.shape)
    attention.build(X.shape)
    transformer.build(sequence.shape, VECTOR.shape)
    x, long = tf.cast(X, kind), tf.cast(sequence, kind)
    np.testing.assert_array_equal(block(x, VECTOR), x)
    np.testing.assert_array_equal(attention(x), x)
    np.testing.assert_array_equal(transformer(long, VECTOR), long)


@pytest.mark.parametrize("dtype", ["float32", "mixed_bfloat16", "mixed_float16"])
def test_what_reads_starts_as_if_it_did_not(dtype):
    attention = CrossAttention(2, dtype=dtype)
    attention.build(X.shape, STATES.shape)
    x = tf.cast(X, attention.compute_dtype)
    np.testing.assert_array_equal(attention(x, STATES, REAL), x)
    sequence = tf.cast(X.reshape(2, 24, 16), attention.compute_dtype)
    for block, inputs in (
        (UNetBlock(16, looks=True, reads=True, dtype=dtype), x),
        (DiTBlock(2, 32, reads=True, dtype=dtype), sequence),
    ):
        block.build(inputs.shape, VECTOR.shape, STATES.shape)
        np.testing.assert_array_equal(block(inputs, VECTOR, STATES, REAL), inputs)


def test_a_place_of_a_picture_asks_a_text_by_where_it_is():
    attention = CrossAttention(2)
    attention.build(X.shape, STATES.shape)
    stirred(attention)
    same = np.ones_like(X)
    row = attention(same.reshape(2, 24, 16), STATES, REAL).numpy()
    np.testing.assert_allclose(row, np.broadcast_to(row[:, :1], row.shape), atol=1e-5)
    grid = attention(same, STATES, REAL).numpy().reshape(2, 24, 16)
    for told in grid:
        assert len(np.unique(told.round(6), axis=0)) == 24


def test_cross_attention_reads_all_that_is_real_from_every_place():
    attention = CrossAttention(2)
    attention.build(X.shape, STATES.shape)
    stirred(attention)
    seen = attention(X, STATES, REAL).numpy()
    for place in range(5):
        moved = STATES.copy()
        moved[:, place] += 1
        change = np.abs(attention(X, moved, REAL) - seen).max(axis=-1)
        for told, real in zip(change, REAL, strict=True):
            assert (told > 0).all() == real[place]
            assert (told == 0).all() != real[place]


def test_pictures_are_halved_and_doubled():
    down, up = Downsample(8), Upsample(8)
    down.build(X.shape)
    up.build(X.shape)
    assert down(X).shape == (2, 3, 2, 8)
    assert up(X).shape == (2, 12, 8, 8)
    repeated = X.repeat(2, axis=1).repeat(2, axis=2)
    expected = plain_convolution(repeated, up.convolution)
    np.testing.assert_allclose(up(X), expected, atol=1e-4)


def test_attention_sees_every_place():
    attention = PictureAttention(2)
    attention.build(X.shape)
    stirred(attention)
    moved = X.copy()
    moved[:, 0, 0] += 1
    change = np.abs(attention(moved) - attention(X)).max(axis=(0, 3))
    assert (change > 0).all()


def test_patches_come_back():
    images = X[..., :3]
    patches = to_patches(images, 2)
    assert patches.shape == (2, 6, 12)
    np.testing.assert_array_equal(patches[0, 1], images[0, :2, 2:].ravel())
    np.testing.assert_array_equal(from_patches(patches, 2, (6, 4, 3)), images)


def test_places_and_noise_levels_are_told_apart():
    places = grid_waves(4, 5, 32)[0]
    assert places.shape == (20, 32)
    gaps = np.abs(places[:, None] - places[None]).sum(-1) + np.eye(20)
    assert gaps.min() > 0.5
    layer = NoiseEmbedding(32, 16)
    layer.build()
    levels = np.linspace(0, 1, 101, dtype="float32")
    out = np.array(layer(levels))
    assert np.abs(np.diff(out, axis=0)).max(axis=1).min() > 0.01


def test_modulation_starts_as_nothing():
    layer = Modulation(3, 5)
    layer.build(VECTOR.shape)
    parts = layer(VECTOR)
    assert [part.shape for part in parts] == [(2, 5)] * 3
    assert all((np.array(part) == 0).all() for part in parts)


@pytest.mark.parametrize(
    "layer",
    [
        GroupNorm(4),
        ResidualBlock(8, 0.1),
        PictureAttention(2),
        Modulation(2, 3),
        CrossAttention(2),
        UNetBlock(8, 0.1, 2, looks=True, reads=True),
        DiTBlock(2, 12, reads=True),
    ],
    ids=lambda layer: type(layer).__name__,
)
def test_a_layer_comes_back_from_its_config(layer):
    again = type(layer).from_config(layer.get_config())
    assert again.get_config() == layer.get_config()
