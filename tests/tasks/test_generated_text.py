"""Texts that a language task writes: characters, pieces of a stream, their ends."""

import pytest
from toy_language import Attending, Letters, chain

from keras_genai.samplers import Greedy


@pytest.fixture(scope="module")
def spelling():
    """A model of bytes and of pieces that cross the borders of words."""
    pieces = ("a", "b", "c", " ", "ab", "bc ", b"\xc3", b"\xa9", b"\xbc", "END", "E")
    model = Attending(len(pieces), seed=3)
    model.tokenizer = Letters(*pieces)
    return model


def test_text_comes_back_as_it_was_given(spelling):
    one = spelling.generate("ab", max_length=12, sampler=Greedy())
    assert isinstance(one, str)
    assert one.startswith("ab")
    several = spelling.generate(["ab", "c"], max_length=12, sampler=Greedy())
    assert several[0] == one
    tail = spelling.generate("ab", 12, Greedy(), strip_prompt=True)
    assert "ab" + tail == one
    assert spelling.generate("", max_length=9, sampler=Greedy())


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("stop", [(), ("c a", "b", "E")], ids=["no stop", "stop"])
def test_streamed_pieces_join_to_the_whole_text(spelling, stop, seed):
    arguments = dict(max_length=60, seed=seed, stop=stop)
    whole = spelling.generate("a", **arguments)
    pieces = list(spelling.generate("a", stream=True, **arguments))
    assert "".join(pieces) == whole
    if not stop:
        assert len(pieces) > 5
    columns = zip(*spelling.generate(["a", "c"], stream=True, **arguments), strict=True)
    joined = ["".join(column) for column in columns]
    assert joined == spelling.generate(["a", "c"], **arguments)


def test_streamed_pieces_never_split_a_character():
    model = chain("a", "b", b"\xe2", b"\x82", b"\xac")
    found = list(model.generate("a", 39, Greedy(), stream=True))
    assert "".join(found) == "ab\u20ac" * 7 + "ab\ufffd"  # the length ended it
    assert all("\ufffd" not in piece for piece in found[:-1])
    assert len(found) > 7


def test_streamed_pieces_hold_back_what_may_be_a_stop_text():
    model = chain(*"abcdefg")
    for length in range(1, 6):
        for start in range(1, 7 - length):
            stop = "abcdefg"[start : start + length]
            pieces = model.generate("a", 30, Greedy(), stop=stop, stream=True)
            assert "".join(pieces) == "abcdefg"[:start]


def test_text_ends_before_a_stop_text_wherever_tokens_end(spelling):
    arguments = dict(max_length=200, seed=4, strip_prompt=True)
    free = spelling.generate("a", **arguments)
    for stop in ("b a", " E", "ca", free[40:43]):
        found = spelling.generate("a", stop=stop, **arguments)
        assert found == free.split(stop)[0]
        ids = spelling.generate([0], stop=[stop], **arguments)
        decoded = spelling.tokenizer.decode(ids)
        assert found.startswith(decoded.rstrip("\ufffd"))


def test_text_ends_before_the_end_token_and_tokens_with_it():
    model = chain("a", "b", "c", ".", end_token=3)
    assert model.generate("a", 50, Greedy()) == "abc"
    assert model.generate("a", 50, Greedy(), stop=2) == "ab"
    assert model.generate([0], 50, Greedy()).tolist() == [0, 1, 2, 3]
