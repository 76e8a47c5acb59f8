"""GPT-2 and BERT folders and tokenizers give the numbers of transformers."""

import json
import pathlib

import numpy as np
import pytest
from safetensors.numpy import load_file

from keras_genai import from_preset
from keras_genai.convert.families import FAMILIES
from keras_genai.convert.huggingface import read_tokenizer
from keras_genai.samplers import Greedy
from keras_genai.tasks.embedding import SentenceEmbedder

FILES = pathlib.Path(__file__).parent / "files/encoder"
CASES = sorted(path.parent.name for path in FILES.glob("*/config.json"))
INPUTS = ("tokens", "segments", "tokens_mask")
# What our models call their outputs.
NAMES = {
    "last_hidden_state": "hidden",
    "pooler_output": "pooled",
    "start_logits": "start",
    "end_logits": "end",
}
TOKENIZERS = {
    "gpt2": ("gpt2", "gpt2"),
    "bert_uncased": ("bert", "bert_uncased"),
    "bert_cased": ("bert", "bert_cased"),
    "bert_json": ("bert", "bert_uncased"),
    "t5": ("t5", "t5"),
}


@pytest.fixture(scope="module", params=CASES)
def case(request):
    """A model, its inputs, and what transformers said of the same folder."""
    reference = dict(np.load(FILES / request.param / "reference.npz"))
    model = from_preset(FILES / request.param)
    inputs = {key: reference.pop(key) for key in INPUTS if key in reference}
    return request.param, model, inputs, reference


@pytest.fixture(scope="module")
def known():
    return json.loads((FILES / "tokenizers/ids.json").read_text("utf-8"))


def tokenizer(name):
    return read_tokenizer(FILES / "tokenizers" / name, FAMILIES[TOKENIZERS[name][0]])


def test_outputs_of_a_padded_batch(case):
    name, model, inputs, reference = case
    if name.startswith("gpt2"):
        found = {"logits": np.asarray(model(inputs["tokens"]))}
        if "out_last_hidden_state" in reference:  # the body alone, and a tied head
            table = np.asarray(model.embedding.embeddings)
            reference["out_logits"] = reference["out_last_hidden_state"] @ table.T
    else:
        found = model(inputs)
        found = found if isinstance(found, dict) else {"logits": found}
    compared = 0
    for key, expected in reference.items():
        mine = found.get(NAMES.get(key[4:], key[4:])) if key[:4] == "out_" else None
        if mine is not None:
            np.testing.assert_allclose(mine, expected, atol=1e-4, err_msg=key)
            compared += 1
    assert compared == len(found)


def test_all_hidden_states(case):
    _, model, inputs, reference = case
    expected = [reference[key] for key in sorted(reference) if key[:6] == "state_"]
    if expected:
        found = model.hidden_states(inputs)
        assert len(found) == len(expected)
        for mine, theirs in zip(found, expected, strict=True):
            np.testing.assert_allclose(mine, theirs, atol=1e-4)


def test_greedy_tokens(case):
    _, model, inputs, reference = case
    if "greedy" in reference:
        model.jit_generate = False  # compiling takes longer than the rest
        expected = reference["greedy"]
        prompts = list(inputs["tokens"][:, :5])
        found = model.generate(prompts, expected.shape[1], Greedy())
        np.testing.assert_array_equal(found, expected)


def test_what_we_write_is_what_transformers_wrote(case, tmp_path):
    name, model, _, _ = case
    model.save_to_preset(tmp_path / "folder", format="huggingface")
    written = load_file(tmp_path / "folder/model.safetensors")
    stored = {}
    for path in (FILES / name).glob("*.safetensors"):
        stored.update(load_file(path))
    prefix = next(iter(written)).split(".")[0]
    compared = 0
    for key, theirs in stored.items():
        mine = written.get(key, written.get(f"{prefix}.{key}"))
        if mine is not None:
            np.testing.assert_array_equal(mine, theirs.astype("float32"))
            compared += 1
    assert compared == len(written) or name == "bert_next_sentence"
    config = json.loads((tmp_path / "folder/config.json").read_text())
    original = json.loads((FILES / name / "config.json").read_text())
    free = {"architectures", "dtype", "id2label", "label2id", "hidden_act"}
    for key in config.keys() & original.keys() - free:
        if "drop" not in key and not key.endswith(("_id", "inner")):
            assert config[key] == original[key], key


def test_mean_of_the_hidden_vectors_is_the_sentence():
    model = from_preset(FILES / "bert", task=SentenceEmbedder)
    reference = np.load(FILES / "bert/reference.npz")
    mask = reference["tokens_mask"][:, :, None]
    mean = (reference["out_last_hidden_state"] * mask).sum(1) / mask.sum(1)
    mean /= np.linalg.norm(mean, axis=-1, keepdims=True)
    found = model({key: reference[key] for key in INPUTS})
    np.testing.assert_allclose(found, mean, atol=1e-5)


@pytest.mark.parametrize("name", TOKENIZERS)
def test_tokenizers_give_the_ids_and_texts_of_transformers(name, known):
    mine, theirs = tokenizer(name), known[TOKENIZERS[name][1]]
    for text, ids, decoded in zip(
        known["texts"], theirs["single"], theirs["decoded"], strict=True
    ):
        assert mine.encode(text).tolist() == ids, text
        assert mine.decode(ids) == decoded
    batch = mine.encode_batch(known["texts"])
    assert [row.tolist() for row in batch] == theirs["single"]
    assert mine.core.encode(*known["texts"][:2]).ids == theirs["pair"]


def test_windows_over_a_long_text_are_those_of_transformers(known):
    model = from_preset(FILES / "bert_answer")
    model.tokenizer = tokenizer("bert_uncased")
    windows = model._windows(*known["windows"], stride=4)
    expected = known["bert_uncased"]["windows"]
    assert len(expected) > 2
    assert [window.ids for window in windows] == expected
