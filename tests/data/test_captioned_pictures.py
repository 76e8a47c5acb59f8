"""Pictures with captions of one's own: folders, icons, data sets by name."""

import functools
import json

import numpy as np
import PIL.Image
import pytest

from keras_genai.data import captioned_pictures, captions, emoji
from keras_genai.data.captioned_pictures import folder, icons, source, tfds

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255)}


def write(place, count=30, channels=3):
    """Pictures of one colour; dict from their names to it."""
    place.mkdir(parents=True, exist_ok=True)
    named = {}
    for number in range(count):
        word = list(COLOURS)[number % 3]
        colour = COLOURS[word] if channels == 3 else 80 * (number % 3)
        name = f"{number}.png"
        mode = "RGB" if channels == 3 else "L"
        PIL.Image.new(mode, (20, 10), colour).save(place / name)
        named[name] = word
    return named


def beside(place, named):
    for name, word in named.items():
        (place / name).with_suffix(".txt").write_text(f"A {word}\n square", "utf-8")


def shown(splits):
    """The captions of an epoch, each with the word of its picture's colour."""
    for batch in splits.train.epoch():
        pairs = zip(batch["images"].numpy(), batch["tokens"].numpy(), strict=True)
        for image, tokens in pairs:
            place = int(image[0, 0].argmax())
            yield list(COLOURS)[place], splits.tokenizer.decode(tokens[tokens > 0])


def test_texts_beside_pictures_are_their_captions(tmp_path):
    beside(tmp_path, write(tmp_path))
    splits = folder(4, path=tmp_path, image_size=8)
    assert splits.kind("images").shape == (8, 8, 3)
    assert splits.kind("tokens").length == 16
    seen = list(shown(splits))
    assert len(seen) == 24
    assert all(caption == f"a {word} square" for word, caption in seen)
    for arrays in (splits.held_out, splits.test):
        assert len(arrays["images"]) == len(arrays["captions"]) == 3
        assert arrays["images"].dtype == np.uint8
        read = splits.kind("tokens").read(arrays["captions"].tolist())
        np.testing.assert_array_equal(arrays["tokens"], read)
        for image, caption in zip(arrays["images"], arrays["captions"], strict=True):
            assert list(COLOURS)[image[0, 0].argmax()] in caption


def test_one_of_several_captions_is_drawn_by_the_step_alone(tmp_path):
    named = write(tmp_path / "inner")
    several = {f"inner/{n}": [f"{w}", f"so {w}", ""] for n, w in named.items()}
    first = next(iter(several))
    several[first] = several[first][0]
    (tmp_path / "captions.json").write_text(json.dumps(several), "utf-8")
    splits = folder(4, path=tmp_path, image_size=4)
    seen = [*shown(splits), *shown(splits)]
    assert all(caption in (word, f"so {word}") for word, caption in seen)
    assert {caption for word, caption in seen if word == "red"} == {"red", "so red"}
    assert len(splits.test["captions"][0].split()) == 1
    again = folder(4, path=tmp_path, image_size=4)
    for step in (0, 7):
        one, other = (next(iter(each.train.dataset(step))) for each in (splits, again))
        np.testing.assert_array_equal(one["tokens"], other["tokens"])


def test_what_is_left_out_is_said(tmp_path):
    named = write(tmp_path, 10)
    listed = {**named, "gone.png": "a", "../other.png": "b", "1.png": " "}
    del listed["0.png"]
    (tmp_path / "2.png").write_bytes(b"no picture")
    (tmp_path / "captions.json").write_text(json.dumps(listed), "utf-8")
    with pytest.warns(UserWarning, match="left out") as told:
        splits = folder(2, path=tmp_path)
    (said,) = [str(each.message) for each in told]
    assert "1 without a caption: 0.png" in said
    assert "2 of captions are not there: ../other.png, gone.png" in said
    assert "2 are unreadable or have an empty caption: 1.png, 2.png (" in said
    assert splits.train.steps_per_epoch == 5 // 2


def test_grey_pictures_stay_grey_and_long_captions_are_cut(tmp_path):
    named = write(tmp_path, 5, channels=1)
    listed = {**named, "0.png": "red " * 80}
    (tmp_path / "captions.json").write_text(json.dumps(listed), "utf-8")
    with pytest.warns(UserWarning, match="cut to 64 tokens, of up to 80"):
        splits = folder(2, path=tmp_path)
    assert splits.kind("images").shape == (32, 32, 1)
    assert splits.kind("tokens").length == 64
    with pytest.warns(UserWarning, match="cut to 64"):
        coloured = folder(2, path=tmp_path, channels=3)
    assert coloured.kind("images").shape == (32, 32, 3)


@pytest.mark.parametrize(
    "content", ["[]", "{}", '{"0.png": 3}', '{"0.png": []}', '{"0.png": ["a", 1]}']
)
def test_a_list_of_captions_is_what_it_should_be(content, tmp_path):
    write(tmp_path, 3)
    (tmp_path / "captions.json").write_text(content, "utf-8")
    with pytest.raises(ValueError, match="must be a dict from names of files to capt"):
        folder(2, path=tmp_path)


def test_what_cannot_be_learned_from_is_one_line(tmp_path):
    with pytest.raises(FileNotFoundError, match="`path` must be a folder"):
        folder(2, path=tmp_path / "nowhere")
    write(tmp_path, 3)
    with pytest.raises(FileNotFoundError, match=r"must have captions\.json, or texts"):
        folder(2, path=tmp_path)
    beside(tmp_path, {"0.png": "red"})
    with pytest.raises(ValueError, match="at least 3 pictures with captions"):
        folder(2, path=tmp_path)
    for name, value in (("channels", 2), ("vocabulary", 0), ("image_size", -1)):
        with pytest.raises(ValueError, match=f"`{name}` must"):
            folder(2, path=tmp_path, **{name: value})


def test_file_names_of_icons_are_their_captions(tmp_path):
    place = tmp_path / "silk_icons" / "src"
    place.mkdir(parents=True)
    for number in range(20):
        clear = PIL.Image.new("RGBA", (16, 16), (9, 9, 9, 0))
        clear.save(place / f"chart_pie_{number}.png")
    splits = icons(2, data_dir=tmp_path)
    assert splits.kind("images").shape == (16, 16, 3)
    assert splits.name == "silk_icons"
    assert splits.test["captions"][0].startswith("chart pie ")
    assert (splits.test["images"] == 255).all()
    assert icons(2, data_dir=tmp_path / "silk_icons").train.steps_per_epoch == 8
    with pytest.raises(FileNotFoundError, match="`data_dir` must have the PNG files"):
        icons(2, data_dir=tmp_path / "nowhere")


def test_sources_are_named(tmp_path):
    assert source("emoji") is emoji.emoji
    assert source("captioned_digits") is captions.captioned_digits
    assert source("silk_icons") is icons
    assert source("tfds:coco_captions").keywords == {"name": "coco_captions"}
    for spec in (f"folder:{tmp_path}", str(tmp_path)):
        assert source(spec).keywords == {"path": str(tmp_path)}
    with pytest.raises(ValueError, match="did you mean 'emoji'"):
        source("emojis")
    with pytest.raises(FileNotFoundError, match="`data` must name a folder that exi"):
        source("folder:nowhere")
    assert captions.source is emoji.source is captioned_pictures.source


def published(tmp_path, text, captions_of):
    import tensorflow_datasets as known

    examples = [
        (
            str(number),
            {
                "image": np.full((9, 12, 3), COLOURS[word], "uint8"),
                "title": f"title {number}",
                "captions": captions_of(word),
            },
        )
        for number, word in enumerate(list(COLOURS) * 10)
    ]
    features = {
        "image": known.features.Image(shape=(None, None, 3)),
        "title": known.features.Text(),
        "captions": text,
    }
    known.dataset_builders.store_as_tfds_dataset(
        name="little_captions",
        version="1.0.0",
        data_dir=tmp_path,
        split_datasets={"train": examples},
        features=known.features.FeaturesDict(features),
    )
    return functools.partial(tfds, 4, data_dir=tmp_path, image_size=6)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["one", "several", "inner"])
def test_data_sets_by_name_have_pictures_and_texts(kind, tmp_path):
    import tensorflow_datasets as known

    text = known.features.Text()
    kinds = {
        "one": (text, lambda word: word),
        "several": (known.features.Sequence(text), lambda word: [word, f"so {word}"]),
        "inner": (
            known.features.Sequence({"text": text, "id": np.int64}),
            lambda word: [{"text": word, "id": 1}, {"text": f"so {word}", "id": 2}],
        ),
    }
    read = published(tmp_path, *kinds[kind])
    splits = read(name="little_captions")
    assert splits.kind("images").shape == (6, 6, 3)
    seen = list(shown(splits))
    assert len(seen) == 24
    assert all(caption in (word, f"so {word}") for word, caption in seen)
    titles = read(name=("little_captions", "title"))
    assert titles.test["captions"][0].startswith("title")
    with pytest.raises(ValueError, match=r"one of \['captions', 'title'\]"):
        read(name=("little_captions", "image"))
