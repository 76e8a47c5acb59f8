"""Pictures are learned as a viewer shows them, and what is left out is said."""

import os
import warnings

import numpy as np
import pytest
from PIL import Image, ImageCms

from keras_genai.data import pictures
from keras_genai.files.pictures import read_picture

UPRIGHT = np.zeros((6, 4, 3), "uint8")
UPRIGHT[0, 0] = (250, 20, 20)
UPRIGHT[0, 3] = (20, 250, 20)
UPRIGHT[5, 0] = (20, 20, 250)
STORED = {  # what a camera stores, by the EXIF number that says how to turn it
    1: UPRIGHT,
    2: UPRIGHT[:, ::-1],
    3: UPRIGHT[::-1, ::-1],
    4: UPRIGHT[::-1],
    5: UPRIGHT.transpose(1, 0, 2),
    6: np.rot90(UPRIGHT, 1),
    7: np.rot90(UPRIGHT, 2).transpose(1, 0, 2),
    8: np.rot90(UPRIGHT, -1),
}


def colour(*values):
    return np.full((4, 4, len(values)), values, "uint8")


def save(path, array, **options):
    Image.fromarray(np.ascontiguousarray(array)).save(path, **options)
    return path


@pytest.mark.parametrize("turn", STORED)
@pytest.mark.parametrize("ending", ["png", "tif"])
def test_the_turn_that_a_camera_notes_is_made(turn, ending, tmp_path):
    exif = Image.Exif()
    exif[0x0112] = turn
    path = save(tmp_path / f"a.{ending}", STORED[turn], exif=exif)
    np.testing.assert_array_equal(read_picture(path), UPRIGHT)


@pytest.mark.parametrize(
    ("ending", "options"),
    [
        *[(each, {}) for each in ("png", "gif", "bmp", "tif", "tiff", "ppm", "tga")],
        *[(each, {"format": "JPEG"}) for each in ("jpg", "JPG", "jpe", "jfif")],
        ("webp", {"lossless": True}),
        ("avif", {"quality": 100}),
    ],
)
def test_every_usual_file_is_read(ending, options, tmp_path):
    path = save(tmp_path / f"p\u00e4th.{ending}", colour(200, 80, 40), **options)
    images, _, _ = pictures.read_folder(path.parent, (4, 4))
    assert abs(images[0].astype(int) - colour(200, 80, 40)).max() <= 4


def test_the_content_decides_not_the_extension(tmp_path):
    path = save(tmp_path / "a.png", colour(200, 80, 40), format="JPEG")
    assert abs(read_picture(path).astype(int) - colour(200, 80, 40)).max() <= 4


def test_sixteen_bits_are_read_by_their_upper_eight(tmp_path):
    grey = np.full((4, 4), 200 * 256 + 7, "uint16")
    for ending in ("png", "tif"):
        path = save(tmp_path / f"a.{ending}", grey)
        np.testing.assert_array_equal(read_picture(path), np.full((4, 4, 1), 200))


def test_transparency_of_every_kind_becomes_white(tmp_path):
    half = save(tmp_path / "a.png", colour(0, 0, 0, 0))
    palette = Image.fromarray(colour(9, 9, 9)).quantize(4)
    palette.save(tmp_path / "b.png", transparency=palette.getpixel((0, 0)))
    plain = Image.fromarray(colour(9, 9, 9))
    plain.save(tmp_path / "c.png", transparency=(9, 9, 9))
    Image.fromarray(np.zeros((4, 4, 2), "uint8"), "LA").save(tmp_path / "d.png")
    Image.fromarray(np.zeros((4, 4), "uint8")).save(tmp_path / "e.png", transparency=0)
    images, _, _ = pictures.read_folder(half.parent, (4, 4), channels=3)
    assert images.shape == (5, 4, 4, 3)
    assert (images == 255).all()


def test_printers_colours_and_black_and_white_become_those_of_a_screen(tmp_path):
    Image.new("CMYK", (4, 4), (0, 255, 255, 0)).save(tmp_path / "a.tif")
    red = read_picture(tmp_path / "a.tif")[0, 0].astype(int)
    assert red[0] > 200
    assert red[1:].max() < 60
    Image.new("1", (4, 4), 1).save(tmp_path / "b.png")
    np.testing.assert_array_equal(read_picture(tmp_path / "b.png"), colour(255))


def test_a_stated_gamma_and_a_profile_are_applied(tmp_path):
    from PIL import PngImagePlugin

    said = PngImagePlugin.PngInfo()
    said.add(b"gAMA", (100_000).to_bytes(4, "big"))  # linear light
    path = tmp_path / "a.png"
    Image.fromarray(colour(55, 55, 55)).save(path, pnginfo=said)
    assert abs(read_picture(path).astype(int) - 127).max() <= 1
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    same = save(tmp_path / "b.png", colour(200, 80, 40), icc_profile=lab)
    assert abs(read_picture(same).astype(int) - colour(200, 80, 40)).max() <= 1
    broken = save(tmp_path / "c.png", colour(200, 80, 40), icc_profile=b"nonsense")
    np.testing.assert_array_equal(read_picture(broken), colour(200, 80, 40))


@pytest.mark.parametrize("ending", ["gif", "webp", "png", "tif"])
def test_of_several_frames_the_first_is_taken(ending, tmp_path):
    frames = [Image.fromarray(colour(v, v, v)) for v in (250, 10)]
    path = tmp_path / f"a.{ending}"
    options = {"lossless": True} if ending == "webp" else {}
    frames[0].save(path, save_all=True, append_images=frames[1:], **options)
    assert (read_picture(path) >= 248).all()


def classes(folder, names=("cats", "dogs")):
    for name in names:
        (folder / name).mkdir()
        save(folder / name / "a.png", colour(200, 80, 40))


def test_files_that_cannot_be_read_are_counted_and_named(tmp_path):
    classes(tmp_path)
    (tmp_path / "cats" / "empty.png").touch()
    whole = save(tmp_path / "cats" / "cut.jpg", np.zeros((64, 64, 3), "uint8"))
    whole.write_bytes(whole.read_bytes()[:300])
    (tmp_path / "dogs" / "photo.heic").write_bytes(b"heic")
    (tmp_path / "dogs" / "words.txt").write_text("a dog", "utf-8")
    os.mkfifo(tmp_path / "dogs" / "pipe.png")
    with pytest.warns(UserWarning, match="skipped 3 pictures") as caught:
        images, _, names = pictures.read_folder(tmp_path, (4, 4))
    (said,) = [str(each.message) for each in caught]
    assert (len(images), names) == (2, ["cats", "dogs"])
    for name in ("empty.png (empty file)", "cut.jpg", "pipe.png", "photo.heic"):
        assert name in said
    assert "words.txt" not in said
    assert "\n" not in said


def test_a_class_that_is_lost_is_said(tmp_path):
    classes(tmp_path, ("cats", "dogs", "emus"))
    (tmp_path / "emus" / "a.png").write_bytes(b"nothing")
    with pytest.warns(UserWarning, match="no picture is left of the folders: emus"):
        _, _, names = pictures.read_folder(tmp_path, (4, 4))
    assert names == ["cats", "dogs"]
    (tmp_path / "emus" / "a.png").unlink()
    save(tmp_path / "stray.png", colour(0, 0, 0))
    with pytest.warns(UserWarning, match="1 pictures lie beside the folders"):
        assert pictures.read_folder(tmp_path, (4, 4))[2] is None


def test_linked_hidden_and_nested_folders(tmp_path):
    root = tmp_path / "data"
    root.mkdir()
    classes(root, ("\u72d7",))
    classes(tmp_path, ("cats", ".hidden"))
    (root / "cats").symlink_to(tmp_path / "cats")
    (root / "\u72d7" / "deep").mkdir()
    (root / "\u72d7" / "deep" / "circle").symlink_to(root)
    save(root / "\u72d7" / "deep" / "b.png", colour(1, 2, 3))
    save(root / ".c.png", colour(1, 2, 3))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        images, labels, names = pictures.read_folder(root, (4, 4))
    assert names == ["cats", "\u72d7"]
    assert labels.tolist() == [0, 1, 1]
    assert len(images) == 3
