"""Emoji: read from the published sheet, divided by motif and tone, told by pixels."""

import collections
import json

import numpy as np
import PIL.Image
import pytest

from keras_genai.data import emoji_sheet
from keras_genai.data.emoji import COLOURS, LENGTH, TONES, Picture, catalogue, emoji
from keras_genai.evaluation.emoji import skin_tones

CODES = ("1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF")


@pytest.fixture(scope="module")
def splits():
    return emoji(batch_size=4, stand_in=True)


def cell(place):
    return {"sheet_x": place % 3, "sheet_y": place // 3}


@pytest.fixture
def folder(tmp_path):
    """Two motifs of one name, one with a tone, as the published files have them."""
    table = [
        {"name": "MAN IN HAT", "short_name": "person_in_hat", **cell(0)},
        {"name": "Man in Hat", "short_name": "man_in_hat", **cell(1)}
        | {"skin_variations": {"1F3FF": cell(2), "1F3FB-1F3FD": cell(3)}},
        {"name": "KEYCAP: *", "short_name": "keycap_star", **cell(4)},
    ]
    sheet = np.zeros((2 * 34, 3 * 34, 4), "uint8")  # clear, and black beneath
    sheet[10:20, 34 + 34 + 1 : 34 + 34 + 33] = (*COLOURS[4], 255)
    sheet[34 + 1, 1] = (255, 0, 0, 255)
    sheet[0, :34] = (0, 0, 255, 255)  # a margin
    (tmp_path / "twemoji").mkdir()
    (tmp_path / "twemoji" / "emoji.json").write_text(json.dumps(table), "utf-8")
    PIL.Image.fromarray(sheet).save(tmp_path / "twemoji" / "clean32.png")
    return tmp_path


def test_the_sheet_of_the_published_package_is_read(folder):
    found = catalogue(folder)
    assert [picture.caption for picture in found] == [
        "person in hat",
        "man in hat",
        "man in hat, dark skin tone",
        "man in hat, light skin tone, medium skin tone",
        "keycap: *",
    ]
    assert found[2] == Picture("man in hat, dark skin tone", "man in hat", 4)
    assert [picture.tone for picture in found] == [-1, -1, 4, -1, -1]
    images = emoji_sheet.read_pictures(folder / "twemoji")
    assert images.shape == (5, 32, 32, 3)
    assert images.dtype == np.uint8
    assert (images[[0, 1, 4]] == 255).all()  # what is clear is white; no margin
    np.testing.assert_array_equal(images[2, 9:19], np.full((10, 32, 3), COLOURS[4]))
    np.testing.assert_array_equal(images[3, 0, 0], (255, 0, 0))
    assert skin_tones(images[2:3]) == [4]


def test_what_is_no_such_sheet_is_said_in_one_line(folder, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"`data_dir` must have emoji\.json"):
        emoji(2, data_dir=tmp_path / "nowhere")
    twemoji = folder / "twemoji"
    PIL.Image.new("RGBA", (34, 34)).save(twemoji / "clean32.png")
    with pytest.raises(ValueError, match="must have at least 68 x 102 pixels"):
        emoji(2, data_dir=folder)
    (twemoji / "clean32.png").write_bytes(b"no picture")
    with pytest.raises(OSError, match=r"clean32\.png cannot be read"):
        emoji(2, data_dir=folder)
    for place, wrong in enumerate(([], {}, [{"name": "A"}], [{**cell(-1)}], 3)):
        other = tmp_path / str(place)
        other.mkdir()
        (other / "emoji.json").write_text(json.dumps(wrong), "utf-8")
        with pytest.raises(ValueError, match="must be that of emoji-datasource-twit"):
            catalogue(other)


def test_a_pair_of_motif_and_tone_is_new_though_both_train(splits):
    found = catalogue(stand_in=True)
    assert len(found) == len({picture.caption for picture in found}) == 48
    train = [picture for picture in found if picture.part == "train"]
    new = [each for each in found if each.part == "test" and not each.is_new_motif]
    assert len(new) == 7
    for picture in new:
        assert picture.motif in {each.motif for each in train}
        assert picture.tone in {each.tone for each in train}
        assert picture.caption == f"{picture.motif}, {TONES[picture.tone]}"
    never = [each for each in found if each.is_new_motif]
    assert len(never) == 6
    assert len({each.motif for each in never}) == 1
    assert not {each.motif for each in never} & {each.motif for each in train}
    epoch = [batch["tokens"].numpy() for batch in splits.train.epoch()]
    said = {splits.tokenizer.decode(row) for row in np.concatenate(epoch)}
    assert said <= {each.caption.replace("-", " - ") for each in train}


def named(count):
    tones = [(), *((tone,) for tone in range(5)), (0, 4)]
    return [(f"motif {place}", each) for place in range(count) for each in tones]


def test_as_many_motifs_are_held_out_as_is_said():
    pictures = emoji_sheet._divided([*named(316), ("flag", ()), ("hug", (0, 1))])
    counts = collections.Counter(
        (each.part, each.is_new_motif) for each in pictures if each.tone >= 0
    )
    assert counts == {
        ("train", False): 284 * 5 - 284 - 95,
        ("test", False): 284,
        ("validation", False): 95,
        ("test", True): 21 * 5,
        ("validation", True): 11 * 5,
    }
    others = [each for each in pictures if each.tone < 0]
    assert {(each.part, each.is_new_motif) for each in others} == {
        ("train", False),
        ("validation", True),  # of no tone
        ("test", True),
        ("", True),  # of two tones
    }
    assert pictures[-1].caption == "hug, light skin tone, medium-light skin tone"
    tones = collections.Counter(each.tone for each in pictures if each.part == "test")
    assert min(tones[tone] for tone in range(5)) > 284 / 5 * 0.7


def test_held_out_arrays_say_what_the_catalogue_says(splits):
    for arrays in (splits.held_out, splits.test):
        chosen = [catalogue(stand_in=True)[row] for row in arrays["rows"]]
        assert arrays["captions"].tolist() == [each.caption for each in chosen]
        assert arrays["tones"].tolist() == [each.tone for each in chosen]
        assert arrays["new_motifs"].tolist() == [each.is_new_motif for each in chosen]
        tokens = splits.kind("tokens").read(arrays["captions"].tolist())
        np.testing.assert_array_equal(tokens, arrays["tokens"])
        assert tokens.shape[1] == LENGTH
        assert tokens.dtype == np.int32
        toned = arrays["tones"] >= 0
        found = skin_tones(arrays["images"][toned])
        np.testing.assert_array_equal(found, arrays["tones"][toned])


def test_batches_are_on_white_and_moved_by_seed_only(splits):
    batch = next(iter(splits.train.dataset()))
    assert batch["images"].shape == (4, 32, 32, 3)
    assert batch["tokens"].shape[1] == 24
    assert batch["images"].dtype.name == "float32"
    assert batch["images"].numpy()[:, 0, 0].min() == 1
    moved = emoji(batch_size=4, augment=True, stand_in=True).train
    first, again = (next(iter(moved.dataset(5)))["images"].numpy() for _ in range(2))
    np.testing.assert_array_equal(first, again)
    plain = next(iter(splits.train.dataset(5)))["images"].numpy()
    assert np.abs(first - plain).max() > 0.1
    corners = first[:, [0, 0, -1, -1], [0, -1, 0, -1]]
    assert corners.min() == 1  # what comes in is white


@pytest.mark.parametrize("noise", [0, 0.03])
def test_the_nearest_tone_wins_in_bytes_and_in_floats(noise):
    images = np.ones((5, 32, 32, 3), "float32")
    images[:, 8:24, 8:24] = np.array(COLOURS, "float32")[:, None, None] / 255
    images[:, 24:] = (0.2, 0.4, 0.8)
    images += np.random.default_rng(0).normal(0, noise, images.shape)
    assert skin_tones(images).tolist() == [0, 1, 2, 3, 4]
    rounded = np.round(images.clip(0, 1) * 255).astype("uint8")
    assert skin_tones(rounded).tolist() == [0, 1, 2, 3, 4]
    dark = np.zeros((1, 4, 4, 3), "uint8")
    assert skin_tones(dark) == [4]  # where nothing is near
    with pytest.raises(ValueError, match="`images` must be of shape"):
        skin_tones(images[0])
