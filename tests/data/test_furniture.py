"""Furniture is as its captions say, is new in every step, and some never trains."""

import dataclasses

import numpy as np
import pytest

from keras_genai.data.furniture import KINDS, LENGTH, Design, designs, furniture, pieces
from keras_genai.evaluation.furniture import count_boards, count_legs


@pytest.fixture(scope="module")
def splits():
    return furniture(batch_size=32)


@pytest.mark.parametrize(
    ("design", "said", "caption"),
    [
        (Design("table", "round", 3), (True, False), "a round table with three legs"),
        (Design("stool", "square", 1), (False, False), "a stool with one leg"),
        (
            Design("chair", "square", 4, True, True, True),
            (True, True),
            "a tall square chair with four legs, a back and arms",
        ),
        (
            Design("chair", "round", 4, True),
            (False, False),
            "a chair with four legs and a back",
        ),
        (Design("table", "long", 6), (False, True), "a low long table with six legs"),
        (Design("bench", "", 4), (True, True), "a low bench with four legs"),
        (
            Design("shelf", "", 5, True),
            (True, False),
            "a shelf with five boards and a back",
        ),
        (
            Design("lamp", "round", 3, tall=True),
            (True, True),
            "a tall lamp with three legs and a round shade",
        ),
        (Design("lamp", "", 1), (True, False), "a lamp with one leg and a shade"),
    ],
)
def test_a_caption_is_english(design, said, caption):
    assert design.caption(*said) == caption


def test_every_caption_comes_back_from_its_tokens(splits):
    captions = sorted({caption for each in designs() for caption in each.captions})
    tokens = splits.kind("tokens").read(captions)
    assert len(np.unique(tokens, axis=0)) == len(captions)
    assert (tokens > 0).sum(axis=1).max() < LENGTH
    words = [caption.replace(",", " ,").split() for caption in captions]
    assert (tokens > 0).sum(axis=1).tolist() == [len(each) for each in words]


def test_what_is_new_never_trains_and_its_features_do():
    every = designs()
    assert len({*every}) == len(every) == 112
    parts = [each.part for each in every]
    assert [parts.count(part) for part in ("train", "validation", "test")] == [
        77,
        15,
        20,
    ]
    train = [each for each in every if each.part == "train"]
    for each in every:
        like = [other for other in train if other.kind == each.kind]
        other_height = dataclasses.replace(each, tall=not each.tall)
        assert any(other.count == each.count for other in like)
        assert any(other.shape == each.shape for other in like)
        if each.part == "train":
            continue
        assert each.is_new == (other_height.part == each.part)
        assert each.is_new != (other_height in train)


def test_training_captions_are_of_designs_that_train(splits):
    new = {each.caption() for each in designs() if each.part != "train"}
    rows = np.concatenate([batch["tokens"].numpy() for batch in splits.train.epoch()])
    said = {splits.tokenizer.decode(row).replace(" ,", ",") for row in rows}
    assert not new & said
    assert "a round table with three legs" in said
    assert len(said) > 150


def test_held_out_pieces_have_what_their_captions_say(splits):
    for arrays in (splits.held_out, splits.test):
        asked = [designs()[place] for place in arrays["designs"]]
        assert arrays["captions"].tolist() == [each.caption() for each in asked]
        kinds = [KINDS[label] for label in arrays["labels"]]
        assert kinds == [each.kind for each in asked]
        shelves = np.array([each.kind == "shelf" for each in asked])
        counts = np.array([each.count for each in asked])
        points = arrays["points"]
        assert (count_boards(points[shelves]) == counts[shelves]).mean() >= 0.98
        assert (count_legs(points[~shelves]) == counts[~shelves]).mean() >= 0.98
    assert len(splits.test["points"]) == 200


def test_pieces_stand_on_the_floor_of_the_unit_cube():
    made = pieces(np.arange(112), points=200, seed=3)
    assert made.shape == (112, 200, 3)
    assert made.min() >= 0
    assert made.max() <= 1
    assert made[..., 2].min(axis=1).max() < 0.06
    # Points are in no order: the first half is like the second.
    halves = made[:, :100].mean(axis=(0, 1)), made[:, 100:].mean(axis=(0, 1))
    np.testing.assert_allclose(*halves, atol=0.01)


@pytest.mark.slow
def test_training_pieces_are_new_in_every_epoch_and_others_are_not():
    first, other = (furniture(8, seed, stand_in=True) for seed in (0, 5))
    one, two = (next(iter(first.train))["points"].numpy() for _ in range(2))
    assert one.shape == (8, 48, 3)
    assert np.abs(one - two).max() > 0.1
    again = next(iter(first.train.dataset(start=0)))["points"].numpy()
    np.testing.assert_array_equal(one, again)
    for role in ("held_out", "test"):
        for key, array in getattr(first, role).items():
            np.testing.assert_array_equal(getattr(other, role)[key], array)
    batch = next(iter(first.validation))
    assert {key: value.dtype.name for key, value in batch.items()} == {
        "points": "float32",
        "tokens": "int32",
        "labels": "int32",
    }
