"""Networks of sounds: padding has no part in what they hear."""

import numpy as np
import pytest
import tensorflow as tf

from keras_genai.layers.spec_augment import SpecAugment
from keras_genai.layers.speech import SpeechEncoder
from keras_genai.networks.deep_speech import DeepSpeech2
from keras_genai.networks.speech_encoder_decoder import SpeechEncoderDecoder

DRAWS = np.random.default_rng(0)
BANDS = 4


def mels(*shape):
    return DRAWS.normal(size=(*shape, BANDS)).astype("float32")


@pytest.fixture(scope="module")
def network():
    made = DeepSpeech2(bands=BANDS, vocabulary_size=5, filters=6, units=3)
    for weight in made.trainable_variables:
        weight.assign(weight + 0.3 * DRAWS.normal(size=weight.shape))
    return made


@pytest.mark.parametrize("frames", [1, 2, 7, 8])
def test_a_sound_gives_what_it_gives_alone_however_it_is_padded(network, frames):
    sound = mels(1, frames)
    alone = network(sound, np.array([frames])).numpy()
    assert alone.shape[1] == network.frame_count(frames) == -(-frames // 2)
    for more in (1, 4, 9):
        noise = np.concatenate([sound, 9 * mels(1, more)], axis=1)
        beside = np.concatenate([noise, mels(1, frames + more)])
        found = network(beside, np.array([frames, frames + more])).numpy()
        np.testing.assert_allclose(found[0, : alone.shape[1]], alone[0], atol=1e-5)


def test_a_decoder_looks_at_no_padding():
    network = SpeechEncoderDecoder(
        bands=BANDS, vocabulary_size=5, context=6, decoder_depth=1, width=8, num_heads=2
    )
    sound, tokens = mels(1, 7), np.array([[1, 2, 3]])
    alone = network(sound, np.ones((1, 7), bool), tokens).numpy()
    noise = np.concatenate([sound, 9 * mels(1, 4)], axis=1)
    found = network(noise, np.arange(11)[None] < 7, tokens).numpy()
    np.testing.assert_allclose(found, alone, atol=1e-5)


def test_every_frame_counts(network):
    sound = mels(1, 8)
    before = network(sound, np.array([8])).numpy()
    for frame in range(8):
        other = sound.copy()
        other[0, frame] += 1
        assert np.abs(network(other, np.array([8])).numpy() - before).max() > 1e-4


def test_an_encoder_leaves_parts_out_in_training_alone():
    augmentation = SpecAugment(band_masks=1, band_width=4, frame_masks=0)
    layer = SpeechEncoder(4, units=3, dropout=0.0, augmentation=augmentation)
    sound, mask = mels(1, 6), np.ones((1, 6), bool)
    heard = layer(sound, mask)[0].numpy()
    np.testing.assert_array_equal(layer(sound, mask)[0], heard)
    draws = [layer(sound, mask, training=True)[0].numpy() for _ in range(8)]
    assert any(np.abs(draw - heard).max() > 1e-4 for draw in draws)
    again = SpeechEncoder.from_config(layer.get_config())
    assert again.augmentation == augmentation


def test_runs_of_bands_and_frames_are_left_out():
    ones = tf.ones((200, 20, 10))
    frames = np.full(200, 12)
    augment = SpecAugment(1, 3, 1, 5, frame_share=0.25)
    found = augment(ones, frames, tf.constant([1, 2])).numpy()
    bands = (found[:, -1] == 0).sum(axis=1)  # frame 19 is padding, in no run
    times = (found.max(axis=2) == 0).sum(axis=1)
    assert {*bands} == {0, 1, 2, 3}
    assert {*times} == {0, 1, 2, 3}  # a quarter of 12
    assert not (found[:, 12:].max(axis=2) == 0).any()
    for row in found[:, -1]:
        assert np.abs(np.diff(row)).sum() <= 2  # one run
    np.testing.assert_array_equal(augment(ones, frames, tf.constant([1, 2])), found)
    assert np.abs(augment(ones, frames, tf.constant([1, 3])) - found).max() == 1


def test_without_runs_nothing_is_left_out():
    sound = mels(2, 5)
    found = SpecAugment(0, 8, 0, 8)(sound, [5, 5], tf.constant([0, 0]))
    np.testing.assert_array_equal(found, sound)
    with pytest.raises(ValueError, match="`band_masks` must be an int >= 0"):
        SpecAugment(band_masks=-1)
