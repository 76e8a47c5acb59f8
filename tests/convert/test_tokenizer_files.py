"""What a folder says of its tokenizer is followed, harmless, or told."""

import json
import pathlib
import shutil

import pytest

from keras_genai.convert.families import FAMILIES
from keras_genai.convert.tokenizer_files import read_tokenizer, write_options
from keras_genai.data import published, tokenizers
from keras_genai.data.tokenizers import Tokenizer
from keras_genai.tasks.presets import PresetError

FILES = pathlib.Path(__file__).parent.parent / "parity/files/encoder/tokenizers"
NAMES = {"gpt2": "gpt2", "bert": "bert_uncased", "t5": "t5"}


@pytest.fixture
def read(tmp_path):
    """Reads a tokenizer with other options, from its vocabulary or tokenizer.json."""

    def read(family, whole=False, size=None, added=None, families=None, **options):
        shutil.rmtree(tmp_path / family, ignore_errors=True)
        folder = shutil.copytree(FILES / NAMES[family], tmp_path / family)
        if whole:
            core = read_tokenizer(folder, FAMILIES[family]).core
            (folder / "tokenizer.json").write_text(core.to_str())
        if added is not None:
            (folder / "added_tokens.json").write_text(json.dumps(added))
        (folder / "tokenizer_config.json").write_text(json.dumps(options))
        return read_tokenizer(folder, FAMILIES[families or family], size, FAMILIES)

    return read


def pieces(tokenizer, text):
    return [tokenizer.core.id_to_token(int(i)) for i in tokenizer.encode(text)]


# As transformers 4.57 and 5.24 read the same files.
@pytest.mark.parametrize("whole", [False, True])
@pytest.mark.parametrize(
    ("family", "options", "text", "expected"),
    [
        ("gpt2", {}, "a", ["a"]),
        ("gpt2", {"add_prefix_space": True}, "a", ["\u0120a"]),
        ("gpt2", {"add_bos_token": True}, "a", ["<|endoftext|>", "a"]),
        ("gpt2", {"add_eos_token": True}, "a", ["a", "<|endoftext|>"]),
        ("gpt2", {"do_lower_case": True}, "T", ["T"]),
        ("bert", {"add_bos_token": True}, "the", ["[CLS]", "the", "[SEP]"]),
        ("bert", {"do_lower_case": False}, "THE", ["[CLS]", "[UNK]", "[SEP]"]),
        ("bert", {}, "th\u00e9", ["[CLS]", "the", "[SEP]"]),
        ("bert", {"strip_accents": False}, "th\u00e9", ["[CLS]", "[UNK]", "[SEP]"]),
        (
            "bert",
            {"tokenize_chinese_chars": False},
            "\u65e5\u672c",
            ["[CLS]", "[UNK]", "[SEP]"],
        ),
    ],
)
def test_options_are_followed(read, whole, family, options, text, expected):
    found = pieces(read(family, whole, **options), text)
    if expected == ["\u0120a"]:  # in as many pieces as the small vocabulary needs
        assert found[0].startswith("\u0120")
        return
    assert found == expected


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, ["\u2581the", "<extra_id_0>", "\u2581", "a", "</s>"]),
        ({"legacy": True}, ["\u2581the", "<extra_id_0>", "\u2581", "a", "</s>"]),
        ({"legacy": False}, ["\u2581the", "<extra_id_0>", "a", "</s>"]),
    ],
)
def test_where_sentencepiece_puts_blanks(read, options, expected):
    assert pieces(read("t5", **options), "the<extra_id_0>a") == expected


def test_the_number_of_extra_tokens_is_followed(read):
    few, many = read("t5", extra_ids=3), read("t5")
    assert many.vocabulary_size - few.vocabulary_size == 97
    assert few.core.token_to_id("<extra_id_2>") == few.vocabulary_size - 3


def test_texts_without_blanks_before_signs_are_followed_but_for_bpe(read):
    ids = [274, 6, 30, 8]
    assert read("bert").decode(ids) == "isn ' t."
    tidy = read("bert", clean_up_tokenization_spaces=True)
    assert tidy.decode(ids) == "isn't."
    assert Tokenizer.from_json(tidy.to_json()).decode(ids) == "isn't."
    gpt2 = read("gpt2", clean_up_tokenization_spaces=True)
    assert gpt2.decode(gpt2.encode("a , b")) == "a , b"


def test_special_tokens_in_texts_can_be_left_unread(read):
    text = "a<|endoftext|>"
    assert read("gpt2").encode(text)[-1] == read("gpt2").end_token
    plain = read("gpt2", split_special_tokens=True)
    assert plain.end_token not in plain.encode(text)


@pytest.mark.parametrize("whole", [False, True])
def test_added_tokens_get_their_ids_or_are_refused(read, whole):
    size = read("gpt2").vocabulary_size
    added = {"<|b|>": size + 1, "<|a|>": size}
    found = read("gpt2", whole, added=added, additional_special_tokens=["<|a|>"])
    assert found.encode("<|a|>x<|b|>").tolist()[::2] == [size, size + 1]
    assert found.decode([size, size + 1]) == "<|b|>"
    with pytest.raises(PresetError, match=f"must have the id {size + 7}"):
        read("gpt2", whole, added={"<|a|>": size + 7})


@pytest.mark.parametrize("whole", [False, True])
def test_a_tokenizer_fits_the_table_or_is_refused(read, whole):
    size = read("gpt2").vocabulary_size
    with pytest.raises(PresetError, match="the model's table"):
        read("gpt2", whole, size=size - 1)
    with pytest.warns(UserWarning, match=r"no row for are left out.*<\|a\|>"):
        found = read("gpt2", whole, size=size, added={"<|a|>": size})
    assert found.vocabulary_size == size


def test_very_many_added_tokens_are_read_at_once(read):
    size = read("gpt2").vocabulary_size
    listed = {str(size + i): {"content": f"<{i}>"} for i in range(50_000)}
    found = read("gpt2", added_tokens_decoder=listed)
    assert found.core.token_to_id("<49999>") == size + 49_999


@pytest.mark.parametrize(
    "options",
    [
        {"truncation_side": "left"},
        {"do_basic_tokenize": False},
        {"wordpieces_prefix": "%%"},
        {"never_split": ["x"]},
        {"sp_model_kwargs": {"alpha": 0.1}},
        {"errors": "strict"},
        {"something_new": 1},
    ],
)
def test_options_that_are_not_followed_are_told(read, options):
    with pytest.warns(UserWarning, match=next(iter(options))):
        read("bert", **options)


@pytest.mark.parametrize(
    "options",
    [
        {"add_prefix_space": "yes"},
        {"do_lower_case": 1},
        {"extra_ids": 10**9},
        {"extra_ids": True},
        {"tokenizer_class": "BertJapaneseTokenizer"},
        {"tokenizer_class": ["x"]},
    ],
)
def test_options_of_a_wrong_kind_are_refused(read, options):
    with pytest.raises(PresetError, match=next(iter(options))) as caught:
        read("bert", **options)
    assert "\n" not in str(caught.value)


def test_the_class_of_the_tokenizer_says_which_files_count(read):
    found = read("bert", families="gpt2", tokenizer_class="BertTokenizer")
    assert pieces(found, "the") == ["[CLS]", "the", "[SEP]"]
    with pytest.raises(PresetError, match=r"vocab\.txt and no tokenizer\.json"):
        read("bert", families="gpt2")


def test_a_folder_of_ours_names_the_class_that_reads_it_as_it_is():
    ours = tokenizers.characters("abc </s>", end_token="</s>")
    options = write_options(ours, 8)
    assert options["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert options["clean_up_tokenization_spaces"] is False
    assert options["split_special_tokens"] is True
    again = published.with_roles(ours.core, options)
    assert again.encode("a </s>").tolist() == ours.encode("a </s>").tolist()
