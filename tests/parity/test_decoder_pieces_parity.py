"""A decoder's tokenizer.model gives the ids that it gives transformers."""

import json
import pathlib
import shutil
import warnings

import pytest
from marks import slow_but

from keras_genai.convert.families import FAMILIES
from keras_genai.convert.huggingface import read_tokenizer
from keras_genai.tasks.presets import PresetError

FILES = pathlib.Path(__file__).parent / "files/decoder_pieces"
KNOWN = json.loads((FILES / "ids.json").read_text("utf-8"))
CASES = sorted(KNOWN.keys() - {"texts"})
FAMILY = {"mistral": "mistral", "gemma": "gemma3_text"}


def opened(name, folder, **changes):
    """The tokenizer of a folder with nothing but the file and its options."""
    known = KNOWN[name]
    folder.mkdir()
    shutil.copy(FILES / known["file"] / "tokenizer.model", folder)
    options = json.dumps({**known["options"], **changes})
    (folder / "tokenizer_config.json").write_text(options, "utf-8")
    with warnings.catch_warnings(action="error"):
        return read_tokenizer(folder, FAMILIES[FAMILY.get(known["file"], "llama")])


@pytest.mark.parametrize("name", CASES)
def test_ids_and_texts_are_those_of_transformers(name, tmp_path):
    tokenizer, known = opened(name, tmp_path / "folder"), KNOWN[name]
    for text, ids, decoded in zip(
        KNOWN["texts"], known["ids"], known["decoded"], strict=True
    ):
        assert tokenizer.encode(text).tolist() == ids, text
        assert tokenizer.decode(ids) == decoded, text


@pytest.mark.parametrize("name", slow_but(("llama2_new",), CASES))
def test_a_tokenizer_json_of_it_gives_the_same(name, tmp_path):
    tokenizer = opened(name, tmp_path / "folder")
    again = tmp_path / "again"
    again.mkdir()
    (again / "tokenizer.json").write_text(tokenizer.core.to_str(), "utf-8")
    found = read_tokenizer(again, FAMILIES["llama"])
    for text, ids in zip(KNOWN["texts"], KNOWN[name]["ids"], strict=True):
        assert found.encode(text).tolist() == ids, text


def test_the_class_that_files_name_is_known(tmp_path):
    for kind in ("LlamaTokenizer", "LlamaTokenizerFast", "PreTrainedTokenizerFast"):
        tokenizer = opened("llama2", tmp_path / kind, tokenizer_class=kind)
        assert tokenizer.encode("").tolist() == [1]
    with pytest.raises(PresetError, match="tokenizer_class"):
        opened("llama2", tmp_path / "other", tokenizer_class="OtherTokenizer")


def test_a_start_is_there_unless_it_is_said_not_to_be(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    shutil.copy(FILES / "llama2/tokenizer.model", folder)
    tokenizer = read_tokenizer(folder, FAMILIES["llama"], 420)
    assert tokenizer.encode("").tolist() == [1]
    assert (tokenizer.start_token, tokenizer.end_token) == (1, 2)
    assert (tokenizer.unknown_token, tokenizer.pad_token) == (0, None)


def test_tokens_that_were_added_are_whole(tmp_path):
    folder = tmp_path / "folder"
    tokenizer = opened("mistral", folder)
    size = tokenizer.vocabulary_size
    (folder / "added_tokens.json").write_text(json.dumps({"<|im_end|>": size}))
    special = json.dumps({"additional_special_tokens": ["<|im_end|>"]})
    (folder / "special_tokens_map.json").write_text(special)
    found = read_tokenizer(folder, FAMILIES["mistral"])
    ids = found.encode("[INST] hello [/INST]<|im_end|> there").tolist()
    assert size in ids
    before, after = "[INST] hello [/INST]", " there"
    expected = [*tokenizer.encode(before), size, *tokenizer.encode(after)]
    assert ids == expected


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9])
def test_a_damaged_file_is_refused(share, tmp_path):
    data = (FILES / "llama2/tokenizer.model").read_bytes()
    (tmp_path / "tokenizer.model").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(PresetError) as caught:
        read_tokenizer(tmp_path, FAMILIES["llama"])
    assert "\n" not in str(caught.value)


def test_a_file_of_another_kind_is_refused_by_name(tmp_path):
    """Llama 3's own tokenizer.model is a list of tokens in base 64."""
    (tmp_path / "tokenizer.model").write_text("IQ== 0\nIg== 1\nIw== 2\n")
    with pytest.raises(PresetError, match=r"tokenizer"):
        read_tokenizer(tmp_path, FAMILIES["llama"])
