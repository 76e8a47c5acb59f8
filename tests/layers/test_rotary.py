"""Rotary positions stretched for long texts, and blocks that look back a little."""

import numpy as np
import pytest
from keras import ops

from keras_genai.layers.attention import window_mask
from keras_genai.layers.positions import rotary_angles, rotate
from keras_genai.layers.rms import OffsetRMSNormalization, rms_norm
from keras_genai.layers.rotary import LinearRotary, Llama3Rotary, Rotary, YarnRotary
from keras_genai.networks.gpt import GEMMA, GPT2, LLAMA, Style
from keras_genai.registry import from_plain, to_plain

KINDS = (
    Rotary(500.0, 0.5),
    LinearRotary(factor=2.0),
    Llama3Rotary(base=100.0, factor=4.0, original_context=64),
    YarnRotary(base=100.0, factor=4.0, original_context=64, attention_factor=1.5),
)


def test_plain_angles_are_those_of_before_to_the_bit():
    for mine, theirs in zip(
        Rotary().angles(ops.arange(9), 8), rotary_angles(ops.arange(9), 8), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


def test_linear_waves_are_read_at_positions_divided_by_the_factor():
    stretched = LinearRotary(factor=4.0).angles(4 * ops.arange(9), 8)
    for mine, theirs in zip(stretched, rotary_angles(ops.arange(9), 8), strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-5)


@pytest.mark.parametrize("rotary", KINDS[2:], ids=lambda kind: type(kind).__name__)
def test_short_waves_stay_and_long_ones_are_stretched(rotary):
    plain, found = Rotary(100.0).frequencies(32), rotary.frequencies(32)
    ratio = plain / found
    assert ratio[0] == pytest.approx(1.0, rel=1e-6)
    assert ratio[-1] == pytest.approx(4.0, rel=1e-5)
    assert (np.diff(ratio) >= -1e-6).all()


@pytest.mark.parametrize("rotary", KINDS, ids=lambda kind: type(kind).__name__)
def test_schemes_come_back_from_files_and_keep_lengths(rotary):
    assert from_plain(to_plain(rotary)) == rotary
    x = np.random.default_rng(0).normal(size=(2, 3, 5, 8)).astype("float32")
    turned = np.asarray(rotate(x, rotary.angles(ops.arange(5), 8)))
    size = rotary.size(8)
    np.testing.assert_array_equal(turned[..., size:], x[..., size:])
    lengths = (np.linalg.norm(each[..., :size], axis=-1) for each in (turned, x))
    np.testing.assert_allclose(next(lengths), rotary.gain * next(lengths), rtol=1e-5)


@pytest.mark.parametrize(
    "make",
    [
        lambda: Rotary(base=0.5),
        lambda: Rotary(share=0),
        lambda: LinearRotary(factor=-1.0),
        lambda: Llama3Rotary(low=4.0, high=1.0),
        lambda: YarnRotary(slow=4.0, fast=1.0),
        lambda: Style(window=0),
        lambda: Style(local_blocks=()),
        lambda: Style(local_blocks=(1,)),
        lambda: Style(attention_cap=0.0),
        lambda: Style(norm="batch"),
    ],
)
def test_values_out_of_range_are_refused(make):
    with pytest.raises(ValueError, match="must"):
        make()


def test_a_window_counts_the_token_itself():
    places = np.arange(5)[None]
    found = np.asarray(window_mask(places, places, 2))[0, 0]
    np.testing.assert_array_equal(found, np.tri(5, k=-2) == 0)


def test_a_scale_from_one_begins_as_the_plain_norm():
    x = np.random.default_rng(0).normal(size=(2, 5)).astype("float32")
    offset, plain = rms_norm("a", 1e-3, offset=True), rms_norm("b", 1e-3)
    np.testing.assert_allclose(offset(x), plain(x), rtol=1e-6)
    assert isinstance(offset, OffsetRMSNormalization)
    assert not np.asarray(offset.scale).any()
    offset.scale.assign(np.full(5, 2.0))
    np.testing.assert_allclose(offset(x), 3 * plain(x), rtol=1e-6)


def test_styles_say_what_they_said_before_there_were_more_choices():
    assert len(GPT2.get_config()) == len(LLAMA.get_config()) == 7
    assert GEMMA.get_config()["output_norms"] is True
    assert from_plain(to_plain(GEMMA)) == GEMMA
