"""Log-mel spectrograms, beside closed forms and NumPy's own Fourier transform."""

import numpy as np
import pytest
import tensorflow as tf

from keras_genai.layers.mel import LogMel, hann, hertz_to_mel, mel_to_hertz

WHISPER = dict(rate=16_000, window=400, hop=160, log10=True, drop_last=True)


def by_numpy(wave, mel):
    """The same of one wave, frame by frame, by `numpy.fft`."""
    half = mel.fft_size // 2
    padded = np.pad(wave, half, mode="reflect")
    aside = (mel.fft_size - mel.window) // 2
    window = np.zeros(mel.fft_size)
    window[aside : aside + mel.window] = hann(mel.window)
    starts = np.arange(mel.frame_count(len(wave))) * mel.hop
    frames = np.stack([padded[s : s + mel.fft_size] for s in starts])
    loudness = np.abs(np.fft.rfft(frames * window)) ** mel.power
    found = np.log(np.maximum(loudness @ mel.filters(), mel.floor))
    return found / np.log(10) if mel.log10 else found


@pytest.mark.parametrize(
    ("settings"),
    [
        dict(rate=8_000, window=256, hop=80, bands=40),
        dict(rate=8_000, window=200, hop=64, bands=20, fft_size=256, power=1),
        dict(WHISPER),
        dict(rate=8_000, window=255, hop=77, bands=10, mel_scale="htk", low=50.0),
    ],
)
def test_bands_are_those_of_numpys_fourier_transform(settings):
    mel = LogMel(**settings)
    waves = np.random.default_rng(0).normal(0, 0.1, (2, 3_001)).astype("float32")
    found = tf.function(mel)(waves).numpy()
    assert found.shape == (2, mel.frame_count(3_001), mel.bands)
    expected = np.stack([by_numpy(wave, mel) for wave in waves])
    np.testing.assert_allclose(found, expected, atol=2e-4)


def test_a_tone_has_the_power_that_the_closed_form_says():
    mel = LogMel(8_000, 256, 256, 20, slaney_norm=False, mel_scale="htk")
    tone = np.sin(2 * np.pi * 1_000 * np.arange(8_000) / 8_000)  # bin 32
    power = np.zeros(129)
    power[31:34] = (256 / 4) ** 2 * np.array([0.25, 1, 0.25])  # Hann's three lines
    expected = np.log(np.maximum(power @ mel.filters(), mel.floor))
    found = mel(tone[None])[0, 4].numpy()
    loud = expected > 0
    assert loud.any()
    np.testing.assert_allclose(found[loud], expected[loud], atol=1e-4)


def test_scales_are_those_of_the_books_and_invert():
    np.testing.assert_allclose(hertz_to_mel(1_000, "htk"), 999.9855, atol=1e-3)
    np.testing.assert_allclose(hertz_to_mel([500, 1_000, 6_400]), [7.5, 15, 42])
    hertz = np.array([0.0, 30, 999, 1_001, 7_900])
    for scale in ("htk", "slaney"):
        np.testing.assert_allclose(
            mel_to_hertz(hertz_to_mel(hertz, scale), scale), hertz, atol=1e-9
        )


def test_triangles_have_height_one_or_area_two():
    for scale in ("htk", "slaney"):
        plain = LogMel(8_000, 256, 80, 8, 4_096, mel_scale=scale, slaney_norm=False)
        np.testing.assert_allclose(plain.filters().max(axis=0), 1, atol=0.02)
        # Neighbours overlap so that between the outer tops they sum to 1.
        total = plain.filters().sum(axis=1)
        tops = plain.filters().argmax(axis=0)
        np.testing.assert_allclose(total[tops[0] + 1 : tops[-1]], 1, atol=1e-5)
        area = LogMel(8_000, 256, 80, 8, 4_096, mel_scale=scale).filters().sum(axis=0)
        np.testing.assert_allclose(area * 8_000 / 4_096, 1, atol=0.01)


def test_whispers_normalization_is_its_published_formula():
    plain, mel = LogMel(**WHISPER), LogMel(**WHISPER, normalization="whisper")
    draws = np.random.default_rng(0)
    waves = (draws.normal(0, 0.1, (2, 4_800)) * np.geomspace(1, 1e-6, 4_800)).astype(
        "f4"
    )
    waves[1] *= 1e-3
    logs = plain(waves).numpy()
    assert logs.shape == (2, 30, 80)
    expected = np.maximum(logs, logs.max(axis=(1, 2), keepdims=True) - 8)
    assert (expected > logs).any()
    np.testing.assert_allclose(mel(waves), (expected + 4) / 4, atol=1e-6)


def test_padding_changes_nothing_before_it_and_has_zero_frames():
    settings = dict(rate=8_000, window=256, hop=80, bands=20)
    wave = np.random.default_rng(0).normal(0, 0.1, 2_000).astype("float32")
    wave[-256:] = 0  # its mirror image is padding, too
    for normalization in ("none", "utterance", "whisper"):
        mel = LogMel(**settings, normalization=normalization)
        alone = mel(wave[None], [2_000])[0].numpy()
        padded = mel(np.pad(wave, (0, 900))[None], [2_000])[0].numpy()
        np.testing.assert_allclose(padded[:26], alone, atol=1e-4)
        assert len(padded) == 37
        assert not padded[26:].any()


def test_each_band_of_an_utterance_gets_mean_0_and_variance_1():
    mel = LogMel(8_000, 256, 80, 20, normalization="utterance")
    waves = np.random.default_rng(0).normal(0, 0.1, (2, 3_000)).astype("float32")
    found = mel(waves).numpy()
    np.testing.assert_allclose(found.mean(axis=1), 0, atol=1e-4)
    np.testing.assert_allclose(found.std(axis=1), 1, atol=1e-3)
    silent = mel(np.zeros((1, 3_000), "float32")).numpy()
    assert np.abs(silent).max() < 1e-3


def test_frames_that_are_not_centred_begin_at_their_sample():
    mel = LogMel(8_000, 256, 80, 20, centred=False)
    wave = np.random.default_rng(0).normal(0, 0.1, (1, 1_000)).astype("float32")
    assert mel.frame_count(1_000) == 10
    np.testing.assert_allclose(mel(wave)[:, 3], mel(wave[:, 240:496])[:, 0], atol=1e-4)
    assert mel(wave[:, :100]).shape == (1, 0, 20)


def test_a_sound_shorter_than_a_window_has_frames():
    mel = LogMel(8_000, 256, 80, 20)
    assert np.isfinite(mel(np.ones((1, 5), "float32"))).all()
    assert mel(np.ones((1, 5), "float32")).shape == (1, 1, 20)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (dict(fft_size=128), "`fft_size` must be an even int of at least `window`"),
        (dict(high=4_001.0), "`high` must be up to 4000 Hz"),
        (dict(low=4_000.0), "`low` must be below `high`"),
        (dict(power=3), "`power` must be 1 or 2"),
        (dict(mel_scale="bark"), "`mel_scale` must be one of"),
        (dict(normalization="all"), "`normalization` must be one of"),
        (dict(floor=0.0), "`floor` must be above 0"),
        (dict(hop=0), "`hop` must be an int >= 1"),
    ],
)
def test_settings_out_of_range_are_refused(change, said):
    with pytest.raises(ValueError, match=said):
        LogMel(**{**dict(rate=8_000, window=256, hop=80), **change})
