"""What furniture that was made by its captions is scored by."""

import dataclasses

import numpy as np
import pytest

import zoo
from keras_genai.data.furniture import designs, furniture, pieces
from zoo import __main__ as command
from zoo import _furniture


class Carpenter:
    """Makes real pieces of captions, or of other ones."""

    def __init__(self, change=lambda place: place):
        self.places = {each.caption(): n for n, each in enumerate(designs())}
        self.change, self.calls = change, []

    def generate(self, count, prompts, seed, **options):
        self.calls.append((count, seed, options))
        places = [self.change(self.places[prompt]) for prompt in prompts]
        return pieces(places, seed=100 + seed)


@pytest.fixture(scope="module")
def splits():
    """Every fourth of the test pieces."""
    whole = furniture(batch_size=4)
    few = {key: array[::4] for key, array in whole.test.items()}
    return dataclasses.replace(whole, test=few)


@pytest.fixture(autouse=True)
def few_at_once(monkeypatch):
    monkeypatch.setattr(_furniture, "COMPARED", 12)
    monkeypatch.setattr(_furniture, "CHUNK", 20)


def test_a_model_that_makes_real_pieces_is_right(splits):
    carpenter = Carpenter()
    figures = _furniture.score(carpenter, splits, seed=3, guidance=2.0)
    assert next(iter(figures)) == "legs_right"
    for name in ("legs", "boards", "heights"):
        assert figures[f"{name}_right"] >= 0.98
        assert figures[f"{name}_right_floor"] >= 0.98
    assert figures["shapes_right"] >= 0.95
    assert figures["shapes_right_floor"] >= 0.95
    assert figures["legs_right_new_design"] >= 0.98
    assert figures["legs_right_shuffled"] < 0.6
    assert figures["minimum_distance"] < 2 * figures["minimum_distance_floor"]
    assert [call[:2] for call in carpenter.calls] == [(20, 3), (20, 4), (10, 5)]
    assert all(call[2] == {"guidance": 2.0} for call in carpenter.calls)


def test_a_model_that_reads_no_caption_is_as_right_as_beside_others(splits):
    chair = next(n for n, d in enumerate(designs()) if d.kind == "chair")
    figures = _furniture.score(Carpenter(lambda place: chair), splits)
    asked = [designs()[place] for place in splits.test["designs"]]
    counts = np.array([each.count for each in asked if each.kind != "shelf"])
    share = (counts == designs()[chair].count).mean()
    assert figures["legs_right"] == pytest.approx(share, abs=0.02)
    assert figures["legs_right_shuffled"] == pytest.approx(share, abs=0.02)
    assert figures["nearest_neighbour_accuracy"] > 0.8
    assert figures["coverage"] < figures["coverage_floor"]


def test_what_is_shown_can_be_said(splits):
    tokens = splits.kind("tokens").read(list(_furniture.SHOWN))
    assert (tokens > 0).all(axis=0).any()
    known = {caption for each in designs() for caption in each.captions}
    assert {*_furniture.SHOWN} <= known


def mean_of_surface(noisy, surface, sigma):
    """Where points of a surface were, on average, which is the best guess."""
    apart = np.square(noisy[:, None] - surface[None]).sum(axis=-1) / (2 * sigma**2)
    share = np.exp(apart.min(axis=1, keepdims=True) - apart)
    return share @ surface / share.sum(axis=1, keepdims=True)


@pytest.mark.slow
def test_knowing_a_piece_is_worth_a_quarter_of_the_loss():
    """Nobody knows where on its piece a noisy point was: that error stays for ever.

    If the loss were mostly that, it would be as good as flat from the start.
    """
    entry = zoo.get("points_furniture")
    model = entry.build(**entry.tiny)
    random = np.random.default_rng(0)
    places = [n for n, each in enumerate(designs()) if each.part == "train"][::8]
    surfaces = 2 * pieces(places) - 1
    asked, surfaces = surfaces[:, :16], surfaces[:, 16:]
    pooled = surfaces[:, ::4].reshape(-1, 3)
    times = model.schedule.times(((np.arange(12) + 0.5) / 12).astype("float32"))
    alpha, sigma = model.schedule.alpha(times), model.schedule.sigma(times)
    factor = model.prediction.clean_factor(alpha, sigma)
    weight = np.asarray(model.weighting(alpha, sigma, factor) / factor)
    knows_piece, knows_all = np.zeros(12), np.zeros(12)
    for n, ratio in enumerate(np.asarray(sigma / alpha)):
        for clean, surface in zip(asked, surfaces, strict=True):
            noisy = clean + ratio * random.normal(size=clean.shape)
            for errors, known in ((knows_piece, surface), (knows_all, pooled)):
                guess = mean_of_surface(noisy, known, ratio)
                errors[n] += np.square(guess - clean).mean()
    assert (weight * knows_piece).mean() < 0.75 * (weight * knows_all).mean()


@pytest.mark.slow
def test_a_table_is_made_on_the_command_line(tmp_path, capsys):
    entry = zoo.get("points_furniture")
    entry.build(entry.stand_in(), **entry.tiny).save_to_preset(tmp_path / "preset")
    arguments = ["sample", "points_furniture", "--preset", str(tmp_path / "preset")]
    arguments += ["--prompt", "a round table with three legs", "--count", "2"]
    for name in ("table.ply", "table.obj"):
        assert not command.main([*arguments, "--out", str(tmp_path / name)])
        assert f"2 objects in {tmp_path / name}" in capsys.readouterr().out
        assert (tmp_path / "table.png").read_bytes().startswith(b"\x89PNG")
    assert command.main([*arguments, "--out", str(tmp_path / "table.stl")]) == 2
    assert "must end with .ply or .obj" in capsys.readouterr().err
