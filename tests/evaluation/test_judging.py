"""Win rates, judges, diversity, divergence and attempts, against figures by hand."""

import itertools
import math
import types

import numpy as np
import pytest

from keras_genai.evaluation.attempts import pass_at
from keras_genai.evaluation.diversity import distinct, unique_share
from keras_genai.evaluation.judges import (
    CHARACTERS,
    WORDS,
    ClassifierJudge,
    PairJudge,
    TextJudge,
)
from keras_genai.evaluation.kl import best_of_divergence, divergence
from keras_genai.evaluation.preference import Judge, compare, judged, win_rate


class Length:
    """A judge that likes long completions."""

    def __init__(self):
        self.calls = 0

    def score(self, prompts, completions):
        self.calls += 1
        assert len(prompts) == len(completions)
        return [len(text) for text in completions]


def test_a_tie_is_half_a_win_and_the_error_is_that_of_a_mean():
    found = win_rate([1, 2, 3, 4], [0, 2, 5, 1])
    assert found.value == (1 + 0.5 + 0 + 1) / 4
    assert found.ties == 0.25
    assert found.error == pytest.approx(np.std([1, 0.5, 0, 1], ddof=1) / 2)
    assert found.prompts == 4
    assert found.as_dict()["win_rate"] == found.value
    assert win_rate([1, 2], [1.4, 1], margin=0.5).ties == 0.5


def test_the_other_side_wins_the_rest():
    draws = np.random.default_rng(0)
    one, other = draws.integers(0, 4, (2, 50))
    assert win_rate(one, other).value == pytest.approx(1 - win_rate(other, one).value)
    assert win_rate(one, one).value == 0.5
    assert win_rate(one, one).ties == 1


def test_completions_of_one_prompt_are_not_independent():
    one = np.repeat([[1.0], [0.0], [0.0]], 8, axis=1)
    found = win_rate(one, np.full((3, 2), 0.5))
    assert found.value == pytest.approx(1 / 3)
    assert found.error == win_rate([1, 0, 0], [0.5] * 3).error
    # Every pair within a prompt counts: 1 beats one of two, 3 both.
    assert win_rate([[1.0, 3.0]], [[0.0, 2.0]]).value == 0.75
    assert math.isnan(win_rate([1], [0]).error)


def test_a_judge_is_asked_once_a_side():
    judge = Length()
    assert isinstance(judge, Judge)
    found = compare(judge, ["a", "b"], ["long", "x"], ["s", "xy"])
    assert judge.calls == 2
    assert found.value == 0.5
    scores = judged(judge, ["a", "b"], [["x", "xx"], ["", "xxx"]])
    np.testing.assert_array_equal(scores, [[1, 2], [0, 3]])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: win_rate([1, 2], [1]), "`second` must have a row for each prompt"),
        (lambda: win_rate([], []), "`first` must be finite numbers"),
        (lambda: win_rate([1, np.nan], [1, 2]), "`first` must be finite numbers"),
        (lambda: win_rate([1], [2], margin=-1), "`margin` must be a number >= 0"),
        (lambda: judged(Length(), ["a"], [["x"], ["y"]]), "`completions` must be as"),
        (lambda: judged(Length(), ["a", "b"], [["x"], []]), "`completions` must be as"),
        (lambda: distinct([]), "`texts` must be a sequence of at least one str"),
        (lambda: unique_share([1]), "`texts` must be a sequence"),
        (lambda: pass_at([[True]], 2), "at least 2 attempts"),
        (lambda: TextJudge(["a"], [1]), "`labels` must be 0 and 1"),
        (lambda: PairJudge([]), "`rows` must be at least one pair"),
        (lambda: divergence([[1]], [[1, 2]], [[1]]), "must have one shape"),
    ],
)
def test_what_cannot_be_measured_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_distinct_runs_are_counted_over_all_texts():
    texts = ["a b a b", "A, b!"]
    assert distinct(texts, 1) == 2 / 6
    assert distinct(texts, 2) == 2 / 4  # a b, b a, a b | a b
    assert distinct(["a"], 2) == 0
    assert unique_share(["a", "b", "a", "c"]) == 0.75


def test_the_divergence_is_that_of_all_strings():
    """Every string of two tokens, as often as the policy draws it."""
    draws = np.random.default_rng(0)
    policy, reference = (draws.dirichlet(np.full(3, 5.0), size=4) for _ in range(2))
    # The distribution of the second token depends on the first one.
    strings = list(itertools.product(range(3), repeat=2))

    def logs(table):
        return np.log([[table[3][a], table[a][b]] for a, b in strings])

    chances = np.exp(logs(policy).sum(axis=1))
    exact = float(chances @ (logs(policy) - logs(reference)).sum(axis=1))
    counts = np.round(1e5 * chances).astype(int)
    rows = np.repeat(np.arange(len(strings)), counts)
    found = divergence(
        logs(policy)[rows], logs(reference)[rows], np.ones((len(rows), 2), bool)
    )
    assert found.value == pytest.approx(exact, rel=1e-3)
    assert found.steady == pytest.approx(exact, rel=1e-3)
    assert found.tokens == 2
    assert 0 < found.error < 0.01


def test_what_stands_behind_a_completion_does_not_count():
    policy, reference = np.array([[-1.0, -9.0]]), np.array([[-1.5, -1.0]])
    found = divergence(policy, reference, np.array([[True, False]]))
    assert found.value == 0.5
    assert found.steady == pytest.approx(math.exp(-0.5) - 1 + 0.5)
    assert math.isnan(found.error)


def test_the_best_of_several_stays_near():
    assert best_of_divergence(1) == 0
    assert best_of_divergence(4) == pytest.approx(0.636, abs=1e-3)
    assert best_of_divergence(16) == pytest.approx(1.835, abs=1e-3)


def test_the_share_solved_by_some_of_k_attempts_is_that_of_all_choices():
    solved = np.array([[1, 0, 0, 1, 0], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], bool)
    for k in (1, 2, 3, 5):
        exact = np.mean(
            [
                np.mean([any(each) for each in itertools.combinations(row, k)])
                for row in solved
            ]
        )
        assert pass_at(solved, k) == pytest.approx(exact)


PRAISE = ["a lovely film", "warm and lovely", "such a warm film", "lovely and warm"]
BLAME = ["a dreadful film", "cold and dreadful", "such a cold film", "dreadful, cold"]


@pytest.mark.parametrize("features", [WORDS, CHARACTERS])
def test_a_judge_of_words_tells_praise_from_blame(features):
    judge = TextJudge(PRAISE + BLAME, [1] * 4 + [0] * 4, features)
    scores = judge.score(["this is ", "this is "], ["lovely", "dreadful"])
    assert scores[0] > 0 > scores[1]
    apart = TextJudge(PRAISE + BLAME, [1] * 4 + [0] * 4, features, reads_prompt=False)
    one, other = apart.score(["dreadful ", "lovely "], ["warm", "warm"])
    assert one == other


def test_a_judge_of_pairs_learns_differences_alone():
    rows = [
        {"prompt": "", "chosen": good, "rejected": bad}
        for good, bad in zip(PRAISE, BLAME, strict=True)
    ]
    judge = PairJudge(rows, WORDS)
    one, other, nothing = judge.score([""] * 3, ["lovely", "dreadful", "xyz"])
    assert one > 0 > other
    assert nothing == 0  # no words, no constant
    assert one == pytest.approx(-other, rel=0.2)


def test_a_judge_of_pairs_may_read_how_long_a_completion_is():
    rows = [
        {"prompt": "", "chosen": "ab " * n, "rejected": "ab " * (n + 3)}
        for n in range(1, 9)
    ]
    blind, reading = (PairJudge(rows, WORDS, reads_length=it) for it in (False, True))
    assert [*blind.score([""] * 2, ["xy", "xy " * 9])] == [0, 0]
    short, long = reading.score([""] * 2, ["xy", "xy " * 9])
    assert short - long > 1


def test_a_classifier_judges_by_the_log_odds_of_a_class():
    logits = np.array([[1.0, 2.0, 0.5], [0.0, 0.0, 0.0]])
    read = []

    def batch(texts):
        read.extend(texts)
        return logits[: len(texts)]

    model = types.SimpleNamespace(
        labels=("a", "b", "c"), batch=batch, predict_on_batch=lambda batch: batch
    )
    scores = ClassifierJudge(model, "b").score(["x ", "y "], ["1", "2"])
    assert read == ["x 1", "y 2"]
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    wanted = np.log(chances[:, 1] / (1 - chances[:, 1]))
    np.testing.assert_allclose(scores, wanted)
    with pytest.raises(ValueError, match="`label` must be one of"):
        ClassifierJudge(model, "d")
