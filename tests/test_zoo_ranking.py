"""Which text fits a picture, on the command line and in the figures of CLIP."""

import keras
import numpy as np
import PIL.Image
import pytest

import zoo
from zoo import __main__ as command
from zoo import _clip


@pytest.fixture(scope="module")
def model():
    keras.utils.set_random_seed(0)
    entry = zoo.get("clip_emoji")
    model = entry.build(entry.stand_in(), **entry.tiny)
    model.jit_generate = False
    return model


@pytest.fixture(scope="module")
def folder(model, tmp_path_factory):
    """A preset, and a folder of pictures of two sizes."""
    folder = tmp_path_factory.mktemp("rank")
    model.save_to_preset(folder / "preset")
    (folder / "pictures").mkdir()
    draws = np.random.default_rng(0)
    for name, size in (("a.png", (32, 32, 3)), ("b.png", (50, 40, 3))):
        picture = PIL.Image.fromarray(draws.integers(0, 256, size, "uint8"))
        picture.save(folder / "pictures" / name)
    (folder / "pictures" / "notes.txt").write_text("no picture")
    return folder


def ranked(folder, *texts, files="pictures"):
    asked = ["rank", "clip_emoji", str(folder / files)]
    asked += ["--preset", str(folder / "preset")]
    for text in texts:
        asked += ["--text", text]
    return command.main(asked)


@pytest.mark.slow
def test_texts_are_named_by_their_probabilities(model, folder, capsys):
    texts = ["disc, dark skin tone", "square", "ring"]
    assert not ranked(folder, *texts)
    lines = capsys.readouterr().out.splitlines()
    paths = [folder / "pictures" / name for name in ("a.png", "b.png")]
    for line, path, shares in zip(
        lines, paths, model.classify(paths, texts), strict=True
    ):
        order = np.argsort(-shares)
        said = "  ".join(f"{texts[i]} {shares[i]:.4f}" for i in order)
        assert line == f"{path}: {said}"


@pytest.mark.slow
def test_pictures_are_put_in_the_order_of_a_single_text(model, folder, capsys):
    assert not ranked(folder, "ring")
    lines = capsys.readouterr().out.splitlines()
    paths = [folder / "pictures" / name for name in ("a.png", "b.png")]
    found = model.rank("ring", paths)
    assert lines == [
        f"{score:.4f}  {paths[place]}"
        for place, score in zip(found.places, found.scores, strict=True)
    ]


def test_what_is_no_picture_is_refused(folder, capsys):
    assert ranked(folder, "ring", files="nowhere.png") == 2
    assert "must be a picture file, or a folder" in capsys.readouterr().err
    assert ranked(folder, "ring", files="pictures/notes.txt") == 2
    assert "cannot be read" in capsys.readouterr().err


def test_ranks_count_who_is_at_least_as_near():
    scores = np.array([[0.9, 0.1, 0.2], [0.5, 0.5, 0.1], [0.9, 0.8, 0.1]])
    assert _clip.ranks(scores).tolist() == [0, 1, 2]


def test_figures_of_new_motifs_are_apart(model):
    splits = zoo.get("clip_emoji").stand_in()
    figures = _clip.score(model, splits)
    count = len(splits.test["images"])
    assert figures["pictures"] == count
    assert figures["recall_at_5_chance"] == 5 / count
    new = splits.test["new_motifs"]
    own = _clip.ranks(model.similarity(splits.test["images"], splits.test["tokens"]).T)
    assert figures["recall_at_1_new_motif"] == np.mean(own[new] == 0)
    assert figures["recall_at_1"] == np.mean(own == 0)


def test_pictures_of_prompts_come_with_them(model):
    found = _clip.retrieve(model, 0, count=6, prompts=["ring", "disc", "ring"])
    assert found.captions == ("ring",) * 3 + ("disc",) * 3
    assert len(found) == 6
