"""Edits of a person's own pictures, and what edits and sketches are scored by."""

import functools
import json

import numpy as np
import PIL.Image
import pytest

import zoo
from keras_genai.data.emoji_edits import ATTRIBUTES, edits, emoji_edits
from keras_genai.data.emoji_sheet import read_pictures
from keras_genai.data.emoji_sketches import emoji_sketches
from keras_genai.files.pictures import read_picture
from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Label
from keras_genai.networks.patchgan import PatchDiscriminator
from keras_genai.networks.pix2pix import Pix2PixGenerator
from keras_genai.networks.unet import UNet
from keras_genai.tasks.diffusion import Diffusion
from keras_genai.tasks.paired import Pix2Pix
from zoo import __main__ as command
from zoo import _edits, _sketches


class Painter:
    """Knows every edit; or leaves pictures as they are."""

    def __init__(self, copies=False):
        images = read_pictures(stand_in=True)
        self.copies, self.calls = copies, []
        self.known = {
            (images[edit.before].tobytes(), edit.asked): images[edit.after]
            for edit in edits(stand_in=True)
        }

    def restore(self, images, labels, seed, progress, **options):
        self.calls.append((len(images), seed, options))
        if self.copies:
            return images
        before = np.round(images * 255).astype("uint8")
        found = [
            self.known.get((each.tobytes(), int(label)), each)
            for each, label in zip(before, labels, strict=True)
        ]
        return np.array(found, "float32") / 255


@pytest.fixture(scope="module")
def splits():
    return emoji_edits(2, stand_in=True)


def test_a_model_that_edits_as_asked_has_no_error(splits, monkeypatch):
    monkeypatch.setattr(_edits, "_CHUNK", 30)
    painter = Painter()
    figures = _edits.score(painter, splits, seed=3, steps=1)
    assert next(iter(figures)) == "absolute_error"
    assert figures["absolute_error"] == figures["absolute_error_share"] == 0
    assert figures["tones_right"] == figures["tones_right_floor"] == 1
    assert figures["absolute_error_shuffled"] > 0
    assert figures["tones_right_shuffled"] < 0.5
    assert [call[:2] for call in painter.calls] == [(30, 3), (30, 33), (15, 63)] * 2
    assert all(call[2] == {"steps": 1} for call in painter.calls)


def test_a_model_that_changes_nothing_is_as_good_as_a_copy(splits):
    figures = _edits.score(Painter(copies=True), splits)
    assert figures["absolute_error_share"] == 1
    assert figures["absolute_error"] == figures["absolute_error_shuffled"] > 0
    assert figures["tones_right"] < 0.3
    assert not [name for name in figures if name.startswith(("gender", "hair"))]


def test_gender_and_hair_are_told_apart(splits):
    kinds = np.array(["tone", "gender", "hair"] * 25)
    mixed = type(splits)(
        splits.train, test={**splits.test, "kinds": kinds}, kinds=splits.kinds
    )
    figures = _edits.score(Painter(copies=True), mixed)
    arrays = splits.test
    gap = np.abs(arrays["images"].astype(int) - arrays["condition"]) / 255
    for kind, name in (("gender", "gender_error"), ("tone", "absolute_error")):
        assert figures[f"{name}_copy"] == pytest.approx(gap[kinds == kind].mean())
    assert figures["hair_error"] == figures["hair_error_copy"]


def test_a_sheet_shows_each_picture_with_its_edits(splits):
    source = functools.partial(emoji_edits)
    sheet = _edits.show(Painter(), seed=0, source=source)
    assert sheet.shape == (12, 8, 32, 32, 3)
    for row in sheet:
        for tone in range(5):
            assert (row[0] == row[1 + tone]).all() or not (row[1] == row[5]).all()


class Drawer:
    """Draws the truth of a sketch, if it has seen it."""

    def __init__(self, arrays):
        pairs = zip(arrays["condition"], arrays["images"], strict=True)
        self.known = {sketch.tobytes(): image for sketch, image in pairs}

    def translate(self, condition, seed):
        sketches = np.round(condition * 255).astype("uint8")
        return np.array([self.known[s.tobytes()] for s in sketches], "float32") / 255


def test_a_model_that_draws_the_truth_is_better_than_the_nearest_sketch():
    splits = emoji_sketches(2, stand_in=True)
    figures = _sketches.score(Drawer(splits.test), splits)
    assert next(iter(figures)) == "absolute_error"
    assert figures["absolute_error"] == 0
    for name in ("nearest", "mean", "sketch"):
        assert figures[f"absolute_error_{name}"] > 0.01
    assert figures["psnr"] > figures["psnr_nearest"]
    sheet = _sketches.show(Drawer(splits.test), 0, emoji_sketches)
    assert sheet.shape == (9, 8, 32, 32, 3)
    np.testing.assert_array_equal(sheet[1], sheet[2])


def test_the_nearest_sketch_of_one_that_trains_is_itself():
    splits = emoji_sketches(2, stand_in=True)
    batch = next(iter(splits.train.take(1)))
    first = {name: np.round(batch[name] * 255).astype("uint8") for name in batch}
    seen = type(splits)(Fixed(batch), test=first, kinds=splits.kinds)
    figures = _sketches.score(Drawer(first), seen)
    assert figures["absolute_error_nearest"] < 1e-6


class Fixed:
    def __init__(self, batch):
        self.batch = batch

    def epoch(self):
        return [self.batch]


def test_a_drawing_on_paper_becomes_white_lines_on_black():
    paper = np.full((8, 8, 1), 0.9, "float32")
    paper[3] = 0.5  # a pencil
    paper[5] = 0.85  # a smudge
    lines = _sketches.white_on_black(paper)
    assert lines.sum() == lines[3].sum() == 8
    np.testing.assert_array_equal(_sketches.white_on_black(lines), lines)
    assert _sketches.white_on_black(np.ones((4, 4, 1))).sum() == 0


@pytest.fixture(scope="module")
def presets(tmp_path_factory):
    """Untrained models by what they are given."""
    root, colour = tmp_path_factory.mktemp("presets"), Image((8, 8, 3))
    unet = dict(width=8, multipliers=(1,), blocks=1)
    models = {
        "face_edit_emoji": Diffusion(
            UNet(**unet),
            colour,
            given=(Label(12, ATTRIBUTES), Image((8, 8, 3), "condition")),
            label_dropout=0.0,
            name="face_edit_emoji",
        ),
        "sketch_emoji": Pix2Pix(
            generator=Pix2PixGenerator(width=2),
            discriminator=PatchDiscriminator(width=2),
            target=colour,
            given=Image((8, 8, 1), "condition"),
            name="sketch_emoji",
        ),
        "ddpm": Diffusion(UNet(**unet), colour, given=Label(3), name="ddpm"),
    }
    for name, model in models.items():
        model.save_to_preset(root / name)
    return root


@pytest.fixture
def picture(tmp_path):
    """A file of any size, partly transparent."""
    pixels = np.zeros((20, 30, 4), "uint8")
    pixels[5:15, 10:20] = (200, 10, 10, 255)
    PIL.Image.fromarray(pixels).save(tmp_path / "me.png")
    return str(tmp_path / "me.png")


def edit(presets, name, *arguments):
    return command.main(["edit", str(presets / name), *arguments])


@pytest.mark.parametrize(
    ("name", "asked"),
    [
        ("face_edit_emoji", ("--to", "dark skin tone")),
        ("sketch_emoji", ()),
        ("sketch_emoji", ("--outlines",)),
        ("ddpm", ("--to", "2", "--strength", "0.3")),
    ],
)
def test_a_file_is_edited(name, asked, presets, picture, tmp_path, capsys):
    out = str(tmp_path / "x.png")
    assert not edit(presets, name, picture, *asked, "--out", out)
    assert capsys.readouterr().out.strip() == f"1 picture in {out}"
    assert read_picture(tmp_path / "x.png").shape[2] == 3
    said = PIL.Image.open(out).text
    assert said["Comment"] == "generated by a model"


def test_a_model_is_asked_for_what_a_person_asked_for(presets, picture, monkeypatch):
    calls = []

    def restore(self, condition, seed=0, steps=30, **given):
        calls.append((condition, {"seed": seed, "steps": steps, **given}))
        return np.zeros((len(condition), *self.target.shape), "float32")

    monkeypatch.setattr(Diffusion, "restore", restore)
    monkeypatch.chdir(presets)
    files = [picture, picture]
    assert not edit(presets, "face_edit_emoji", *files, "--to", "bald", "--seed", "5")
    ((images, options),) = calls
    assert options == {"labels": "bald", "seed": 5, "steps": 1}
    assert images.shape == (2, 8, 8, 3)
    assert images[0, 0, 0].tolist() == [1, 1, 1]  # what is clear is white
    assert abs(images[0, 4, 4] * 255 - (200, 10, 10)).max() < 1


def test_a_drawing_reaches_a_model_as_its_data_are(presets, tmp_path, monkeypatch):
    calls = []

    def translate(self, condition, seed=0):
        calls.append(condition)
        return np.zeros((len(condition), *self.target.shape), "float32")

    monkeypatch.setattr(Pix2Pix, "translate", translate)
    monkeypatch.chdir(tmp_path)
    drawing = np.full((8, 8), 255, "uint8")
    drawing[2] = 40
    PIL.Image.fromarray(drawing).save("drawing.png")
    assert not edit(presets, "sketch_emoji", "drawing.png")
    assert not edit(presets, "sketch_emoji", "drawing.png", "--outlines")
    assert calls[0][0, :, 0, 0].tolist() == [0, 0, 1, 0, 0, 0, 0, 0]
    assert calls[1][0, :, 0, 0].tolist() == [0, 1, 0, 1, 0, 0, 0, 0]


@pytest.mark.parametrize(
    ("name", "arguments", "message"),
    [
        ("face_edit_emoji", [], "`--to` must be given for face_edit_emoji: light skin"),
        ("face_edit_emoji", ["--to", "dark"], "dium skin tone, medium-dark skin tone"),
        ("face_edit_emoji", ["--to", "dark"], "Received: dark"),
        (
            "face_edit_emoji",
            ["--to", "bald", "--strength", "0.5"],
            "`--strength` must be left out for face_edit_emoji",
        ),
        (
            "face_edit_emoji",
            ["--to", "bald", "--outlines"],
            "`--outlines` must be left out for a model that is not given sketches",
        ),
        ("sketch_emoji", ["--to", "bald"], "`--to` must be left out for sketch_emoji"),
        ("ddpm", ["--to", "3"], "`--to` must be an int from 0 to 2 for ddpm"),
        ("ddpm", ["--to", "1", "--strength", "2"], "`strength` must be in (0, 1]"),
        ("ddpm", ["--to", "1", "--out", "x.jpg"], "`--out` must end with .png"),
    ],
)
def test_what_does_not_fit_is_said_in_one_line(
    name, arguments, message, presets, picture, tmp_path, capsys, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    assert edit(presets, name, picture, *arguments) == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_file_that_is_no_picture_is_named(presets, tmp_path, capsys):
    (tmp_path / "notes.txt").write_text(json.dumps({}))
    for path in (tmp_path / "notes.txt", tmp_path / "nowhere.png"):
        assert edit(presets, "sketch_emoji", str(path)) == 2
        assert f"`FILE` cannot be read: {path}" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["face_edit_emoji", "sketch_emoji"])
def test_cards_ask_for_consent(name):
    assert "only with their consent" in zoo.get(name).head
