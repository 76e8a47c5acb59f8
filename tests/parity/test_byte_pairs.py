"""Folders of decoders with vocab.json and merges.txt give the ids of transformers."""

import json
import pathlib

import pytest

from keras_genai.convert.families import FAMILIES
from keras_genai.convert.huggingface import read_tokenizer

FILES = pathlib.Path(__file__).parent / "files/byte_pairs"
CASES = sorted(path.parent.name for path in FILES.glob("*/vocab.json"))
KNOWN = json.loads((FILES / "ids.json").read_text("utf-8"))


def opened(name, family=None):
    family = FAMILIES[family or name.partition("_")[0]]
    return read_tokenizer(FILES / name, family, KNOWN[name]["size"], FAMILIES)


@pytest.mark.parametrize("name", CASES)
def test_ids_and_texts_are_those_of_transformers(name):
    tokenizer = opened(name)
    assert tokenizer.vocabulary_size == KNOWN[name]["size"]
    for text, ids, said in zip(
        KNOWN["texts"], KNOWN[name]["ids"], KNOWN[name]["decoded"], strict=True
    ):
        assert tokenizer.encode(text).tolist() == ids, text
        assert tokenizer.decode(ids) == said


@pytest.mark.parametrize(
    ("name", "family"), [("qwen2", "qwen3"), ("qwen2", "llama"), ("gpt2", "llama")]
)
def test_the_class_that_the_options_name_reads_the_files(name, family):
    text = KNOWN["texts"][0]
    found = opened(name, family).encode(text).tolist()
    assert found == opened(name).encode(text).tolist()
