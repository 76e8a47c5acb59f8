"""Floors of models of sounds, where it is known what they must be."""

import numpy as np

from keras_genai.evaluation.waveforms import floors
from keras_genai.likelihoods import MixtureOfLogistics, MuLaw

LAW = MuLaw()


def draws(count, length=4_000):
    generator = np.random.default_rng(0)
    return [generator.normal(0, 0.1, length) for _ in range(count)]


def test_of_noise_all_floors_are_about_its_entropy():
    train, test = draws(6)[:4], draws(6)[4:]
    codes = np.concatenate([LAW.codes(wave).numpy() for wave in draws(6)])
    share = np.bincount(codes, minlength=256) / len(codes)
    entropy = -(share[share > 0] * np.log(share[share > 0])).sum()
    found = floors(train, test, LAW)
    assert abs(found["unigram"] - entropy) < 0.1
    assert found["bigram"] > found["unigram"] - 0.05
    assert found["linear_prediction"] < entropy + 0.3


def test_of_what_can_be_predicted_linear_prediction_costs_least():
    waves = []
    for noise in draws(6):
        wave = np.zeros(len(noise))
        for place in range(2, len(noise)):
            past = 1.8 * wave[place - 1] - 0.95 * wave[place - 2]
            wave[place] = past + 0.1 * noise[place]
        waves.append(np.clip(wave, -1, 1))
    found = floors(waves[:4], waves[4:], LAW)
    assert found["linear_prediction"] < found["bigram"] - 0.3
    assert found["bigram"] < found["unigram"] - 0.3


def test_sixteen_bits_of_white_noise_cost_more_than_eight_by_the_width_of_codes():
    waves = [wave[:2_000] for wave in draws(3)]
    found = floors(waves[:2], waves[2:], MixtureOfLogistics())
    entropy = np.log(0.1 * 2**15 * np.sqrt(2 * np.pi * np.e))
    assert entropy < found["linear_prediction"] < entropy + 0.3
    assert found["bigram"] > entropy  # few of so many codes ever came


def test_silence_costs_next_to_nothing():
    found = floors([np.zeros(3_000)] * 2, [np.zeros(500)], LAW)
    assert max(found.values()) < 0.1
