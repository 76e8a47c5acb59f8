"""What emoji that were drawn by their captions are scored by."""

import dataclasses

import numpy as np
import pytest

from keras_genai.data.emoji import catalogue, emoji
from zoo import _captions, _emoji, _images


class Painter:
    """Draws the real picture of a caption, or of another one."""

    def __init__(self, splits, change=lambda caption: caption):
        self.change, self.calls = change, []
        captions = splits.test["captions"].tolist()
        self.known = dict(zip(captions, splits.test["images"], strict=True))

    def generate(self, count, prompts, seed, **options):
        self.calls.append((count, seed, options))
        drawn = [self.known[self.change(prompt)] for prompt in prompts]
        return np.array(drawn, "float32") / 255


@pytest.fixture(scope="module")
def splits():
    return emoji(batch_size=4, stand_in=True)


@pytest.fixture(autouse=True)
def extractor(monkeypatch):
    """Colours of quarters instead of a network that has to learn first."""

    class Quarters:
        name = "quarters"

        def features(self, images):
            return images[:, ::16, ::16].reshape(len(images), -1)

    monkeypatch.setattr(_images, "train_classifier", lambda splits, seed: Quarters())


def test_a_model_that_draws_the_truth_is_right(splits, monkeypatch):
    monkeypatch.setattr(_captions, "CHUNK", 5)
    painter = Painter(splits)
    figures = _emoji.score(painter, splits, seed=3, guidance=2.0)
    assert next(iter(figures)) == "tones_right"
    right = ("tones_right", "tones_right_new_motif", "motifs_right")
    assert [figures[name] for name in right] == [1, 1, 1]
    assert figures["tones_right_floor"] == figures["tones_right_new_motif_floor"] == 1
    assert figures["tones_right_shuffled"] < 1
    distance = figures["frechet_distance_quarters"]
    assert distance == pytest.approx(figures["frechet_floor_quarters"])
    assert [call[:2] for call in painter.calls] == [(5, 3), (5, 4), (3, 5)]
    assert all(call[2] == {"guidance": 2.0} for call in painter.calls)


def test_a_model_that_reads_no_caption_is_as_right_as_beside_others(splits):
    dark = next(p.caption for p in catalogue(stand_in=True) if p.part == "test")
    painter = Painter(splits, change=lambda caption: dark)
    figures = _emoji.score(painter, splits)
    pairs = splits.test["tones"][~splits.test["new_motifs"]]
    (place,) = np.flatnonzero(splits.test["captions"] == dark)
    share = (pairs == splits.test["tones"][place]).mean()
    assert figures["tones_right"] == pytest.approx(share)
    assert figures["tones_right_shuffled"] == pytest.approx(share)
    assert figures["motifs_right"] <= 1 / len(pairs)
    assert figures["tones_right_floor"] == 1


def test_pictures_of_a_users_captions_are_compared_with_the_real_ones(splits):
    others = {key: splits.test[key] for key in ("images", "tokens", "captions")}
    own = dataclasses.replace(splits, test=others)
    painter = Painter(splits)
    for score in (_emoji.score, _captions.score):
        figures = score(painter, own, seed=1)
        assert figures["nearest"] == 1
        assert figures["nearest_shuffled"] < 0.5
        distance = figures.pop("frechet_distance_quarters")
        assert distance == pytest.approx(figures["frechet_floor_quarters"])
    same = splits.test["captions"][0]
    blind = _emoji.score(Painter(splits, change=lambda caption: same), own)
    assert blind["nearest"] == pytest.approx(1 / len(others["captions"]))
