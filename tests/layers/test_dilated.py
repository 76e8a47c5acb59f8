"""Causal dilated convolutions: what they see, and the same step by step."""

import numpy as np
import pytest
import tensorflow as tf

from keras_genai.layers import dilated
from keras_genai.layers.dilated import (
    CausalConv1D,
    GatedResidual,
    between_frames,
    sum_of_skips,
)

DRAWS = np.random.default_rng(0)


def draw(*shape):
    return DRAWS.normal(0, 1, shape).astype("float32")


@pytest.mark.parametrize(("kernel_size", "dilation"), [(2, 1), (2, 4), (3, 2)])
def test_a_convolution_is_the_sum_that_the_paper_writes(kernel_size, dilation):
    layer = CausalConv1D(5, kernel_size, dilation)
    x = draw(2, 11, 3)
    found = layer(x).numpy()
    kernel = layer.kernel.numpy()
    expected = np.zeros((2, 11, 5)) + layer.bias.numpy()
    for tap in range(kernel_size):
        back = (kernel_size - 1 - tap) * dilation
        expected[:, back:] += x[:, : 11 - back] @ kernel[tap]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_nothing_later_and_nothing_beyond_its_reach_is_seen():
    layer = CausalConv1D(2, 3, 2)
    x = draw(1, 12, 2)
    before = layer(x).numpy()
    x[0, 6] += 1
    changed = np.abs(layer(x).numpy() - before)[0].max(axis=-1) > 1e-6
    assert np.flatnonzero(changed).tolist() == [6, 8, 10]


@pytest.mark.parametrize(("kernel_size", "dilation"), [(2, 1), (2, 3), (3, 2)])
def test_step_by_step_is_the_same_as_all_at_once(kernel_size, dilation):
    convolution = CausalConv1D(4, kernel_size, dilation)
    block = GatedResidual(6, 5, kernel_size, dilation)
    x, told = draw(3, 14, 4), draw(3, 1, 2)
    for layer in (convolution, block):
        if layer is convolution:
            whole = [layer(x)]
        else:
            outputs, gates = layer(x, told)
            whole = [outputs, sum_of_skips([layer], [gates])]
        ring = (layer if layer is convolution else layer.convolution).empty_ring(3)
        known = () if layer is convolution else (layer.condition(told[:, 0]),)

        # One loop: a step by itself XLA compiles anew at every place.
        @tf.function(jit_compile=dilation == 3 and layer is block)
        def walk(x, places, start, layer=layer, known=known):
            return tf.scan(
                lambda before, now: layer.step(now[0], before[-1], now[1], *known),
                (x, places),
                start,
            )[:-1]

        start = *(tf.zeros_like(each[:, 0]) for each in whole), ring
        found = walk(x.swapaxes(0, 1), tf.range(14), start)
        for one, all_ in zip(found, whole, strict=True):
            np.testing.assert_allclose(one, all_.numpy().swapaxes(0, 1), atol=1e-5)


def test_one_product_is_the_sum_of_what_all_blocks_give():
    blocks = [GatedResidual(6, 5) for _ in range(3)]
    gates = [draw(2, 7, 3) for _ in blocks]
    for block in blocks:
        block.build((None, None, 4))
        block.output_projection.bias.assign(draw(9))
    expected = sum(
        block.output_projection(gate)[..., 4:]
        for block, gate in zip(blocks, gates, strict=True)
    )
    np.testing.assert_allclose(sum_of_skips(blocks, gates), expected, atol=1e-5)


@pytest.mark.parametrize("most", [0, 256])
def test_frames_are_joined_by_straight_lines_and_held_at_the_end(most, monkeypatch):
    monkeypatch.setattr(dilated, "LARGEST_PRODUCT", most)
    frames = np.array([[[0.0], [4], [2]]], "float32")
    found = between_frames(tf.constant(frames), 4, 11)[0, :, 0]
    np.testing.assert_allclose(found, [0, 1, 2, 3, 4, 3.5, 3, 2.5, 2, 2, 2])
