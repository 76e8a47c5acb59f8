"""TCN sees only the past, as far as it says, and steps as it reads."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_genai.layers.temporal import WeightNormalizedConv1D
from keras_genai.networks.tcn import TCN


@pytest.fixture(scope="module")
def network():
    keras.utils.set_random_seed(0)
    return TCN(num_keys=5, depth=3, width=6, kernel_size=3)


def frames(length):
    return np.random.default_rng(0).random((2, length, 5), "float32")


def test_a_frame_changes_nothing_before_it_and_all_that_it_reaches(network):
    assert network.reach == 1 + 2 * 2 * (1 + 2 + 4)
    length, place = network.reach + 12, 5
    changed = frames(length)
    changed[:, place] += 1
    apart = np.abs(network(changed) - network(frames(length))).max(axis=(0, 2))
    assert not apart[:place].any()
    assert apart[place + network.reach - 1] > 0
    assert not apart[place + network.reach :].any()


@pytest.mark.parametrize("xla", [False, True])
def test_steps_are_the_full_call(network, xla):
    read = frames(40)

    # One loop, as pieces are drawn: a step by itself XLA compiles anew at every place.
    def walk(frames, places):
        return tf.scan(
            lambda before, now: network.step(now[0], before[1], now[1]),
            (frames, places),
            (tf.zeros((2, 5)), network.empty_rings(2)),
        )[0]

    if xla:
        walk = tf.function(walk, jit_compile=True)
    found = walk(read.swapaxes(0, 1), tf.range(40))
    np.testing.assert_allclose(found, network(read).numpy().swapaxes(0, 1), atol=1e-5)


def test_filters_have_the_length_of_their_gain():
    layer = WeightNormalizedConv1D(3, 2, 2)
    layer.build((None, None, 4))
    layer.gain.assign([1.0, 2.0, 0.5])
    lengths = np.sqrt(np.square(layer.filter_bank()).sum(axis=(0, 1)))
    np.testing.assert_allclose(lengths, [1, 2, 0.5], rtol=1e-6)
    layer.direction.assign(7 * layer.direction)
    np.testing.assert_allclose(
        np.sqrt(np.square(layer.filter_bank()).sum(axis=(0, 1))), lengths, rtol=1e-6
    )
