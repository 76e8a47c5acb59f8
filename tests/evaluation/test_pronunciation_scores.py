import pytest

from keras_genai.evaluation.edits import edit_distance
from keras_genai.evaluation.pronunciation import pronunciation_errors


def test_edits_are_the_fewest():
    assert edit_distance("kitten", "sitting") == 3
    assert edit_distance("", "abc") == edit_distance("abc", "") == 3
    assert edit_distance([1, 2, 3], [1, 2, 3]) == 0
    assert edit_distance("ab", "ba") == 2


def test_any_pronunciation_is_right_and_the_nearest_one_counts():
    found = ["K AE T", "R IY D", "F OW T"]
    spoken = [["K AE T", ""], ["R EH D", "R IY D"], ["F AH N", "F OW T OW Z", ""]]
    # "F OW T" lacks two of five sounds; two of the three of the other are wrong.
    errors = pronunciation_errors(found, spoken)
    assert errors["word_error_rate"] == pytest.approx(1 / 3)
    assert errors["phoneme_error_rate"] == pytest.approx(2 / (3 + 3 + 3))


def test_what_cannot_be_compared_is_refused():
    with pytest.raises(ValueError, match="must be of one length"):
        pronunciation_errors(["A"], [])
    with pytest.raises(ValueError, match="a pronunciation of every word"):
        pronunciation_errors(["A"], [[""]])
