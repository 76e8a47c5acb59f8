"""Vocabulary files of translators give the ids of transformers and SentencePiece."""

import json
import pathlib

import pytest
from translators import FAMILY_OF, opened

from keras_genai.data.tokenizer import Tokenizer

FILES = pathlib.Path(__file__).parent / "files/translators"
KNOWN = json.loads((FILES / "ids.json").read_text("utf-8"))
TEXTS = KNOWN["texts"]
CASES = sorted(FAMILY_OF)


def differing(tokenizer, rows):
    """The texts that are read otherwise; of some there is no reference."""
    found = zip(TEXTS, rows, tokenizer.encode_batch(TEXTS), strict=True)
    return [
        (text, row, ids.tolist())
        for text, row, ids in found
        if row is not None and row != ids.tolist()
    ]


@pytest.mark.parametrize("name", CASES)
def test_texts_have_the_ids_of_the_reference(name):
    tokenizer = opened(name)
    assert differing(tokenizer, KNOWN[name]["ids"]) == []
    if name.endswith("_json"):  # as transformers writes it, for what is read
        return
    written = KNOWN[name].get("written", KNOWN[name]["ids"])
    assert differing(tokenizer.written, written) == []


@pytest.mark.parametrize("name", CASES)
def test_a_tokenizer_comes_back_from_its_json(name):
    tokenizer = opened(name)
    again = Tokenizer.from_json(tokenizer.to_json())
    assert type(again) is type(tokenizer)
    assert again.vocabulary_size == tokenizer.vocabulary_size
    for one, other in ((again, tokenizer), (again.written, tokenizer.written)):
        for a, b in zip(
            one.encode_batch(TEXTS), other.encode_batch(TEXTS), strict=True
        ):
            assert a.tolist() == b.tolist()


@pytest.mark.parametrize("name", ["marian", "marian_apart", "m2m100"])
def test_decoded_texts_are_those_of_the_reference(name):
    tokenizer, known = opened(name), KNOWN[name]
    for row, text, whole in zip(
        known["written"], known["decoded"], known["whole"], strict=True
    ):
        assert tokenizer.decode(row) == text
        found = tokenizer.decode(row, skip_special_tokens=False)
        assert found.replace(" ", "") == whole.replace(" ", "")
