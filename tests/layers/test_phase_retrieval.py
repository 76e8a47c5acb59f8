"""Griffin-Lim: waves whose spectrograms are those that were given."""

import numpy as np
import pytest

from keras_genai.layers.mel import LogMel
from keras_genai.layers.phase_retrieval import griffin_lim

RATE = 8_000


def vowel(seconds=0.5):
    """A voice that rises and fades away."""
    time = np.arange(int(RATE * seconds)) / RATE
    phase = 2 * np.pi * (110 * time + 20 * time**2)
    starts = np.random.default_rng(0).uniform(0, 6, 30)
    voice = sum(np.sin(k * phase + starts[k]) / k for k in range(1, 30))
    return (0.1 * voice * np.sin(np.pi * time / seconds)).astype("float32")


@pytest.mark.parametrize(
    "options",
    [{}, dict(fft_size=512), dict(power=1, log10=True), dict(mel_scale="htk")],
)
def test_the_spectrogram_of_the_wave_is_what_was_given(options):
    settings = LogMel(RATE, window=256, hop=64, bands=40, floor=1e-4, **options)
    mels = settings(vowel()[None]).numpy()
    waves = griffin_lim(settings, mels, rounds=30)
    assert waves.shape == (1, 64 * mels.shape[1])
    again = settings(waves).numpy()[:, : mels.shape[1]]
    error = np.abs(again - mels).mean()
    flat = np.abs(mels - mels.mean(axis=1, keepdims=True)).mean()
    assert error < 0.15 * flat
    few = settings(griffin_lim(settings, mels, rounds=0)).numpy()
    assert error < 0.2 * np.abs(few[:, : mels.shape[1]] - mels).mean()


def test_it_is_a_function_of_its_seed():
    settings = LogMel(RATE, window=128, hop=64, bands=20)
    mels = settings(vowel(0.2)[None]).numpy()
    one, same, other = (griffin_lim(settings, mels, 3, seed=s) for s in (1, 1, 2))
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-3


def test_what_is_normalised_cannot_be_heard():
    settings = LogMel(RATE, window=128, hop=64, bands=20, normalization="utterance")
    with pytest.raises(ValueError, match=r"`settings` must .*'utterance'"):
        griffin_lim(settings, np.zeros((1, 4, 20)))
