"""Exact match and F1 as SQuAD counts them, and a reader that is scored."""

import types

import pytest

from keras_genai.evaluation.answering import exact_match, f1, normalize, score_answers


def test_case_articles_punctuation_and_blanks_do_not_count():
    assert normalize("The  Year, 1987!") == "year 1987"
    assert normalize("A theatre (an answer)") == "theatre answer"
    assert exact_match(["the U.S.A."], [("USA", "America")]) == 1


def test_the_best_of_the_true_answers_counts():
    truth = [("in May 1987", "1987"), ("Rome",)]
    assert exact_match(["1987", "Paris"], truth) == 0.5
    # "May 1987": of 2 and 3 words 2 are shared; of 2 and 1 words 1.
    assert f1(["May 1987", "Rome"], truth) == pytest.approx((0.8 + 1) / 2)


def test_words_count_as_often_as_they_come():
    assert f1(["dog dog"], [("dog cat",)]) == pytest.approx(0.5)


def test_no_answer_is_right_only_where_there_is_none():
    assert exact_match(["", "x", ""], [(), (), ("x",)]) == pytest.approx(1 / 3)
    assert f1(["", "x", ""], [(), (), ("x",)]) == pytest.approx(1 / 3)


def test_as_many_answers_as_questions():
    with pytest.raises(ValueError, match="must be as many"):
        f1(["x"], [])


def test_a_reader_is_asked_in_batches_and_told_about_windows():
    asked = []

    def answer(questions, contexts, stride, allow_none):
        asked.append((len(questions), stride, allow_none))
        return [types.SimpleNamespace(text=text[:3]) for text in contexts]

    reader = types.SimpleNamespace(answer=answer)
    found = score_answers(
        reader,
        ["q"] * 3,
        ["one two", "two", "six"],
        [("one",), ("two",), ("five",)],
        stride=7,
        allow_none=True,
        batch_size=2,
    )
    assert asked == [(2, 7, True), (1, 7, True)]
    assert found == pytest.approx({"exact_match": 2 / 3, "f1": 2 / 3})
