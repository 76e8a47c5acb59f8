"""Captioned digits: pictures show what their captions say, and some pairs are new."""

import numpy as np
import pytest

from keras_genai.data import embedded_images
from keras_genai.data.captions import (
    BRIGHTNESS,
    Scene,
    captioned_digits,
    crops,
    scenes,
)


@pytest.fixture(scope="module")
def splits():
    return captioned_digits(batch_size=64)


@pytest.mark.parametrize(
    ("scene", "caption"),
    [
        (Scene((3,), (0,)), "a three"),
        (Scene((8,), (2,)), "a dim eight"),
        (Scene((3, 7), (0, 0)), "a three left of a seven"),
        (Scene((3, 7), (1, 2), backwards=True), "a dim seven right of a bright three"),
        (Scene((9, 8), (1, 0), upright=True), "a bright nine above an eight"),
        (Scene((0, 4), (0, 0), True, True), "a four below a zero"),
    ],
)
def test_a_caption_is_english(scene, caption):
    assert scene.caption == caption
    assert scene in scenes()


def test_every_caption_is_another_one_and_comes_back_from_its_tokens(splits):
    captions = [scene.caption for scene in scenes()]
    assert len(set(captions)) == len(captions) == 3_630
    tokens = splits.kind("tokens").read(captions)
    assert len(np.unique(tokens, axis=0)) == len(captions)
    for row in (0, 100, 3_000):
        assert splits.tokenizer.decode(tokens[row]) == captions[row]
        words = len(captions[row].split())
        assert (tokens[row] > 0).sum() == words  # every word is one token


def test_held_out_pictures_show_what_their_captions_say(splits):
    found = embedded_images.digits()["test"]
    known = {
        digit: found["images"][found["labels"] == digit] / 255 for digit in range(10)
    }
    images, index = splits.test["images"] / 255, splits.test["scenes"]
    assert images.sum() == pytest.approx(crops(images, index).sum())
    for pair, each in zip(crops(images, index), index, strict=True):
        scene = scenes()[each]
        for crop, digit, glow in zip(pair, scene.digits, scene.glows, strict=True):
            allowed = BRIGHTNESS if glow == 0 else [BRIGHTNESS[glow - 1]]
            distances = [np.abs(light * known[digit] - crop) for light in allowed]
            assert min(each.max(axis=(1, 2, 3)).min() for each in distances) < 1 / 255


def test_held_out_pairs_never_train(splits):
    captions = [splits.tokenizer.decode(row) for row in tokens_of_an_epoch(splits)]
    new = {scene.caption for scene in scenes() if scene.is_new}
    assert len(new) == 360
    assert not new & set(captions)
    assert len(set(captions)) > 3_000
    test = [scenes()[each].caption for each in splits.test["scenes"]]
    assert set(test) == new


def tokens_of_an_epoch(splits):
    return np.concatenate([batch["tokens"].numpy() for batch in splits.train.epoch()])


def test_training_pictures_are_new_in_every_epoch_and_others_are_not(splits):
    first, second = (next(iter(splits.train))["images"].numpy() for _ in range(2))
    assert first.shape == (64, 16, 16, 1)
    assert np.abs(first - second).max() > 0.1
    again = captioned_digits(batch_size=8, seed=5)
    for role in ("held_out", "test"):
        for key, array in getattr(splits, role).items():
            np.testing.assert_array_equal(getattr(again, role)[key], array)
    batch = next(iter(again.validation))
    assert batch["images"].dtype.name == "float32"
    assert batch["tokens"].dtype.name == "int32"


def test_a_stand_in_is_small():
    splits = captioned_digits(batch_size=2, stand_in=True)
    assert 0 < len(splits.test["scenes"]) < 40
    assert splits.train.steps_per_epoch < 200
