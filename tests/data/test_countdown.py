"""Problems whose solutions are checked exactly, by a parser that runs no code."""

import numpy as np
import pytest

from keras_genai.data import countdown, countdown_tries
from keras_genai.data.countdown import Problem, Value, evaluate

SMALL = dict(count=3, largest=6, most=30)


@pytest.mark.parametrize(
    ("text", "value", "numbers"),
    [
        ("3+5*7", 38, (3, 5, 7)),
        ("(3+5)*7", 56, (3, 5, 7)),
        ("9-3-2", 4, (2, 3, 9)),
        ("9-(3-2)", 8, (2, 3, 9)),
        ("2 * (3 - 12)", -18, (2, 3, 12)),
        ("((7))", 7, (7,)),
        ("007", 7, (7,)),
    ],
)
def test_an_expression_has_its_value_and_its_numbers(text, value, numbers):
    assert evaluate(text) == Value(value, numbers)


@pytest.mark.parametrize(
    "text",
    [
        *("", "()", "3+", "+3", "-3", "3--5", "3 5", "(3", "3)", "(3))(", "3**2"),
        *("3/1", "3.0", "1e1", "3\n+5", "x", "__import__('os')", "\uff13+5", "\u0663"),
        *("(" * 300 + "3" + ")" * 300, "1+" * 60 + "1"),
    ],
)
def test_what_is_no_such_expression_has_no_value(text):
    assert evaluate(text) is None


def test_every_number_is_used_exactly_once():
    problem = Problem((7, 3, 5), 38)
    assert problem.is_solution("3+5*7")
    assert problem.is_solution("(7*5)+3")
    for wrong in ("38", "3+5*7+0", "3+35", "3+5*7*1", "3+5*7-7+7", "5*7"):
        assert not problem.is_legal(wrong)
    assert problem.is_legal("3*5*7")
    assert not problem.is_solution("3*5*7")
    twice = Problem((4, 4, 2), 16)
    assert twice.is_solution("4*4*2-4*4") is False
    assert twice.is_solution("(2+2)*4") is False
    assert twice.is_solution("4*(2)+4") is False
    assert Problem((4, 4, 2), 14).is_solution("4*4-2")


def test_the_chance_of_a_blind_guess_is_the_share_of_all_expressions():
    # 2+3, 2*3, 2-3 and 3-2.
    assert Problem((2, 3), 5).chance() == 1 / 4
    assert Problem((2, 3), 4).chance() == 0
    # 2+2, 2*2 and 2-2: the same is not counted twice.
    assert Problem((2, 2), 4).chance() == 2 / 3
    numbers = (1, 2, 6)
    values = {each.target for each in countdown.problems(**SMALL)}
    positive = sum(Problem(numbers, value).chance() for value in sorted(values))
    assert 0.5 < positive < 1  # others are 0 and below


def test_rewards_are_1_or_0_by_the_problem_of_the_prompt():
    prompts = [Problem((3, 5, 7), 38).prompt] * 4
    texts = ["3+5*7", "3*5*7", "38", " 3 + 7 * 5"]
    assert prompts[0] == "3 5 7 -> 38: "
    assert countdown.solved(prompts, texts) == [1.0, 0.0, 0.0, 1.0]
    assert countdown.uses_all(prompts, texts) == [1.0, 1.0, 0.0, 1.0]


def test_of_several_tries_the_last_one_counts():
    prompts = [Problem((3, 5, 7), 38).prompt] * 6
    texts = ["3*5*7=105;3+5*7=38", "3+5*7=37", "3+5*7=38;3*5*7=105", "3+5*7=38;"]
    texts += ["3+5*8=43;3+5*7", "3+5*7=3+5*7=0"]
    assert countdown.solved(prompts, texts) == [1.0, 1.0, 0.0, 0.0, 1.0, 1.0]
    assert countdown.uses_all(prompts, texts) == [1.0, 1.0, 1.0, 0.0, 1.0, 1.0]


def test_tries_fail_until_the_last_and_nothing_gives_a_held_out_problem_away():
    splits = countdown.countdown(8, examples=40, tries=3, true=300, largest=6)
    held_out = {*splits.held_out["prompts"], *splits.test["prompts"]}
    apart = {(p.numbers, p.target) for p in map(Problem.read, held_out)}
    counts = set()
    for row in splits.prompts[:40]:
        problem, tried = Problem.read(row["prompt"]), row["completion"].split(";")
        counts.add(len(tried))
        assert problem.is_solution(row["completion"])
        for text in tried:
            value = evaluate(countdown_tries.answer(text))
            assert text.endswith(f"={value.value}")
            assert value.numbers == problem.numbers
            assert (value.numbers, value.value) not in apart
            assert (value.value == problem.target) == (text is tried[-1])
    assert counts == {1, 2, 3, 4}
    found = countdown_tries.equations(_small, 300, apart)
    for row in found:
        text, _, value = row["completion"].partition("=")
        numbers = tuple(sorted(map(int, row["prompt"].rstrip(": ").split())))
        assert evaluate(text) == Value(int(value), numbers)
        assert (numbers, int(value)) not in apart
    assert len(found) == 300
    assert 1 < splits.train.plan.count < 40 * countdown.TEXTS + 300  # in shared rows


def _small(numbers):
    """Sums and products of numbers, and which texts they have."""
    joined = {sign: sign.join(map(str, numbers)) for sign in "+*"}
    found = {}
    for text in joined.values():
        found.setdefault(evaluate(text).value, []).append(text)
    return found


def test_texts_share_rows():
    few = countdown.countdown(4, examples=20, tries=3, stand_in=True)
    inputs, _, weight = next(iter(few.train))
    assert inputs["tokens"].shape == (4, 128)
    assert np.asarray(inputs["segments"]).max() > 1
    assert float(np.mean(weight)) == pytest.approx(1)


def test_every_solvable_problem_is_there_with_solutions_that_solve_it():
    every = countdown.problems(**SMALL)
    assert len(set(every)) == len(every)
    for problem in every:
        assert Problem.read(problem.prompt) == problem
        assert problem.solutions()
        for text in problem.solutions():
            assert problem.is_solution(text), (problem, text)
            assert eval(text) == problem.target  # Python's own arithmetic
    assert Problem((2, 2, 3), 12) in every  # 2*2*3
    assert not Problem((1, 1, 1), 4).solutions()
    assert Problem((1, 1, 1), 4) not in every


def test_unseen_problems_are_apart_whatever_the_seed():
    splits = countdown.countdown(8, seed=1, examples=40, count=3, largest=6)
    train = {row["prompt"] for row in splits.prompts}
    held_out, test = set(splits.held_out["prompts"]), set(splits.test["prompts"])
    assert not train & held_out
    assert not (train | held_out) & test
    assert len(train | held_out | test) == len(countdown.problems(3, 6))
    again = countdown.countdown(8, seed=2, examples=40, count=3, largest=6)
    np.testing.assert_array_equal(again.test["prompts"], splits.test["prompts"])


def test_only_so_many_problems_are_seen_solved_and_only_solutions_are_learned():
    splits = countdown.countdown(8, examples=40, stand_in=True)
    assert splits.train.plan.count == 40
    inputs, targets, weight = next(iter(splits.train))
    prompts = {row["prompt"] for row in splits.prompts}
    for row, target, counted in zip(inputs["tokens"], targets, weight, strict=True):
        text = splits.tokenizer.decode(np.asarray(row))
        prompt = text[: text.index(": ") + 2]
        assert prompt in prompts
        learned = np.asarray(target)[np.asarray(counted) > 0]
        assert learned[-1] == splits.tokenizer.end_token
        solution = splits.tokenizer.decode(learned)
        assert text == prompt + solution
        assert Problem.read(prompt).is_solution(solution)


@pytest.mark.slow
def test_the_test_has_a_thousand_problems():
    splits = countdown.countdown(8)
    assert len(splits.test["prompts"]) == 1000
    assert len(splits.held_out["prompts"]) == 500
    assert len(splits.prompts) == 3400


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: Problem.read("3 5 -> x: "), "`prompt` must be like"),
        (lambda: Problem((), 3), "`numbers` must be at least one"),
        (lambda: Problem((0, 1), 3), "`numbers` must be an int >= 1"),
        (lambda: countdown.problems(count=6), "`count` must be from 2 to 5"),
        (lambda: countdown.countdown(2, examples=0), "`examples` must be at least 1"),
        (lambda: countdown.countdown(2, tries=-1), "`tries` must be an int >= 0"),
    ],
)
def test_what_is_no_problem_is_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
