"""Pictures before and after an edit, and sketches: what trains, and what never does."""

import collections
import json

import numpy as np
import PIL.Image
import pytest

from keras_genai.data import emoji_families
from keras_genai.data.emoji import COLOURS, catalogue
from keras_genai.data.emoji_edits import ATTRIBUTES, TONES, edits, emoji_edits
from keras_genai.data.emoji_sheet import read_pictures
from keras_genai.data.emoji_sketches import emoji_sketches, source

CODES = ("1F3FB", "1F3FC", "1F3FD", "1F3FE", "1F3FF")
TOLD_APART = [f"hat {number}" for number in range(10)]
MOTIFS = (
    *(
        "man cook",
        "woman cook",
        "man and woman holding hands",
        "deaf man",
        "deaf woman",
    ),
    *("man: bald", "man: red hair", "woman: red hair", "person: bald", "adult"),
    *("person: red hair", "kiss: woman, man", "kiss: woman, woman", *TOLD_APART),
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A sheet of people of noise, each in no tone and in all five."""
    draw = np.random.default_rng(0)
    sheet = np.zeros((34 * len(MOTIFS), 34 * 6, 4), "uint8")
    table = []
    for row, motif in enumerate(MOTIFS):
        body = draw.integers(0, 256, (34, 34, 4), "uint8")
        body[..., 3] = 255
        cells = [{"sheet_x": x, "sheet_y": row} for x in range(6)]
        for x in range(6):
            cell = sheet[34 * row : 34 * row + 34, 34 * x : 34 * x + 34]
            cell[:] = body
            cell[:8, :, :3] = COLOURS[x - 1] if x else (255, 220, 93)
        variations = dict(zip(CODES, cells[1:], strict=True))
        each = {"name": motif, "short_name": motif, "skin_variations": variations}
        table.append(each | cells[0])
    root = tmp_path_factory.mktemp("sheet") / "twemoji"
    root.mkdir()
    (root / "emoji.json").write_text(json.dumps(table), "utf-8")
    PIL.Image.fromarray(sheet).save(root / "clean32.png")
    return root.parent


def motif(folder, row):
    return catalogue(folder)[row].motif


def test_an_edit_changes_what_is_asked_and_nothing_else(folder):
    known = edits(folder)
    assert len({(edit.before, edit.after) for edit in known}) == len(known)
    rows = catalogue(folder)
    for edit in known:
        before, after = rows[edit.before], rows[edit.after]
        asked = ATTRIBUTES[edit.asked]
        if edit.kind == "tone":
            assert before.motif == after.motif
            assert before.tone != after.tone
            assert TONES[after.tone] == asked
        else:
            assert before.tone == after.tone
            assert asked in after.motif
            assert before.motif != after.motif
    kinds = collections.Counter(edit.kind for edit in known)
    assert kinds == {"tone": 25 * len(MOTIFS), "gender": 6 * 6, "hair": 6 * 6}


def test_couples_have_no_gender_that_one_could_ask_for(folder):
    of_gender = {
        (motif(folder, edit.before), motif(folder, edit.after))
        for edit in edits(folder)
        if edit.kind == "gender"
    }
    men = {
        pair for pair in of_gender if not pair[0].startswith(("woman", "deaf woman"))
    }
    assert men == {
        ("man cook", "woman cook"),
        ("deaf man", "deaf woman"),
        ("man: red hair", "woman: red hair"),
    }


def test_no_motif_trains_and_is_held_out(folder):
    parts = collections.defaultdict(set)
    for edit in edits(folder):
        if edit.part:
            for row in (edit.before, edit.after):
                parts[motif(folder, row)].add(edit.part)
    assert all(len(found) == 1 for name, found in parts.items() if name != "adult")
    for man in ("man cook", "deaf man"):
        assert parts[man] == parts[man.replace("man", "woman")]
    of_hair = {
        (motif(folder, edit.before).split()[0], edit.part)
        for edit in edits(folder)
        if edit.kind == "hair"
    }
    assert {("person:", "test"), ("adult", "test")} <= of_hair
    assert ("man:", "test") not in of_hair or parts["man: bald"] == {"test"}
    assert parts["person: bald"] == {"test"}  # of which no tone is asked for, either


def test_pictures_before_and_after_move_alike(folder):
    splits = emoji_edits(8, data_dir=folder)
    assert splits.kind("labels").names == ATTRIBUTES
    batch = next(iter(splits.train.epoch()))
    assert batch["images"].shape == batch["condition"].shape == (8, 32, 32, 3)
    images = read_pictures(folder) / np.float32(255)
    bodies = images[::6, 7:]  # what is below the tone is the same in all of them
    moved = 0
    for before, after, asked in zip(
        batch["condition"].numpy(),
        batch["images"].numpy(),
        batch["labels"],
        strict=True,
    ):
        if asked < len(TONES):
            np.testing.assert_allclose(before[10:], after[10:], atol=1e-6)
        moved += not any(np.allclose(before[7:], body) for body in bodies)
    assert moved > 4
    again = next(iter(emoji_edits(8, data_dir=folder).train.epoch()))
    np.testing.assert_array_equal(batch["images"], again["images"])
    held_out = next(iter(splits.validation.epoch()))
    kept = splits.held_out["condition"][: len(held_out["condition"])]
    np.testing.assert_array_equal(np.round(held_out["condition"] * 255), kept)


def test_the_stand_in_has_tones_and_all_attributes():
    splits = emoji_edits(2, stand_in=True)
    assert splits.sizes["num_classes"] == len(ATTRIBUTES)
    assert set(splits.test["kinds"]) == {"tone"}
    trained = {edit.before for edit in edits(stand_in=True) if edit.part == "train"}
    tested = {edit.before for edit in edits(stand_in=True) if edit.part == "test"}
    assert tested
    assert not trained & tested


def test_what_looks_alike_or_is_kin_is_in_one_part():
    draw = np.random.default_rng(0)
    images = draw.integers(0, 256, (40, 8, 8, 3), "uint8")
    images[1] = images[0, :, ::-1]
    images[3] = np.clip(images[2].astype(int) + 9, 0, 255)
    names = [f"{place:02}" for place in range(40)]
    parts = emoji_families.divide_families(images, names, [(3, 4), (5, 6)])
    counted = collections.Counter(parts)
    assert min(counted["validation"], counted["test"]) >= 2
    assert counted["train"] > 20
    assert parts[0] == parts[1]
    assert parts[2] == parts[3] == parts[4]
    assert parts[5] == parts[6]
    held = [name for name, part in zip(names, parts, strict=True) if part != "train"]
    many = [(0, names.index(name)) for name in held]
    assert set(emoji_families.divide_families(images, names, many)[:1]) == {"train"}
    order = draw.permutation(40)  # only names decide
    others = emoji_families.divide_families(images[order], [names[p] for p in order])
    plain = emoji_families.divide_families(images, names)
    assert others == [plain[place] for place in order]


def test_sketches_are_of_pictures_without_tones(folder):
    splits = emoji_sketches(2, data_dir=folder)
    arrays = (splits.train.content, splits.held_out, splits.test)
    assert sum(len(each["images"]) for each in arrays) == len(MOTIFS)
    batch = next(iter(splits.train.epoch()))
    assert batch["condition"].shape == (2, 32, 32, 1)
    assert set(np.unique(batch["condition"])) == {0, 1}
    assert splits.test["condition"].dtype == np.uint8
    drawn = emoji_sketches(2, stand_in=True)
    assert splits.sizes == drawn.sizes
    # What comes in from outside is the paper.
    for batch in drawn.train.epoch():
        assert batch["images"].numpy()[:, 0, 0].min() == 1
    assert callable(source("digits"))
