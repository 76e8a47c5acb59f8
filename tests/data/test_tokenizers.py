import pathlib
import pickle

import numpy as np
import pytest

from keras_genai.data import tokenizers
from keras_genai.data.tokenizers import Tokenizer

ENGLISH = (
    "The quick brown fox jumps over the lazy dog. It was not the first time. " * 40
)
ODD = (
    "h\u00e9llo w\u00f6rld \U0001f600\U0001f469\u200d\U0001f52c \t\n  \x00\x01\x7f "
    "\u65e5\u672c\u8a9e \u0440\u0443\u0441\u0441\u043a\u0438\u0439 "
    "\u0639\u0631\u0628\u064a\r\n  <pad> <unk>  "
)

EXACT = {
    "characters": lambda: tokenizers.characters(ENGLISH + ODD),
    "bytes": tokenizers.byte_level,
    "bpe": lambda: tokenizers.bpe(ENGLISH, 300),
    "unigram": lambda: tokenizers.unigram(ENGLISH, 300),
}
EVERY = {**EXACT, "wordpiece": lambda: tokenizers.wordpiece(ENGLISH, 200)}


@pytest.mark.parametrize("kind", EXACT)
def test_any_text_comes_back_exactly(kind):
    tokenizer = EXACT[kind]()
    assert tokenizer.decode(tokenizer.encode(ODD)) == ODD


@pytest.mark.parametrize("kind", EVERY)
def test_a_saved_tokenizer_is_the_same_one(kind):
    tokenizer = EVERY[kind]()
    again = Tokenizer.from_json(tokenizer.to_json())
    assert again.to_json() == tokenizer.to_json()
    assert again.vocabulary_size == tokenizer.vocabulary_size
    np.testing.assert_array_equal(again.encode(ENGLISH), tokenizer.encode(ENGLISH))
    for role in ("pad_token", "start_token", "end_token", "unknown_token"):
        assert getattr(again, role) == getattr(tokenizer, role)


@pytest.mark.parametrize("kind", EVERY)
def test_ids_are_int32_below_the_vocabulary_size(kind):
    tokenizer = EVERY[kind]()
    ids = tokenizer.encode(ENGLISH)
    assert ids.dtype == np.int32
    assert ids.ndim == 1
    assert 0 <= ids.min() <= ids.max() < tokenizer.vocabulary_size
    assert tokenizer.encode("").shape == (0,)


@pytest.mark.parametrize("kind", EVERY)
def test_a_batch_is_each_text_alone(kind):
    tokenizer = EVERY[kind]()
    texts = ["The dog.", "", "It was the first fox"]
    for text, ids in zip(texts, tokenizer.encode_batch(texts), strict=True):
        np.testing.assert_array_equal(ids, tokenizer.encode(text))


MARKED = "h\u00e9llo <|a|>w\u00f6 \U0001f600 fox<|a|>"


@pytest.mark.parametrize("kind", EVERY)
def test_offsets_are_the_characters_of_each_token(kind):
    tokenizer = EVERY[kind]()
    for reader in (tokenizer, tokenizer.with_tokens(["<|a|>"])):
        text = MARKED if kind != "characters" else ODD
        ids, offsets = reader.encode_with_offsets(text)
        np.testing.assert_array_equal(ids, reader.encode(text))
        expected = reader.core.encode(text).offsets
        assert offsets.dtype == np.int32
        assert offsets.tolist() == [list(pair) for pair in expected]
        assert reader.encode_with_offsets("")[1].shape == (0, 2)
    with pytest.raises(TypeError, match="`text` must be a str"):
        tokenizer.encode_with_offsets(None)


@pytest.mark.parametrize("kind", EVERY)
def test_new_tokens_follow_the_vocabulary_and_are_read_in_a_text(kind):
    tokenizer = EVERY[kind]()
    size = tokenizer.vocabulary_size
    marked = tokenizer.with_tokens(["<|a|>", "<|ab|>"])
    assert marked.vocabulary_size == size + 2
    assert tokenizer.vocabulary_size == size
    ids = marked.encode("The<|ab|> dog<|a|>")
    assert [i for i in ids.tolist() if i >= size] == [size + 1, size]
    assert "<" not in marked.decode(ids)
    assert marked.without_special("The<|<|a|>a|> dog") == "The dog"
    assert not np.isin(tokenizer.encode("The dog"), [size, size + 1]).any()
    np.testing.assert_array_equal(marked.encode_batch(["<|a|>"])[0], [size])
    again = Tokenizer.from_json(marked.to_json())
    np.testing.assert_array_equal(again.encode("The<|ab|> dog<|a|>"), ids)


def test_a_token_that_is_there_keeps_its_id():
    tokenizer = tokenizers.bpe(ENGLISH, 300, end_token="</s>")
    marked = tokenizer.with_tokens(["</s>", "fox"])
    assert marked.encode("</s>").tolist() == [tokenizer.end_token] == [marked.end_token]
    with pytest.raises(ValueError, match="`tokens` must not be empty"):
        tokenizer.with_tokens([""])
    with pytest.raises(TypeError, match="`tokens` must be a sequence of str"):
        tokenizer.with_tokens("<|a|>")


def test_unigram_scores_come_back_to_the_last_bit():
    from pydoc_data import topics

    corpus = "".join(topics.topics.values())[:20_000]
    tokenizer = tokenizers.unigram(corpus, 400)
    assert Tokenizer.from_json(tokenizer.to_json()).to_json() == tokenizer.to_json()


def test_character_ids_are_ranks_of_the_sorted_characters():
    tokenizer = tokenizers.characters("banana\n")
    assert tokenizer.vocabulary_size == 4
    assert tokenizer.encode("\nabn").tolist() == [0, 1, 2, 3]


def test_byte_ids_are_the_bytes():
    assert tokenizers.byte_level().encode(ODD).tolist() == list(ODD.encode())


@pytest.mark.parametrize("kind", ["characters", "bytes"])
def test_the_table_agrees_with_the_library(kind):
    tokenizer = EXACT[kind]()
    ids = tokenizer.encode(ENGLISH + ODD)
    assert ids.tolist() == tokenizer.core.encode(ENGLISH + ODD).ids
    assert tokenizer.decode(ids) == tokenizer.core.decode(ids.tolist())


def test_an_unknown_character_is_named():
    tokenizer = tokenizers.characters("abc")
    with pytest.raises(ValueError, match=r"'\u20ac'.*'abc'"):
        tokenizer.encode("ab\u20ac")


def test_an_unknown_character_becomes_the_unknown_token_if_there_is_one():
    tokenizer = tokenizers.characters("abc", unknown_token="<unk>")
    assert tokenizer.encode("a\u20acc").tolist() == [0, 3, 2]
    assert tokenizer.decode([0, 3, 2]) == "ac"
    assert tokenizer.decode([0, 3, 2], skip_special_tokens=False) == "a<unk>c"


def test_symbols_of_any_length_are_found_the_longest_ones_first():
    known = ["a", "t", "s", "t\u0361\u0283", "a\u02d0", "AH0"]
    tokenizer = tokenizers.symbols(known, pad_token="<pad>", unknown_token="<unk>")
    assert tokenizer.encode("t\u0361\u0283a\u02d0s ta AH0AH0").tolist() == [
        3,
        4,
        2,
        1,
        0,
        5,
        5,
    ]
    assert tokenizer.encode("a?<pad>").tolist()[:2] == [0, tokenizer.unknown_token]
    assert (
        tokenizer.decode([3, 4, 5, tokenizer.pad_token]) == "t\u0361\u0283 a\u02d0 AH0"
    )
    again = tokenizers.Tokenizer.from_json(tokenizer.to_json())
    assert again.encode("t\u0361\u0283a\u02d0s").tolist() == [3, 4, 2]
    assert again.vocabulary_size == tokenizer.vocabulary_size == 8


def test_symbols_must_be_different_and_without_blanks():
    for odd in ([], ["a", "a"], ["a b"], [""]):
        with pytest.raises(ValueError, match="different symbols without blanks"):
            tokenizers.symbols(odd)
    with pytest.raises(ValueError, match="cannot be read"):
        tokenizers.symbols(["a"]).encode("b")


def test_special_tokens_come_after_characters_and_before_learned_pieces():
    characters = tokenizers.characters("ab\n", pad_token="<pad>", end_token="\n")
    assert (characters.pad_token, characters.end_token) == (3, 0)
    assert characters.start_token is None
    learned = tokenizers.bpe(ENGLISH, 300, pad_token="<pad>", end_token="</s>")
    assert (learned.pad_token, learned.end_token) == (0, 1)


def test_half_a_character_decodes_to_the_replacement_character():
    tokenizer = tokenizers.byte_level()
    assert tokenizer.decode(tokenizer.encode("\u20ac")[:2]) == "\ufffd"


def test_more_vocabulary_means_fewer_tokens():
    small = tokenizers.bpe(ENGLISH, 260).encode(ENGLISH)
    large = tokenizers.bpe(ENGLISH, 320).encode(ENGLISH)
    assert len(large) < len(small) < len(ENGLISH)


def test_a_corpus_may_be_texts_or_files(tmp_path):
    path = pathlib.Path(tmp_path, "a.txt")
    path.write_text(ENGLISH, "utf-8")
    whole = tokenizers.bpe(ENGLISH, 300).to_json()
    assert tokenizers.bpe([path], 300).to_json() == whole
    assert tokenizers.bpe(iter([ENGLISH]), 300).to_json() == whole


def test_wordpiece_keeps_words_and_names_its_special_tokens():
    tokenizer = EVERY["wordpiece"]()
    assert tokenizer.decode(tokenizer.encode("the lazy dog")) == "the lazy dog"
    assert tokenizer.encode("\u65e5").tolist() == [tokenizer.unknown_token]
    assert tokenizer.pad_token == 0


def test_a_published_file_gets_its_special_tokens_by_their_usual_names():
    published = tokenizers.bpe(ENGLISH, 300, start_token="<s>", end_token="</s>")
    tokenizer = Tokenizer.from_json(published.core.to_str())
    assert (tokenizer.start_token, tokenizer.end_token) == (0, 1)
    assert tokenizer.pad_token is None


def test_build_understands_short_names():
    assert tokenizers.build("characters", "abc").vocabulary_size == 3
    assert tokenizers.build("bytes", "abc").vocabulary_size == 256
    assert tokenizers.build("bpe:280", ENGLISH).vocabulary_size == 280
    given = tokenizers.byte_level()
    assert tokenizers.build(given, "abc") is given


@pytest.mark.parametrize(
    "name", ["characters", "bytes", "bpe:280", "wordpiece:60", "unigram:280"]
)
def test_build_gives_every_kind_its_special_tokens(name):
    found = tokenizers.build(name, [ENGLISH], **tokenizers.SPECIAL_TOKENS)
    special = {"<pad>": found.pad_token, "<s>": found.start_token}
    special |= {"</s>": found.end_token}
    if name in ("characters", "wordpiece:60"):
        special["<unk>"] = found.unknown_token
    assert found.special_tokens == special


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: tokenizers.characters(""), "`corpus` must have at least one"),
        (lambda: tokenizers.bpe(ENGLISH, 10), "at least 256. Received: vocab"),
        (lambda: tokenizers.build("bpee:300", "a"), "did you mean 'bpe'"),
        (lambda: tokenizers.build("bpe", "a"), "'bpe:SIZE'"),
        (lambda: tokenizers.build("bpe:SIZE", "a"), "Received: 'bpe:SIZE'"),
        (lambda: tokenizers.build("bytes:3", "a"), "Received: 'bytes:3'"),
        (
            lambda: tokenizers.parse("unigram:9", ["bpe:SIZE"]),
            "`tokenizer` must be 'bpe:SIZE' or a Tokenizer. Received: 'unigram:9'",
        ),
        (lambda: Tokenizer.from_json("{}"), "`text` must be the JSON"),
        (lambda: Tokenizer.from_json("[1]"), "`text` must be the JSON"),
        (
            lambda: Tokenizer(tokenizers.byte_level().core, pad_token="<pad>"),
            "`pad_token` must be a token of the vocabulary. Received: '<pad>'",
        ),
    ],
)
def test_errors_name_the_argument(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()


def test_only_text_is_encoded():
    with pytest.raises(TypeError, match="`text` must be a str"):
        tokenizers.byte_level().encode(["a"])


def test_a_wordpiece_vocabulary_is_the_same_every_time():
    words = [f"{a}{b}{c}" for a in "abcde" for b in "fghij" for c in "klmno"]
    found = {tokenizers.wordpiece(words, 80).to_json() for _ in range(4)}
    assert len(found) == 1


SPELLED = "the cat </s> sat on [SEP] <pad>"


@pytest.mark.parametrize("kind", ["characters", "bytes", "bpe", "unigram", "wordpiece"])
def test_text_that_spells_a_special_token_stays_text(kind):
    special = dict(pad_token="<pad>", end_token="</s>")
    tokenizer = {
        "characters": lambda: tokenizers.characters(SPELLED, **special),
        "bytes": lambda: tokenizers.byte_level(**special),
        "bpe": lambda: tokenizers.bpe(ENGLISH, 300, **special),
        "unigram": lambda: tokenizers.unigram(ENGLISH, 300, **special),
        "wordpiece": lambda: tokenizers.wordpiece(ENGLISH + SPELLED, 200),
    }[kind]()
    again = Tokenizer.from_json(tokenizer.to_json())
    for each in (tokenizer, again, pickle.loads(pickle.dumps(tokenizer))):
        for ids in (each.encode(SPELLED), *each.encode_batch([SPELLED])):
            assert not {each.end_token, each.pad_token} & set(ids.tolist())
        if kind != "wordpiece":
            assert each.decode(each.encode(SPELLED)) == SPELLED
    spelled = "[SEP]" if kind == "wordpiece" else "</s>"
    if kind not in ("characters", "bytes"):
        asked = tokenizer.encode(f"the {spelled}", special_in_text=True)
        assert asked[-1] == tokenizer.end_token


def test_a_published_tokenizer_reads_special_tokens_and_can_be_kept_from_it():
    core = tokenizers.bpe(ENGLISH, 300, start_token="<s>", end_token="</s>").core
    published = Tokenizer.from_json(core.to_str())
    for each in (published, Tokenizer.from_json(published.to_json())):
        assert each.end_token in each.encode("the</s>dog")
        assert each.end_token not in each.encode("the</s>dog", special_in_text=False)
        assert each.without_special("a </</s>s>b") == "a b"
        assert each.without_special("a <<</s>s>/s>b<</s>s>") == "a b"


@pytest.mark.parametrize("texts", ["abc", [1], [None], 5, None, b"abc", [["a"]]])
def test_a_batch_must_be_of_texts(texts):
    for kind in ("bytes", "bpe"):
        with pytest.raises(TypeError, match="`texts` must be a sequence of str"):
            EXACT[kind]().encode_batch(texts)


def test_a_batch_may_be_an_array():
    tokenizer = EXACT["bpe"]()
    for texts in (np.array(["the dog", "a"]), np.array(["the dog", "a"], object)):
        assert len(tokenizer.encode_batch(texts)) == 2


@pytest.mark.parametrize("kind", EVERY)
def test_ids_that_are_none_leave_no_trace_or_are_refused(kind):
    tokenizer = EVERY[kind]()
    assert tokenizer.decode([10**9, -1, 2**40]) == ""
    assert tokenizer.decode([]) == ""
    for wrong in ([10**30], [1.5], ["a"], [None]):
        with pytest.raises(TypeError, match="`ids` must be ints"):
            tokenizer.decode(wrong)


def test_training_arguments_are_checked():
    with pytest.raises(ValueError, match="`min_frequency` must be an int >= 0"):
        tokenizers.bpe(ENGLISH, 300, min_frequency=-1)
    with pytest.raises(TypeError, match="`vocabulary_size` must be an int"):
        tokenizers.unigram(ENGLISH, 300.5)
    with pytest.raises(TypeError, match="`corpus` must be a str, or an iterable"):
        tokenizers.bpe([1], 300)


def test_very_long_runs_are_cut_before_training_and_nothing_else_is():
    text = "a" * 2500 + " " + "1" * 1024 + "b" + "?" * 1025 + " \n" * 3000
    pieces = list(tokenizers._in_short_runs([ENGLISH, text]))
    assert pieces[0] == ENGLISH
    assert "".join(pieces[1:]) == text
    assert [len(piece) for piece in pieces[1:]][:2] == [1024, 1024]
    assert max(len(piece) for piece in pieces[1:-1]) < 5000


def test_words_that_become_unknown_tokens_are_warned_of():
    with pytest.warns(UserWarning, match="more than 100 characters"):
        tokenizers.wordpiece(["acgt" * 100, "a few words"], 50)


@pytest.mark.parametrize("name", ["bpe", "wordpiece", "unigram"])
def test_a_vocabulary_of_more_than_int32_is_refused(name):
    with pytest.raises(ValueError, match="`vocabulary_size` must be at most"):
        tokenizers.build(f"{name}:{10**30}", "some text")


def test_a_corpus_that_is_none_is_refused():
    with pytest.raises(TypeError, match="`corpus` must be a str, or an iterable"):
        tokenizers.characters(None)


@pytest.mark.parametrize("text", [5, None, b"{}", ["{}"]])
def test_json_that_is_no_text_is_refused(text):
    with pytest.raises(ValueError, match="must be a str"):
        Tokenizer.from_json(text)
