import re

import numpy as np
import pytest

from keras_genai.data import tokenizers
from keras_genai.samplers.text import (
    Prompts,
    Reader,
    first_stop,
    first_token,
    without_partial_stop,
)


class Pieces:
    """A tokenizer of given byte strings that encodes one piece a character."""

    start_token = end_token = None

    def __init__(self, *pieces, **roles):
        self.pieces = pieces
        vars(self).update(roles)

    def encode(self, text):
        found = [self.pieces.index(character.encode()) for character in text]
        return np.array(found, "int32")

    def decode(self, ids):
        return b"".join(self.pieces[i] for i in ids).decode(errors="replace")


ABC = Pieces(b"a", b"b", b"c", b"\n", b"ab", b"\xc3", b"\xa9")


def test_one_prompt_of_either_kind_is_a_batch_of_one():
    assert Prompts("ab", ABC, 7).single
    assert Prompts([0, 1], None, 7).single
    assert Prompts(np.array([0, 1]), None, 7).single
    batch = Prompts(np.array([[0, 1], [2, 3]]), None, 7)
    assert not batch.single
    np.testing.assert_array_equal(batch.tokens, [[0, 1], [2, 3]])
    assert not Prompts(["ab"], ABC, 7).single


def test_an_empty_prompt_begins_where_a_text_begins():
    assert first_token(Pieces(b"\n", start_token=4, end_token=5)) == 4
    assert first_token(Pieces(b"\n", end_token=5)) == 5
    assert first_token(Pieces(b"a", b"\n")) == 1
    assert first_token(Pieces(b"a")) == 0
    assert first_token(None) == 0
    assert Prompts("", ABC, 7).tokens[0].tolist() == [3]


@pytest.mark.parametrize(
    ("prompts", "error", "message"),
    [
        ([], ValueError, "`prompts` must not be empty"),
        (3, TypeError, "`prompts` must be a str, int tokens, or a list"),
        ([[0], [7]], ValueError, "tokens from 0 to 6. Received: 7 to 7 in prompt 1"),
        ([-1], ValueError, "tokens from 0 to 6. Received: -1"),
        ([[0.5]], TypeError, "1-D sequence of int tokens"),
        (np.zeros((1, 2, 3), int), TypeError, "1-D sequence of int tokens"),
        (np.array(3), TypeError, "`prompts` must be a str, int tokens, or a list"),
        ([[1, [2]]], TypeError, "1-D sequence of int tokens"),
        (["a", [0]], TypeError, "all text or all tokens"),
        ([[0], "a"], TypeError, "all text or all tokens"),
    ],
)
def test_bad_prompts_say_what_is_allowed(prompts, error, message):
    with pytest.raises(error, match=re.escape(message)):
        Prompts(prompts, ABC, 7)


def test_an_array_of_texts_is_a_list_of_them():
    assert Prompts(np.array(["a", "b"]), ABC, 7).texts == ["a", "b"]


def test_text_without_a_tokenizer_is_refused():
    with pytest.raises(ValueError, match="this model has no `tokenizer`"):
        Prompts("ab", None, 7)


def test_the_stop_text_that_is_complete_first_wins():
    assert first_stop("xabcd", ("abcd", "bc")) == 2
    assert first_stop("xabcd", ("abcd", "d")) == 1  # both end here: the longer one
    assert first_stop("xyz", ("a",)) is None
    assert first_stop("xyz", ()) is None


def test_an_end_that_may_become_a_stop_text_is_held_back():
    assert without_partial_stop("hello EN", ("END",)) == "hello "
    assert without_partial_stop("hello", ("END",)) == "hello"
    assert without_partial_stop("aa", ("aab",)) == ""
    assert without_partial_stop("hello", ()) == "hello"


def test_a_reader_holds_back_half_a_character():
    reader = Reader([0], ABC, (), set())
    reader.read(np.array([1, 5]), done=False)
    assert reader.text == "b"
    reader.read(np.array([1, 5, 6]), done=False)
    assert reader.text == "b\u00e9"
    reader.read(np.array([1, 5, 6, 5]), done=True)
    assert reader.text == "b\u00e9\ufffd"


def test_a_stop_text_across_tokens_ends_text_and_tokens_before_it():
    reader = Reader([2], ABC, ("bc",), set())
    reader.read(np.array([2, 4]), done=False)
    assert (reader.text, reader.ids.tolist(), reader.stopped) == ("ca", [2], False)
    reader.read(np.array([2, 4, 2, 0]), done=False)
    assert (reader.text, reader.ids.tolist(), reader.stopped) == ("ca", [2], True)
    reader.read(np.array([2, 4, 2, 0, 0]), done=True)
    assert reader.text == "ca"


def test_a_stop_token_ends_the_tokens_but_is_not_text():
    reader = Reader([2], ABC, (), {1})
    reader.read(np.array([0, 1]), done=True)
    assert (reader.text, reader.ids.tolist()) == ("a", [0, 1])


@pytest.mark.parametrize("dtype", [str, object])
def test_a_column_of_texts_is_a_list_of_them(dtype):
    speaks = tokenizers.byte_level()
    found = Prompts(np.array(["ab", "c"], dtype), speaks, 256)
    assert found.texts == ["ab", "c"]
    assert not found.single
    assert [row.tolist() for row in found.tokens] == [[97, 98], [99]]
