"""GPT-2 and BERT folders and tokenizers give the numbers of transformers."""

import json
import pathlib

import numpy as np
import pytest
from written import settings, tensors

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
    if name == "gpt2_body":
        found = {"hidden": model(inputs["tokens"])["hidden"]}
    elif name.startswith("gpt2"):
        found = {"logits": np.asarray(model(inputs["tokens"]))}
    else:
        found = model(inputs)
        found = found if isinstance(found, dict) else {"logits": found}
        if name == "bert_no_pooler":  # where transformers has none
            np.testing.assert_array_equal(found.pop("pooled"), found["hidden"][:, 0])
    compared = 0
    for key, expected in reference.items():
        mine = found.get(NAMES.get(key[4:], key[4:])) if key[:4] == "out_" else None
        if mine is not None:
            np.testing.assert_allclose(mine, expected, atol=1e-4, err_msg=key)
            compared += 1
    assert compared == len(found)


def open_case(name):
    """A folder's model and reference arrays."""
    reference = dict(np.load(FILES / name / "reference.npz"))
    return from_preset(FILES / name), reference


@pytest.mark.parametrize("name", ["bert", "bert_no_pooler"])
def test_all_hidden_states(name):
    model, reference = open_case(name)
    tokens, segments, mask = (reference[key] for key in INPUTS)
    found = model.network.hidden_states(tokens, mask, segments)
    for index, mine in enumerate(found):
        np.testing.assert_allclose(mine, reference.pop(f"state_{index}"), atol=1e-4)
    assert not [key for key in reference if key.startswith("state_")]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gpt2", "gpt2_half", "gpt2_untied"])
def test_greedy_tokens(name):
    model, reference = open_case(name)
    model.jit_generate = False  # compiling takes longer than the rest
    expected = reference["greedy"]
    prompts = list(reference["tokens"][:, :5])
    found = model.generate(prompts, expected.shape[1], Greedy())
    np.testing.assert_array_equal(found, expected)


# What one of our tasks does not hold, or holds elsewhere: parts of transformers' files.
NOT_WRITTEN = {
    "bert_masked_untied": {"cls.predictions.bias"},  # stored twice, under two names
    "bert_pretraining": {
        *("bert.pooler.dense.weight", "bert.pooler.dense.bias"),
        *("cls.seq_relationship.weight", "cls.seq_relationship.bias"),
    },
    "bert_next_sentence": {
        *("cls.seq_relationship.weight", "cls.seq_relationship.bias"),
    },
}
ONLY_WRITTEN = {"bert_next_sentence": {"classifier.weight", "classifier.bias"}}
# Settings that we say otherwise, and mean the same or cannot know.
OTHER_SETTINGS = {
    *("attention_probs_dropout_prob", "attn_pdrop"),  # we drop no attention weights
    *("architectures", "dtype", "label2id"),
    *("bos_token_id", "eos_token_id"),  # the tokenizer's, and these folders have none
    *("n_inner", "classifier_dropout"),  # the value instead of null
}


def test_what_we_write_is_what_transformers_wrote(case, tmp_path):
    name, model, _, _ = case
    model.save_to_preset(tmp_path / "folder", format="huggingface")
    written, stored = tensors(tmp_path / "folder", FILES / name)
    assert stored.keys() - written.keys() == NOT_WRITTEN.get(name, set())
    assert written.keys() - stored.keys() == ONLY_WRITTEN.get(name, set())
    for key in written.keys() & stored.keys():
        np.testing.assert_array_equal(written[key], stored[key].astype("float32"))


def test_settings_we_write_are_those_of_transformers(case, tmp_path):
    name, model, _, _ = case
    model.save_to_preset(tmp_path / "folder", format="huggingface")
    mine, theirs = settings(tmp_path / "folder", FILES / name)
    shared = mine.keys() & theirs.keys()
    other = {key for key in shared if mine[key] != theirs[key]}
    assert other <= OTHER_SETTINGS
    assert len(shared) > len(OTHER_SETTINGS)


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
