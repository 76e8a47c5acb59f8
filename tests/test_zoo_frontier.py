"""The verb `frontier`: points from a reference to its policies, and a picture."""

import itertools
import json

import keras
import numpy as np
import pytest

import zoo
from keras_genai.data import sentiment
from keras_genai.evaluation.kl import best_of_divergence
from keras_genai.networks.base import Network
from zoo import __main__ as command
from zoo import _frontier_picture, _frontier_points, _reviews


def test_the_best_of_n_is_that_of_all_choices_of_n_draws():
    scores = np.sort(np.random.default_rng(0).normal(size=6))
    for count in (1, 2, 4, 6):
        best = [max(some) for some in itertools.combinations(scores, count)]
        found = _frontier_points.ranks(6, count)
        assert found.sum() == pytest.approx(1)
        assert found @ scores == pytest.approx(np.mean(best))


def test_best_of_n_is_ranked_by_the_reward_and_praised_by_judges():
    said = {
        "reward": np.array([[1.0, 2.0, 0.0, 3.0], [0.0, 5.0, 1.0, 2.0]]),
        "praise": np.array([[1.0, 0.0, 1.0, 0.0], [0.0, 1.0, 0.0, 1.0]]),
    }
    one, two, four = _frontier_points.best(said, (1, 2, 4))
    assert [each["count"] for each in (one, two, four)] == [1, 2, 4]
    assert [each["kl"] for each in (one, four)] == [0, best_of_divergence(4)]
    assert one["reward"] == pytest.approx(said["reward"].mean())
    assert four["reward"] == pytest.approx((3 + 5) / 2)
    assert one["praise"] == pytest.approx(0.5)
    assert four["praise"] == pytest.approx((0 + 1) / 2)
    # The better one of each pair, by hand: 2 1 3 2 3 3, and 5 1 2 5 5 2.
    assert two["reward"] == pytest.approx((14 / 6 + 20 / 6) / 2)
    assert two["praise"] == pytest.approx((1 / 6 + 5 / 6) / 2)


class Judge:
    """A judge that takes every text with an `a` for praise."""

    def score(self, prompts, completions):
        return np.array([2 * ("a" in text) - 1 for text in completions])


def test_a_panel_says_what_each_of_it_thinks(monkeypatch):
    rewards = np.array([3.0, 0.0, 1.0])
    monkeypatch.setattr(_reviews, "praise", lambda reward: lambda *given: rewards)
    panel = _reviews.Panel({"a": Judge(), "other": Judge()}, "reward", usual=1.0)
    texts = ["a", "b", "ab"]
    found = panel.figures(["it is"] * 3, texts, [True] * 3)
    np.testing.assert_array_equal(found["praise"], [1, 0, 1])
    np.testing.assert_array_equal(found["praise_by_other"], [1, 0, 1])
    np.testing.assert_array_equal(found["reward"], rewards)
    np.testing.assert_array_equal(found["praise_by_reward"], [1, 0, 0])
    alone = _reviews.Panel({"a": Judge()}).figures(["it is"] * 3, texts, [True] * 3)
    assert alone.keys() == {"praise", "praise_by_a"}


def dense(value):
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(3)])
    for weight in model.weights:
        weight.assign(np.full(weight.shape, value))
    return model


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_weights_lie_between_those_of_two_models(share):
    writer, reference, policy = map(dense, (9.0, 1.0, 3.0))
    _frontier_points.between(writer, reference, policy, share)
    for weight in writer.weights:
        np.testing.assert_array_equal(weight, np.full(weight.shape, 1 + 2 * share))


def test_policies_begin_and_are_rewarded_alike():
    names = ["gpt_reviews_rloo", "gpt_reviews_sft"]  # which name it differently
    assert _frontier_points.stages(names) == ("gpt_reviews", "reward_sst2")
    for wrong in (["gpt_countdown_grpo"], ["gpt_reviews"], [*names, "reward_sst2"]):
        with pytest.raises(ValueError, match="`names` must be of entries that begin"):
            _frontier_points.stages(wrong)


def test_a_picture_and_what_cannot_be_one(tmp_path, capsys):
    point = {"kl": 0.0, "reward": -1.0, "praise": 0.5, "praise_by_words": 0.5}
    found = {
        "reference": "here",
        "reward": "judge",
        "policies": {"there": [point, {**point, "kl": 2.0, "reward": 1.0}]},
        "best_of": [{**point, "count": 1}, {**point, "count": 4, "kl": 0.6}],
    }
    assert _frontier_picture.picture(found).startswith(b"\x89PNG")
    wrong = ["frontier", "gpt_reviews_rloo", "--picture", str(tmp_path / "x.json")]
    assert command.main(wrong) == 2
    assert "`--picture` must end with .png" in capsys.readouterr().err
    unknown = ["frontier", "gpt_reviews_rlo", "--picture", str(tmp_path / "x.png")]
    assert command.main(unknown) == 2
    assert "Did you mean" in capsys.readouterr().err


def write_data(folder):
    """The sentences of the stand-in as the files of SST-2."""
    parts = sentiment.labelled_sentences(stand_in=True)
    for name, rows in zip(("train", "dev", "test"), parts, strict=True):
        lines = "".join(f"{text}\t{label}\n" for text, label in rows)
        (folder / f"{name}.tsv").write_text(lines, "utf-8")
    return folder


def save(folder):
    """Small models of the three stages, the policy a step away from the reference."""
    entry = zoo.get("gpt_reviews")
    splits = entry.stand_in()
    keras.utils.set_random_seed(0)
    reference = entry.build(splits, **entry.tiny)
    judge = zoo.get("reward_sst2")
    reward = judge.build(judge.stand_in(), **judge.tiny)
    policy = zoo.get("gpt_reviews_sft").build(splits, trained=reference)
    draws = np.random.default_rng(0)
    for weight in policy.weights:
        weight.assign_add(draws.normal(0, 0.3, weight.shape))
    models = {
        "gpt_reviews": reference,
        "reward_sst2": reward,
        "gpt_reviews_sft": policy,
    }
    for name, model in models.items():
        model.save_to_preset(folder / "runs" / name / "preset")
    return policy, reference, reward


@pytest.mark.slow
def test_a_frontier_goes_from_the_reference_to_the_policy(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(Network, "jit_generate", False)
    monkeypatch.setattr(_reviews, "STEPS_OF_JUDGE", 2)
    monkeypatch.setattr(_reviews, "SCORED", 12)
    monkeypatch.chdir(tmp_path)
    data = write_data(tmp_path)
    policy, reference, reward = save(tmp_path)
    out = ["--picture", "frontier.png", "--data-dir", str(data)]
    assert not command.main(["frontier", "gpt_reviews_sft", *out]), capsys.readouterr()
    assert (tmp_path / "frontier.png").read_bytes().startswith(b"\x89PNG")
    found = json.loads((tmp_path / "frontier.json").read_text("utf-8"))
    points = found["policies"]["gpt_reviews_sft"]
    assert [point["share"] for point in points] == [0, 0.25, 0.5, 0.75, 1]
    assert points[0]["kl"] == pytest.approx(0, abs=1e-6)
    assert points[0]["kl"] < points[2]["kl"] < points[4]["kl"]
    splits = zoo.get("gpt_reviews").splits(data_dir=data)
    wanted = _reviews.score(policy, splits, trained=reference, reward=reward)
    for name in ("kl", "reward", "unique", "praise_by_words"):
        assert points[-1][name] == pytest.approx(wanted[name], rel=1e-4)
    best = found["best_of"]
    assert [point["count"] for point in best] == [1, 2, 4, 8, 16]
    rewards = [point["reward"] for point in best]
    assert rewards == sorted(rewards)
    printed = capsys.readouterr().out
    assert f"{points[-1]['kl']:.4f}" in printed
    assert "best of 16" in printed
