"""What stands beside the figures of alignment: how far one comes without a network."""

import dataclasses
import types

import numpy as np
import pytest

import zoo
from keras_genai.data.countdown import Problem
from keras_genai.data.tokenizers import byte_level
from zoo import _countdown, _dialogue, _preferred, _reviews, _sentiment


@pytest.fixture(scope="module")
def counted():
    """Small talk, and a model that counted it."""
    entry = zoo.get("ngram_chat")
    splits = entry.stand_in()
    model = entry.build(splits)
    model.fit_tokens(splits.train.tokens)
    return model, splits


def test_answers_are_foreseen_behind_their_questions_by_the_character(counted):
    model, splits = counted
    (found,) = _dialogue.score_answers(model, splits).values()
    nats = characters = 0
    pairs = zip(splits.held_out["prompts"], splits.held_out["completions"], strict=True)
    for question, answer in pairs:
        tokens = model.tokenizer.encode(f"{question}\t{answer}\n")
        learned = len(answer) + 1
        nats -= model.network.log_probabilities(tokens)[-learned:].sum()
        characters += learned
    assert found == pytest.approx(nats / characters)
    assert 1 < found < np.log(model.vocabulary_size)


@pytest.mark.slow
def test_what_counts_can_talk(counted):
    model, _ = counted
    said = zoo.get("ngram_chat").sample(model, seed=0).splitlines()
    asked = [line.partition(" -> ")[0] for line in said]
    assert asked == list(_dialogue.QUESTIONS)
    assert not any("\t" in line for line in said)


def test_pairs_are_told_apart_by_letters_and_by_nothing_where_nothing_is_told():
    splits = zoo.get("reward_hh").stand_in()
    found = _preferred.floors(splits)
    # The polite answers begin with Yes, the rude ones with No.
    assert found["floor"] == 1
    assert 0 <= found["floor_of_shuffled"] <= 1
    pairs = _preferred._answers(splits.tokenizer, splits.test)
    assert all(a.startswith(" Yes,") and b.startswith(" No,") for a, b in pairs)
    assert len(pairs) == len(splits.test["tokens"])
    shorter = [0.5 + 0.5 * np.sign(len(b) - len(a)) for a, b in pairs]
    assert found["shorter_wins"] == pytest.approx(np.mean(shorter))


def test_a_coin_teaches_nothing():
    """Pairs of which the letters decide, many enough for chance to be seen."""
    tokenizer, draws = byte_level("<pad>", end_token="</s>"), np.random.default_rng(0)

    def arrays(count):
        words = draws.choice(["ba", "da", "fa", "ga"], (count, 2, 6))
        texts = [["good" + "".join(a), "evil" + "".join(b)] for a, b in words]
        tokens = np.array([[tokenizer.encode("x" + t) for t in row] for row in texts])
        mask = np.ones((*tokens.shape[:2], tokens.shape[2] - 1), bool)
        prompts = np.ones(count, "int32")
        return {"tokens": tokens, "prompt_lengths": prompts, "completion_mask": mask}

    train = types.SimpleNamespace(content=arrays(200))
    splits = types.SimpleNamespace(tokenizer=tokenizer, train=train, test=arrays(200))
    found = _preferred.floors(splits)
    assert found["floor"] == 1
    assert found["floor_of_shuffled"] < 0.9
    assert found["shorter_wins"] == 0.5


def test_the_floor_of_a_reward_model_has_its_half_and_all_sentences():
    splits = zoo.get("reward_sst2").stand_in()
    found = _reviews.reward_floors(splits)
    assert found.keys() == {"floor", "floor_of_all"}
    known, labels = splits.texts["train"], splits.texts["train"]["labels"]
    half = len(labels) // 2
    known["labels"] = np.concatenate([labels[:half], 1 - labels[half:]])
    mixed = _reviews.reward_floors(splits)
    known["labels"] = 1 - labels
    wrong = _reviews.reward_floors(splits)
    assert mixed["floor"] == found["floor"] == pytest.approx(1 - wrong["floor"])
    assert found["floor_of_all"] == pytest.approx(1 - wrong["floor_of_all"])
    assert mixed["floor_of_all"] != found["floor_of_all"]


def test_half_a_pair_is_a_tie():
    scores = np.array([2.0, 1.0, 1.0, 0.0])
    assert _reviews.pair_accuracy(scores, np.array([1, 1, 0, 0])) == 3.5 / 4


def test_words_say_more_than_nothing_about_sentences():
    splits = zoo.get("lstm_sst2").stand_in()
    found = _sentiment.floor(splits)
    known = splits.texts["train"]
    same = dataclasses.replace(splits, texts={"train": known, "test": known})
    assert _sentiment.floor(same) == 1
    known["labels"] = 1 - known["labels"]
    assert _sentiment.floor(splits) == pytest.approx(1 - found)


def test_problems_are_solved_blindly_as_often_as_expressions_solve_them(monkeypatch):
    problems = [Problem((2, 3), 5), Problem((2, 3), 6), Problem((2, 2), 4)]
    prompts = np.array([problem.prompt for problem in problems])
    monkeypatch.setattr(
        _countdown, "written", lambda model, prompts, *_: ["2*2=4;2+3"] * len(prompts)
    )
    splits = types.SimpleNamespace(test={"prompts": prompts})
    found = _countdown.score(None, splits)
    assert found["solved"] == pytest.approx(1 / 3)
    assert found["solved_at_random"] == pytest.approx((1 / 4 + 1 / 4 + 2 / 3) / 3)
    assert found["tries"] == 2
    twice = (7 / 16 + 7 / 16 + 8 / 9) / 3
    assert found["solved_at_random_in_tries"] == pytest.approx(twice)
